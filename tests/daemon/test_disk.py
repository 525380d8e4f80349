"""The data root's disk: what does not fit is refused with figures, and measuring leaves nothing."""

import asyncio
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from rigctl.address import Address
from rigctl.blocks import Channel, StreamInfo
from rigctl.config import Rig, SourceEntry
from rigctl.config.keeping import DiskLimits
from rigctl.daemon import disk as module
from rigctl.daemon.command import Command, planned_s
from rigctl.daemon.disk import Disk, load_of
from rigctl.daemon.guard import Level, Space
from rigctl.daemon.states import INIT
from rigctl.daemon.streams import StreamState
from rigctl.errors import RecordingError, Refused
from rigctl.peers.orders import Opened
from rigctl.streams import RingWriter

GB = 10**9
PROBE = StreamInfo("int16", (384,), Fraction(30_000), tuple(Channel(f"c{n}") for n in range(384)))


class Made:
    """A rig's disk, and the stream that it is to take."""

    def __init__(self, root: Path, limits: DiskLimits) -> None:
        entry = SourceEntry("probe", "simulated", {})
        self.stream = StreamState(entry, recorded=True)
        address = Address.parse("udp://127.0.0.1:11001")
        self.rig = Rig("eeg", root / "eeg.yaml", address, root, disk=limits)
        self.disk = Disk(self.rig, {"probe": self.stream})

    def flow(self) -> None:
        self.ring = RingWriter.create(f"test-disk-{os.getpid()}", PROBE, 1000)
        self.stream.open_ring(Opened(self.ring.name, 384, 30_000.0, "int16"))

    def close(self) -> None:
        self.stream.close_ring()
        if hasattr(self, "ring"):
            self.ring.close("the test is over")
            self.ring.unlink()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    one = Made(tmp_path, DiskLimits(GB, GB, 3600.0))
    yield one
    one.close()


def free(monkeypatch: pytest.MonkeyPatch, *spaces: float) -> None:
    """Have looks find so much free, the last again and again."""
    left = [Space(int(one)) for one in spaces]
    monkeypatch.setattr(
        module, "_measured_space", lambda *_: left.pop(0) if len(left) > 1 else left[0]
    )


async def test_what_is_planned_counts_what_the_streams_bring(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 40 * GB)
    await made.disk.check(None)  # nobody knows yet what comes
    assert not made.disk.is_known
    made.flow()
    assert made.disk.is_known
    with pytest.raises(
        RecordingError, match=r"needs 84.\d GB for 1 h and 2 GB are to stay free; 40"
    ):
        await made.disk.check(None)
    await made.disk.check(1500.0)


async def test_a_floor_of_nothing_asks_for_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unguarded = Made(tmp_path, DiskLimits(0, 0))
    free(monkeypatch, 0)
    unguarded.flow()
    await unguarded.disk.check(None)
    unguarded.close()


async def test_a_disk_that_writes_too_slowly_is_measured_again_before_anything_is_refused(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 400 * GB)
    made.flow()
    found = [20e6, 30e6, 90e6]
    monkeypatch.setattr(module, "_write_some", lambda _: found.pop(0))
    await made.disk.probe()
    with pytest.raises(RecordingError, match=r"bring 23.1 MB/s .* take 30 MB/s, of which half"):
        await made.disk.check(None)
    await made.disk.check(None)
    assert not found


def test_measuring_leaves_nothing_behind(made: Made, tmp_path: Path) -> None:
    asyncio.run(made.disk.probe())
    assert list(tmp_path.iterdir()) == []
    assert made.disk._write_bytes_s and made.disk._write_bytes_s > 1e5


async def test_a_disk_that_cannot_be_written_is_named(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(RecordingError, match=f"data_root {tmp_path} .*: Input/output error"):
        await made.disk.probe()


async def test_a_disk_that_hangs_while_it_is_measured_holds_nobody_up(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(monkeypatch, 400 * GB)
    made.flow()
    let_go = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_: Path) -> float:
        asyncio.run_coroutine_threadsafe(let_go.wait(), loop).result()
        return 1e9

    monkeypatch.setattr(module, "_write_some", hang)
    monkeypatch.setattr(module, "_PROBE_WAIT_S", 0.05)
    await made.disk.probe()
    with pytest.raises(RecordingError, match="faster disk"):
        await made.disk.check(None)
    let_go.set()
    await loop.shutdown_default_executor()


async def looks(made: Made, session: Path | None, *seconds: float) -> list[Level]:
    """Look, and look at what came of it; the daemon does so twice a second."""
    found = []
    for now_s in seconds:
        made.disk.look(now_s, session)
        if made.disk._looking:
            await made.disk._looking
        found.append(made.disk.look(now_s, session))
    return found


async def test_what_is_free_is_reported_whether_or_not_anything_is_recorded(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made.disk.report() is None
    free(monkeypatch, 0.5 * GB, 47.2 * GB)
    assert await looks(made, None, 0) == [Level.OK]
    report = made.disk.report()
    assert report and (report.free_bytes, report.lasts_s) == (GB // 2, None)
    made.flow()
    await looks(made, None, 1)
    report = made.disk.report()
    assert report and report.floor_bytes == GB
    assert report.lasts_s == pytest.approx(46.2 * GB / load_of(PROBE))


async def test_while_it_records_a_low_disk_is_said_and_a_full_one_ends_it(
    made: Made, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    free(monkeypatch, 3 * GB, 1.5 * GB, 3 * GB, 0.5 * GB)
    made.disk.begin()
    assert await looks(made, tmp_path, 0, 1) == [Level.OK, Level.LOW]
    assert f"only 1.5 GB are free in {tmp_path}: the recording is ended below 1 GB" in (
        made.disk.warning
    )
    assert await looks(made, tmp_path, 2) == [Level.OK]
    assert made.disk.warning == made.disk.ended == ""
    assert (await looks(made, tmp_path, *range(3, 14)))[-1] is Level.STOP
    assert "ended because only 500 MB were free in" in made.disk.ended
    made.disk.begin()
    assert (made.disk.warning, made.disk.ended) == ("", "")


async def test_what_is_reserved_for_a_session_is_found_in_its_files(tmp_path: Path) -> None:
    stream = tmp_path / "amp"
    stream.mkdir()
    with (stream / "data.eeg").open("wb") as file:
        file.write(bytes(4096))
        try:
            os.posix_fallocate(file.fileno(), 0, 4096)
            held = _keep_size(file.fileno(), 1 << 20)
        except OSError:
            pytest.skip("this file system reserves nothing")
        found = module._measured_space(tmp_path, tmp_path)
    assert held and found
    assert found.ahead_bytes == pytest.approx((1 << 20) - 4096, abs=65_536)


def _keep_size(fd: int, size: int) -> bool:
    from rigctl.recording.space import Reservation

    reservation = Reservation(fd, size)
    reservation.extend(0)
    return reservation._possible


@pytest.mark.parametrize("data", [None, {}, {"planned_s": None}, {"exp_ref": "x"}, "text"])
def test_a_controller_need_not_say_what_is_planned(data: object) -> None:
    assert planned_s(Command(INIT, data=data)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("planned", [0, -1, "1h", [], 1e99, float("nan")])
def test_what_is_planned_is_a_duration(planned: object) -> None:
    with pytest.raises(Refused, match="number of seconds above 0"):
        planned_s(Command(INIT, data={"planned_s": planned}))  # type: ignore[dict-item]
    assert planned_s(Command(INIT, data={"planned_s": 90})) == 90.0
