"""Whether the texts beside the samples are what they were, where no manifest says so.

From: a session that is not sealed.  To: `verify`.

`.vhdr` and `.vmrk` have no checksums. Until the seal they are what this version writes: the header
that `stream.json` means, and markers that `events.jsonl` has, numbered on. So every changed bit of
them shows. What cannot be found before the seal: that a `.vmrk` ends too early (it is made anew at
the seal), another time in the marker with which a further part begins, that whole lines are gone
from the end of `events.jsonl` and no `.vmrk` has them, and damage to files that are not rigctl's
own, `log.jsonl` included. After a recovery a marker may stand in a `.vmrk` alone, since its event
was torn: then only its place among the others is checked.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording import brainvision, layout, markers
from rigctl.recording.durable import naming
from rigctl.recording.events import Event, read_events
from rigctl.recording.marker_parts import part_starts

_ROLL_OVER = re.compile(rf"{markers.NEW_SEGMENT},{markers.ROLL_OVER},1,1,0(,\d{{20}})?".encode())


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
    if not header.info.is_signal:
        return
    # The markers first, then the events, then where parts begin: a live recording logs a marker
    # before it writes it there, and begins a part with its markers.
    names = {part: layout.part_name(header.data, part) for part in _parts(folder)}
    standing = {part: _bytes(folder / layout.marker_name(name)) for part, name in names.items()}
    events = folder.parent / layout.EVENTS
    read = read_events(events).events if events.exists() else ()
    entries = None if recovered else _all_logged(read, folder.name)
    starts = part_starts(folder, header)
    for part, data in names.items():
        yield from _header_problems(folder, header, data)
        text = standing[part]
        if text is not None and part in starts:
            logged = None if entries is None else _lines(entries, starts[part], part)
            found = _marker_problems(text, data, logged, is_further=part > 1)
            yield from (f"{layout.marker_name(data)}: {problem}" for problem in found)


def _parts(folder: Path) -> list[int]:
    """Return the numbers of the parts that are there, the first one always."""
    with naming(folder):
        return sorted({1, *filter(None, map(layout.part_number, layout.data_sizes(folder)))})


def _bytes(path: Path) -> bytes | None:
    """Return what a file holds; None where it cannot be read, which is told already."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _header_problems(folder: Path, header: layout.StreamHeader, data: str) -> Iterator[str]:
    path = folder / layout.header_name(data)
    text = brainvision.format_header(header.info, data, layout.marker_name(data))
    # What it means is compared for sealed sessions, too; here the rest of it is.
    if _bytes(path) != text.encode() and _means_the_same(path, text):
        yield f"{path.name}: was changed, though it still means what {layout.STREAM} does"


def _means_the_same(path: Path, text: str) -> bool:
    try:
        return brainvision.read_header(path) == brainvision.parse_header(text)
    except RecordingError:
        return False  # told already


def _marker_problems(
    standing: bytes, data_file: str, logged: Counter[bytes] | None, *, is_further: bool
) -> Iterator[str]:
    head = brainvision.format_marker_head(data_file).encode()
    if not standing.startswith(head):
        yield "does not begin as it should"
        return
    lines = standing[len(head) :].split(b"\n")
    if lines.pop():
        yield "a torn end, its last line is not whole"
    bodies = [_numbered_body(line, number) for number, line in enumerate(lines, start=1)]
    begins = {next(filter(_is_roll_over, bodies), None)} if is_further else set()
    changed = [n for n, body in enumerate(bodies, start=1) if not _stands(body, logged, begins)]
    if changed:
        yield f"{len(changed)} markers are not those of {layout.EVENTS}, the first is {changed[0]}"


def _all_logged(events: Iterable[Event], folder: str) -> Sequence[markers.LoggedMarker]:
    """Return every marker that was logged; a cut is logged after it was done."""
    kept = (event for event in events if event.kind != markers.CUT)
    return markers.logged_markers(kept, folder)


def _lines(entries: Iterable[markers.LoggedMarker], first: int, part: int) -> Counter[bytes]:
    """Return the lines that logged markers have in a part, without their numbers."""
    inside = (entry for entry in entries if part == 1 or entry.position >= first)
    return Counter(_body(entry, first) for entry in inside)


def _body(entry: markers.LoggedMarker, first: int) -> bytes:
    moved = msgspec.structs.replace(entry, position=entry.position - first)
    line = brainvision.format_marker(1, moved.marker, entry.when)
    return line.removeprefix("Mk1=").removesuffix("\n").encode()


def _numbered_body(line: bytes, number: int) -> bytes | None:
    """Return a marker's line without its number; None where that is another."""
    body = line.removeprefix(b"Mk%d=" % number)
    return None if body == line else body


def _is_roll_over(body: bytes | None) -> bool:
    """Whether a line is that with which a further part begins; no event has it."""
    return body is not None and _ROLL_OVER.fullmatch(body) is not None


def _stands(body: bytes | None, logged: Counter[bytes] | None, begins: Set[bytes | None]) -> bool:
    """Whether a line is a marker with its number, and logged, each line once."""
    if body is None:
        return False
    if logged is None or body in begins:
        return True
    logged[body] -= 1
    return logged[body] >= 0
