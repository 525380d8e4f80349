"""What is known of a stream whose `stream.json` may be damaged or gone.

From: a stream's folder.  To: `salvage_stream`.
"""

from dataclasses import dataclass
from pathlib import Path

from rigctl.errors import RecordingError
from rigctl.recording import brainvision, layout
from rigctl.recording.checked import decode_document, document_put_right
from rigctl.recording.salvage_blocks import read_anyway


@dataclass(frozen=True, slots=True)
class KnownHeader:
    """What describes a stream, and how far it is proven."""

    header: layout.StreamHeader | None
    """None where nothing describes it."""
    problems: tuple[str, ...] = ()


def known_header(folder: Path, name: str) -> KnownHeader:
    """Return what describes a stream: `stream.json`, that with one bit put right, or the `.vhdr`.

    Args:
        folder: the stream's.
        name: its name, where `stream.json` cannot tell.
    """
    try:
        return KnownHeader(layout.read_stream_header(folder))
    except RecordingError as error:
        problem = str(error).removeprefix(f"{folder}/")
    right = document_put_right(read_anyway(folder / layout.STREAM))
    try:
        if right:
            return KnownHeader(decode_document(right, layout.StreamHeader))
        return KnownHeader(_from_vhdr(folder, name), (f"{problem}; made anew from the .vhdr",))
    except (RecordingError, ValueError) as error:
        reason = str(error).removeprefix(f"{folder}/")
        return KnownHeader(None, (f"{problem}, and no header file can stand in: {reason}",))


def _from_vhdr(folder: Path, name: str) -> layout.StreamHeader:
    paths = sorted(folder.glob("data*.vhdr"))
    if not paths:
        raise RecordingError("there is none")
    return layout.stream_header(brainvision.read_header(paths[0]).info, name, {})
