"""A real amplifier's recording, through the whole chain and back, with real processes."""

import asyncio
import json
from pathlib import Path

import mne
import numpy as np
import pytest

from rigctl.controller import connect

from .programs import DATA, free_port, rigctl, served_rigs, started, until

REF = "2024-01-01_1_subject"
SAMPLES = 7900


@pytest.mark.parametrize("dtype", ["int16", "float32"])
@pytest.mark.parametrize("scheme", ["udp", "tcp"])
def test_what_the_amplifier_sent_is_what_is_on_disk(tmp_path, scheme, dtype):
    port = free_port()
    amp = {"device": "rda", "host": "127.0.0.1", "port": port}
    with served_rigs(tmp_path, eeg={"sources": {"amp": amp}}) as (lab, _):
        lab.write_text(lab.read_text().replace("udp://", f"{scheme}://"))
        replay = (
            *("simulate", "rda", "--replay", DATA / "test.vhdr", "--dtype", dtype),
            *("--port", port, "--speed", 20, "--once", "--json"),
        )
        asyncio.run(start_before(lab, replay))
        until(lab, lambda r: r["rigs"]["eeg"]["streams"]["amp"]["received"] == SAMPLES)
        assert rigctl("stop", lab=lab).returncode == 0
        assert rigctl("cleanup", lab=lab).returncode == 0
        verified = rigctl("sessions", "verify", REF, "--full", "--json", lab=lab)
    assert verified.returncode == 0, verified.stdout
    stream = json.loads(verified.stdout)["sessions"]["eeg"]["streams"]["amp"]
    assert (stream["samples"], stream["ok"]) == (SAMPLES, True)
    assert (stream["missing_samples"], stream["gaps"], stream["bad_chunks"]) == (0, 0, 0)
    check_same(tmp_path / "data/subject/2024-01-01/001/eeg/amp", dtype)


async def start_before(lab: Path, replay: tuple[object, ...]) -> None:
    """Start the recording, then the amplifier: not a sample is sent before the rig listens.

    By a script's `start`, which sets no instant: `rigctl start` would begin with one that lies
    behind the first samples.
    """
    async with connect(lab) as services:
        start = asyncio.create_task(services.start(REF))
        await asyncio.to_thread(
            until, lab, lambda r: r["rigs"]["eeg"]["streams"]["amp"]["durable_age_s"] is not None
        )
        with started(*replay) as simulator:
            assert simulator.first_line()["channels"] == 32
            (_, report) = (await start)["eeg"]
            assert report["status"] == "RUNNING"
            assert report["streams"]["amp"]["durable_samples"] > 0
            await asyncio.to_thread(simulator.process.communicate, timeout=30)
            assert simulator.process.returncode == 0


def check_same(folder: Path, dtype: str) -> None:
    """Bytes, physical values, channels, units and markers are those of the original."""
    sent = np.fromfile(DATA / "test.eeg", "<i2")
    written = np.fromfile(folder / "data.eeg", np.dtype(dtype).newbyteorder("<"))
    assert np.array_equal(written, sent.astype(dtype))
    original = mne.io.read_raw_brainvision(DATA / "test.vhdr", verbose="error", misc="auto")
    recorded = mne.io.read_raw_brainvision(folder / "data.vhdr", verbose="error", misc="auto")
    assert recorded.ch_names == original.ch_names
    assert recorded.info["sfreq"] == original.info["sfreq"]
    assert np.array_equal(recorded.get_data(), original.get_data())
    assert [c["unit"] for c in recorded.info["chs"]] == [c["unit"] for c in original.info["chs"]]
    assert markers(recorded) == markers(original)
    assert lines(folder / "data.vmrk") == lines(DATA / "test.vmrk")


def markers(raw) -> list[tuple[int, float, str]]:
    onsets = np.rint(raw.annotations.onset * raw.info["sfreq"]).astype(int)
    rows = zip(onsets, raw.annotations.duration, raw.annotations.description, strict=True)
    return [(int(o), float(d), str(t)) for o, d, t in rows]


def lines(vmrk: Path) -> list[str]:
    """The markers as written, without the date of the segment, which is the recording's."""
    text = vmrk.read_text(encoding="utf-8")
    found = [line.strip() for line in text.splitlines() if line.startswith("Mk")]
    return [",".join(line.split(",")[:5]) for line in found]
