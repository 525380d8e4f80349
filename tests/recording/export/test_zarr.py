"""Zarr exports, read back by zarr; a flipped bit is found."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.recording import making, opening
from tests.recording.export.exporting import exported, opened


@pytest.mark.parametrize("dtype", ["int16", "float32", "int32", "float64"])
def test_samples_times_and_markers_are_all_there(tmp_path: Path, dtype: str) -> None:
    rig = opened(tmp_path, amp=making.signal(dtype), split=dtype == "int16")
    root = zarr.open_group(exported(rig, "zarr"), mode="r")
    amp, found = rig["amp"], root["amp"]
    np.testing.assert_array_equal(found["samples"][:], amp.samples[:])
    assert found["samples"].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found["times"][:], amp.times[:])
    assert found["samples"].metadata.dimension_names == ("time", "channel")
    assert found.attrs["rate_hz_exact"] == "1000/1"
    assert found.attrs["channels"][1] == {"name": "Ch1", "unit": "µV", "resolution": 0.5}
    assert {"position": opening.SECOND, "filled": 0, "missing": 7} in found.attrs["gaps"]
    assert root.attrs["reference"] == str(making.REF)
    assert root.attrs["clock"]["offsets"][1]["offset_s"] == 0.2502
    assert opening.EVENT in root["events/json"][:][0]
    assert root["events/time"][0] - rig.clock.origin_unix_s == pytest.approx(9.25, abs=1e-3)
    texts = list(zip(found["markers/type"][:], found["markers/description"][:], strict=True))
    for marker in opening.MARKERS:
        place = texts.index((marker.type, marker.description))
        assert found["markers/position"][place] == marker.position
        assert found["markers/time"][place] == pytest.approx(amp.times[marker.position], abs=1e-6)


def test_images_keep_their_shape(tmp_path: Path) -> None:
    rig = opened(tmp_path, video=making.images())
    found = zarr.open_group(exported(rig, "zarr"), mode="r")["video/samples"]
    np.testing.assert_array_equal(found[:], rig["video"].samples[:])
    assert found.shape == (opening.COUNT, 3, 4)


def test_a_flipped_bit_in_a_shard_is_an_error_to_readers(tmp_path: Path) -> None:
    rig = opened(tmp_path, amp=making.signal())
    path = exported(rig, "zarr")
    shard = next(file for file in (path / "amp/samples/c").rglob("*") if file.is_file())
    whole = shard.read_bytes()
    for place in range(0, len(whole), max(1, len(whole) // 40)):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        shard.write_bytes(damaged)
        with pytest.raises((ValueError, RuntimeError)):
            zarr.open_group(path, mode="r")["amp/samples"][:]
