"""Whether the texts beside the samples are what they were, where no manifest says so.

From: a session that is not sealed.  To: `verify`.

`.vhdr` and `.vmrk` have no checksums. Until the seal they are what this version writes: the header
that `stream.json` means, and markers that `events.jsonl` has, numbered on. So every changed bit of
them shows. What cannot be found before the seal: that a `.vmrk` ends too early (it is made anew at
the seal), that whole lines are gone from the end of `events.jsonl` and no `.vmrk` has them, and
damage to files that are not rigctl's own, `log.jsonl` included. After a recovery a marker may stand
in a `.vmrk` alone, since its event was torn: then only its place among the others is checked.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rigctl.errors import RecordingError
from rigctl.recording import brainvision, layout, markers
from rigctl.recording.durable import naming
from rigctl.recording.events import Event, read_events


def text_problems(path: Path, *, recovered: bool = False) -> Iterator[str]:
    """Yield what is wrong with the header and marker files of an unsealed session.

    Args:
        path: the session.
        recovered: whether it was recovered, so that markers may have lost their events.
    """
    for folder in layout.stream_folders(path):
        try:
            yield from (f"{folder.name}/{text}" for text in _problems(folder, recovered))
        except RecordingError:
            continue  # what describes the stream is damaged or missing, which is told already


def _problems(folder: Path, recovered: bool) -> Iterator[str]:
    header = layout.read_stream_header(folder)
    if not header.info.is_signal or len(layout.data_sizes(folder)) > 1:
        return
    vhdr, vmrk = (Path(header.data).with_suffix(suffix) for suffix in (".vhdr", ".vmrk"))
    # The markers first: a live recording logs a marker before it writes it there.
    standing = _bytes(folder / vmrk)
    events = folder.parent / layout.EVENTS
    read = read_events(events).events if events.exists() else ()
    logged = None if recovered else Counter(map(_body, _all_logged(read, folder.name)))
    text = brainvision.format_header(header.info, header.data, vmrk.name)
    # What it means is compared for sealed sessions, too; here the rest of it is.
    if _bytes(folder / vhdr) != text.encode() and _means_the_same(folder / vhdr, text):
        yield f"{vhdr}: was changed, though it still means what {layout.STREAM} does"
    yield from (f"{vmrk}: {text}" for text in _marker_problems(standing, header.data, logged))


def _means_the_same(path: Path, text: str) -> bool:
    try:
        return brainvision.read_header(path) == brainvision.parse_header(text)
    except RecordingError:
        return False  # told already


def _bytes(path: Path) -> bytes:
    with naming(path):
        return path.read_bytes()


def _marker_problems(
    standing: bytes, data_file: str, logged: Counter[bytes] | None
) -> Iterator[str]:
    head = brainvision.format_marker_head(data_file).encode()
    if not standing.startswith(head):
        yield "does not begin as it should"
        return
    lines = standing[len(head) :].split(b"\n")
    if lines.pop():
        yield "a torn end, its last line is not whole"
    changed = [n for n, line in enumerate(lines, start=1) if not _stands(line, n, logged)]
    if changed:
        yield f"{len(changed)} markers are not those of {layout.EVENTS}, the first is {changed[0]}"


def _all_logged(events: Iterable[Event], folder: str) -> Sequence[markers.LoggedMarker]:
    """Return every marker that was logged; a cut is logged after it was done."""
    kept = (event for event in events if event.kind != markers.CUT)
    return markers.logged_markers(kept, folder)


def _body(entry: markers.LoggedMarker) -> bytes:
    line = brainvision.format_marker(1, entry.marker, entry.when)
    return line.removeprefix("Mk1=").removesuffix("\n").encode()


def _stands(line: bytes, number: int, logged: Counter[bytes] | None) -> bool:
    """Whether a line is a marker with its number, and logged, each line once."""
    body = line.removeprefix(b"Mk%d=" % number)
    if logged is None:
        return body != line
    logged[body] -= 1
    return body != line and logged[body] >= 0
