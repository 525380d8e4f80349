"""XDF exports, read back by pyxdf."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from rigctl.errors import RecordingError
from rigctl.recording import opened_stream
from rigctl.recording.opened_stream import OpenStream
from tests.recording import making, opening
from tests.recording.export.exporting import exported, opened

BOUNDARY = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")


def read(path: Path, **how: Any) -> dict[str, dict[str, Any]]:
    streams, _ = pyxdf.load_xdf(path, dejitter_timestamps=False, **how)
    return {stream["info"]["name"][0]: stream for stream in streams}


def assert_same(found: dict[str, Any], amp: OpenStream) -> None:
    np.testing.assert_array_equal(found["time_series"], amp.samples[:])
    np.testing.assert_allclose(found["time_stamps"], amp.times[:], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("int16", "int16"),
        ("float32", "float32"),
        ("int32", "int32"),
        ("int64", "int64"),
        ("float64", "double64"),
        ("uint8", "int16"),
        ("uint16", "int32"),
    ],
)
def test_samples_are_the_same_bit_by_bit_with_their_times(
    tmp_path: Path, dtype: str, kind: str
) -> None:
    rig = opened(tmp_path, amp=making.signal(dtype), split=dtype == "float32")
    found = read(exported(rig, "xdf"))["amp"]
    assert_same(found, rig["amp"])
    info = found["info"]
    assert info["channel_format"] == [kind] and float(info["nominal_srate"][0]) == 1000
    channels = info["desc"][0]["channels"][0]["channel"]
    assert [(c["label"][0], c["unit"][0], c["resolution"][0]) for c in channels] == [
        ("Ch0", "µV", "0.5"),
        ("Ch1", "µV", "0.5"),
    ]
    assert int(found["footer"]["info"]["sample_count"][0]) == opening.COUNT


def test_times_without_the_offsets_are_those_of_the_rig_clock(tmp_path: Path) -> None:
    rig = opened(tmp_path, amp=making.signal())
    found = read(exported(rig, "xdf"), synchronize_clocks=False)["amp"]
    np.testing.assert_array_equal(found["time_stamps"], rig["amp"].rig_times[:])
    jump_s = np.diff(found["time_stamps"])[opening.SECOND - 1]
    assert jump_s == pytest.approx(opening.LOST_S + 0.001)


def test_markers_are_a_stream_of_texts_at_their_samples(tmp_path: Path) -> None:
    rig = opened(tmp_path, amp=making.signal("int16"))
    found = read(exported(rig, "xdf"))
    texts = [one[0] for one in found["amp-markers"]["time_series"]]
    placed = dict(zip(texts, found["amp-markers"]["time_stamps"], strict=True))
    amp = rig["amp"]
    for marker, text in zip(opening.MARKERS, opening.TEXTS, strict=True):
        assert placed[text] == pytest.approx(amp.times[marker.position], abs=2e-6)
    told = json.loads(found["events"]["time_series"][0][0])
    assert told == {"source": "recorder", "kind": "stop", "value": {"text": opening.EVENT}}
    assert found["events"]["time_stamps"][0] - rig.clock.origin_unix_s == pytest.approx(
        9 + 0.25 + 0.0002 * 0.9, abs=1e-5
    )
    assert f"Comment/GAP {opening.FILLED}" in texts and "New Segment/" in texts


def test_streams_lie_beside_each_other_and_one_can_be_chosen(tmp_path: Path) -> None:
    rig = opened(tmp_path, amp=making.signal(), aux=making.signal("int32", channels=3))
    both = read(exported(rig, "xdf"))
    assert {"amp", "aux", "amp-markers"} <= set(both)
    assert_same(both["aux"], rig["aux"])
    one = exported(rig, "xdf", "aux")
    assert one.name == f"{making.REF}_eeg_aux.xdf"
    assert "amp" not in read(one)


def test_damage_costs_no_more_than_up_to_the_next_boundary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened_stream, "_CHUNK_BYTES", 40 * 8)  # 40 samples
    rig = opened(tmp_path, amp=making.signal("float32"))
    path = exported(rig, "xdf")
    data = bytearray(path.read_bytes())
    second = data.index(BOUNDARY) + len(BOUNDARY)  # the length of the next chunk begins there
    data[second : second + 5] = b"\xff" * 5
    path.write_bytes(data)
    found = read(path)["amp"]["time_series"]
    np.testing.assert_array_equal(found[:40], rig["amp"].samples[:40])
    np.testing.assert_array_equal(found[40:], rig["amp"].samples[80:])


def test_images_are_refused_with_what_can_be_exported(tmp_path: Path) -> None:
    rig = opened(tmp_path, amp=making.signal(), video=making.images())
    with pytest.raises(RecordingError, match="video holds frames of uint8.*with --stream amp"):
        exported(rig, "xdf")
    assert not (rig.path / "derived").exists()
