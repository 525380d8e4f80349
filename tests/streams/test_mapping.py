import mmap
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.errors import RingError
from rigctl.streams.mapping import FrameRing, create_file, create_frames, map_file, open_frames

BYTE = np.dtype(np.uint8)
PAGE = 65_536  # a multiple of any system's


def test_what_is_written_past_the_end_is_the_beginning(tmp_path, mirrored):
    writer = create_frames(tmp_path / "f", BYTE, (PAGE,), mirrored=mirrored)
    reader = open_frames(tmp_path / "f", BYTE, (PAGE,), mirrored=mirrored)
    writer.put(PAGE - 3, np.arange(1, 8, dtype=np.uint8))
    assert reader.window(PAGE - 3, PAGE + 4).tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert reader.window(PAGE, PAGE + 4).tolist() == [4, 5, 6, 7]
    assert reader.window(2 * PAGE - 2, 2 * PAGE).tolist() == [2, 3]


def test_a_window_of_the_whole_capacity_is_contiguous_anywhere(tmp_path, mirrored):
    ring = create_frames(tmp_path / "f", BYTE, (PAGE,), mirrored=mirrored)
    content = np.random.default_rng(1).integers(0, 255, PAGE, dtype=np.uint8)
    ring.put(PAGE + 1234, content)
    window = ring.window(PAGE + 1234, 2 * PAGE + 1234)
    assert window.flags.c_contiguous
    np.testing.assert_array_equal(window, content)


@given(st.lists(st.integers(0, 7), max_size=40))
def test_double_writing_keeps_both_halves_the_same(sizes):
    raw = mmap.mmap(-1, 14 * 8)
    ring, first = FrameRing(raw, np.dtype(np.int64), (7,), mirrored=False), 0
    memory = np.frombuffer(raw, np.int64)
    for size in sizes:
        ring.put(first, np.arange(first, first + size))
        first += size
        np.testing.assert_array_equal(memory[:7], memory[7:])
        start = max(first - 7, 0)
        assert ring.window(start, first).tolist() == list(range(start, first))


def test_reading_side_cannot_be_written(tmp_path, mirrored):
    create_frames(tmp_path / "f", BYTE, (PAGE,), mirrored=mirrored)
    reader = open_frames(tmp_path / "f", BYTE, (PAGE,), mirrored=mirrored)
    with pytest.raises(ValueError, match="read-only"):
        reader.window(0, 1)[0] = 1


def test_a_window_outlives_its_ring_and_its_file(tmp_path, mirrored):
    ring = create_frames(tmp_path / "f", BYTE, (PAGE,), mirrored=mirrored)
    ring.put(0, np.full(5, 9, np.uint8))
    window = ring.window(0, 5)
    (tmp_path / "f").unlink()
    del ring
    assert window.tolist() == [9] * 5


def test_a_file_of_another_size_is_refused_not_mapped(tmp_path, mirrored):
    (tmp_path / "f").write_bytes(bytes(PAGE - 1))
    with pytest.raises(RingError, match="size"):
        open_frames(tmp_path / "f", BYTE, (PAGE,), mirrored=mirrored)


def test_a_system_that_maps_nothing_twice_says_so(tmp_path):
    # Half a page has no place where a second half could follow.
    with pytest.raises(OSError, match="cannot be mapped twice"):
        create_frames(tmp_path / "f", BYTE, (100,), mirrored=True)


def test_files_are_private_and_take_their_room_at_once(tmp_path):
    with create_file(tmp_path / "f", 100_000):
        pass
    status = (tmp_path / "f").stat()
    assert status.st_mode & 0o777 == 0o600
    assert status.st_size == 100_000
    assert status.st_blocks * 512 >= 100_000


def test_room_is_not_needed_where_it_cannot_be_taken(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    with create_file(tmp_path / "f", 1000):
        pass
    assert len(map_file(tmp_path / "f", writable=False)) == 1000


def test_existing_file_is_not_replaced(tmp_path):
    (tmp_path / "f").touch()
    with pytest.raises(FileExistsError), create_file(tmp_path / "f", 10):
        pass
