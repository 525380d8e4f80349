"""Small sessions and streams for the tests of the recording."""

import datetime
import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rigctl.blocks import Channel, Marker, StreamInfo
from rigctl.messages import ExpRef
from rigctl.recording.events import EventLog
from rigctl.recording.layout import EVENTS
from rigctl.recording.session import ClockPair, Session, SessionHeader, SessionStream
from rigctl.recording.stream_writer import StreamWriter

REF = ExpRef(datetime.date(2024, 1, 1), 1, "subject")
WHEN = datetime.datetime(2024, 1, 1, 12, 30, 15, 250_000, tzinfo=datetime.UTC)


def signal(dtype: str = "float32", channels: int = 2, rate_hz: int = 1000) -> StreamInfo:
    names = tuple(Channel(f"Ch{number}", "µV", 0.5) for number in range(channels))
    return StreamInfo(dtype, (channels,), Fraction(rate_hz), names)


def images() -> StreamInfo:
    return StreamInfo("uint8", (3, 4), Fraction(30_000, 1001))


def frames(info: StreamInfo, count: int, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(-1000, 1000, (count, *info.shape))
    return raw.astype(info.numpy_dtype)


def header(**streams: SessionStream) -> SessionHeader:
    return SessionHeader(
        state="RUNNING",
        host="rig-1",
        clock=ClockPair(1704112215.25, 12.5),
        versions={"rigctl": "0.1.0"},
        config={"name": "eeg", "sources": {"amp": {"device": "simulated"}}},
        streams=streams or {"amp": SessionStream()},
    )


def make_session(root: Path, rig: str = "eeg", ref: ExpRef = REF) -> Session:
    return Session.create(root, ref, rig, header())


def record(session: Session, info: StreamInfo, blocks: int = 3, points: int = 4) -> StreamWriter:
    """Record a little of everything into the stream `amp`, and close it."""
    with EventLog(session.path / EVENTS, "recorder") as events:
        writer = StreamWriter.create(session.path / "amp", info, name="amp", events=events)
        with writer:
            writer.new_segment(WHEN)
            for number in range(blocks):
                writer.append(frames(info, points, number), counter=number, arrival_s=number)
            writer.mark(Marker(1, "Stimulus", "S  1"), Marker(2, "Response", "R, 2", 3, 1))
            writer.fill(2, counter=blocks, arrival_s=blocks)
            writer.append(frames(info, points, 9), counter=blocks + 1, arrival_s=blocks + 1)
    return writer


def tree(path: Path) -> dict[str, bytes | None]:
    """Return every file below a folder with what it holds; folders hold None."""
    found = sorted(path.rglob("*"))
    names = [item.relative_to(path).as_posix() for item in found]
    contents = [None if item.is_dir() else item.read_bytes() for item in found]
    return dict(zip(names, contents, strict=True))


class Crash(BaseException):
    """The process ends here."""


@contextmanager
def crash_at(step: int) -> Iterator[None]:
    """Crash at a step that changes or syncs files, counted from 0; a write is done by half."""
    steps = itertools.count()

    def crashing(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            if next(steps) == step:
                if call is write:
                    write(args[0], args[1][: len(args[1]) // 2])
                raise Crash
            return call(*args)

        return run

    write = os.write
    names = ("write", "fsync", "ftruncate", "rename", "replace", "unlink")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.setattr(os, name, crashing(getattr(os, name)))
        yield
