"""A session's facts as lines for people.

From: `cli.session_facts`.  To: ``rigctl sessions show``.
"""

from collections.abc import Iterator

from rigctl.cli.session_facts import SessionFacts, StreamFacts, duration, local_time
from rigctl.recording.session import ClockOffset, Episode, SessionRecord, Window

STREAM_HEADINGS = (
    *("stream", "channels", "rate", "dtype"),
    *("samples", "duration", "gaps", "missing"),
)
STREAM_NUMBERS = ("channels", "rate", "samples", "duration", "gaps", "missing")

_LABEL_WIDTH = 11


def fact_lines(facts: SessionFacts) -> Iterator[str]:
    """Yield what is known of a session, one fact a line."""
    yield _fact("folder", facts.path)
    yield _fact("state", f"{facts.state}, {'sealed' if facts.sealed else 'not sealed'}")
    yield _fact("duration", duration(facts.duration_s))
    if facts.session:
        yield from _record_lines(facts.session)
    for problem in facts.problems:
        yield _fact("PROBLEM", problem)


def stream_row(name: str, facts: StreamFacts) -> tuple[str, ...]:
    """Return a stream's cells under `STREAM_HEADINGS`."""
    return (
        name,
        str(facts.channels or " x ".join(map(str, facts.shape))),
        f"{facts.rate_hz:.10g} Hz",
        facts.dtype,
        str(facts.samples),
        duration(facts.duration_s),
        str(facts.gaps),
        str(facts.missing_samples),
    )


def file_lines(name: str, facts: StreamFacts) -> Iterator[str]:
    """Yield a stream's files, and how to open them."""
    sizes = (f"{file} {_size(size)}" for file, size in facts.files.items())
    yield _fact(name, ", ".join(sizes))
    for line in facts.open:
        yield _fact("", line)


def _record_lines(record: SessionRecord) -> Iterator[str]:
    yield _fact("started", local_time(record.clock.unix_s))
    yield _fact("host", record.host)
    if record.window:
        yield _fact("window", _window(record.window))
    for offset in dict.fromkeys([*record.clock_offsets[:1], *record.clock_offsets[-1:]]):
        yield _fact("clock", _offset(offset))
    if record.conditions:
        yield _fact("conditions", ", ".join(record.conditions))
    for episode in record.episodes:
        yield _fact("episode", _episode(episode))
    if record.note:
        yield _fact("note", record.note)
    yield _fact("versions", ", ".join(f"{name} {of}" for name, of in record.versions.items()))
    yield _fact("config", f"BLAKE2b {record.config_hash[:16]}...")


def _fact(label: str, text: str) -> str:
    return f"  {label:{_LABEL_WIDTH}} {text}".rstrip()


def _window(window: Window) -> str:
    return f"{local_time(window.start_unix_s)} to {_until(window.stop_unix_s)}"


def _offset(offset: ClockOffset) -> str:
    amount = f"{offset.offset_s * 1e3:+.3f} ± {offset.bound_s * 1e3:.3f} ms"
    return f"{amount} to {offset.reference}, {local_time(offset.unix_s)}"


def _episode(episode: Episode) -> str:
    when = f"{local_time(episode.since_unix_s)} to {_until(episode.until_unix_s)}"
    detail = f": {episode.detail}" if episode.detail else ""
    return f"{episode.condition} {episode.source}, {when}{detail}"


def _until(unix_s: float | None) -> str:
    return "the end" if unix_s is None else local_time(unix_s)


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:.4g} TB"
