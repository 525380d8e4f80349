"""Every bit flipped, every length cut: how much damage to a small session `verify` does not find.

From: `scripts/bench`, and the suite with some of the places.  To: a table, by file.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import Row
from rigctl.blocks import Marker
from rigctl.recording import layout
from rigctl.recording.events import EventLog
from rigctl.recording.manifest import inventory, seal
from rigctl.recording.session import Session
from rigctl.recording.stream_writer import StreamWriter
from rigctl.recording.verify import verify
from tests.recording import making


def make(root: Path) -> Path:
    """Record signals and images, with markers, a gap, other events and a log; not sealed."""
    session = making.make_session(root)
    making.record(session, making.signal("int16"), blocks=2)
    images = making.images()
    with EventLog(session.path / layout.EVENTS, "recorder") as events:
        with StreamWriter.create(session.path / "cam", images, name="cam", events=events) as writer:
            writer.append(making.frames(images, 2), counter=0, arrival_s=0.5)
            writer.mark(Marker(1, "Stimulus", "flash"))
        events.append("rig", "state", {"state": "STOPPED"})
    (session.path / layout.LOG).write_bytes(b'{"text":"started"}\n')
    return session.path


def unseen_bits(path: Path, name: str, stride: int = 1) -> list[int]:
    """Return the bits of a file that can be flipped without `verify` saying so."""
    with _restored(path / name) as data:
        return [at for at in range(0, 8 * len(data), stride) if _is_ok(path, name, _flip(data, at))]


def unseen_cuts(path: Path, name: str, stride: int = 1) -> list[int]:
    """Return the lengths that a file can be cut to without `verify` saying so."""
    with _restored(path / name) as data:
        return [size for size in range(0, len(data), stride) if _is_ok(path, name, data[:size])]


@contextmanager
def _restored(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    try:
        yield data
    finally:
        path.write_bytes(data)


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _is_ok(path: Path, name: str, data: bytes) -> bool:
    (path / name).write_bytes(data)
    return verify(path).ok


def _row(path: Path, name: str, stride: int, kind: str) -> Row:
    size = (path / name).stat().st_size
    bits, cuts = unseen_bits(path, name, stride), unseen_cuts(path, name, stride)
    tried = -(-8 * size // stride), -(-size // stride)
    return Row(
        f"{kind}: {name}",
        f"{len(bits)} bits, {len(cuts)} lengths unseen",
        f"of {tried[0]} and {tried[1]}",
        f"{(len(bits) + len(cuts)) / sum(tried):.4f}",
        "0" if kind == "sealed" else "see `verify_texts`",
    )


def run(quick: bool = False) -> list[Row]:
    """Return a row for each file of a session, before and after its seal."""
    stride = 61 if quick else 1
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder))
        rows = [_row(path, name, stride, "not sealed") for name in inventory(path)]
        seal(Session.open(path))
        names = [*inventory(path), layout.MANIFEST]
        return [*rows, *(_row(path, name, stride, "sealed") for name in names)]
