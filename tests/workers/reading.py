"""What the tests look for in a recording."""

from pathlib import Path

from rigctl.recording.reader import StreamReader


def marks(stream: StreamReader, kind: str) -> list[tuple[int, str]]:
    return [(m.position, m.description) for m in stream.markers if m.type == kind]


def segments(stream: StreamReader) -> list[int]:
    return [marker.position for marker in stream.markers if marker.type == "New Segment"]


def open_below(folder: Path) -> list[str]:
    """The files below a folder that this process has open, where the system tells."""
    descriptors = Path("/proc/self/fd").glob("*")
    targets = [str(one.readlink()) for one in descriptors if one.is_symlink()]
    return [target for target in targets if target.startswith(str(folder))]
