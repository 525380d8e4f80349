"""Arrays that are read as one: what their concatenation gives, and no more copied than asked."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rigctl.recording.parts import JoinedParts

LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=4)


def joined(lengths: list[int]) -> tuple[JoinedParts, np.ndarray]:
    whole = np.arange(sum(lengths) * 6, dtype="<i2").reshape(-1, 2, 3)
    arrays = np.split(whole, np.cumsum(lengths)[:-1])
    return JoinedParts(arrays), whole


@settings(max_examples=150, deadline=None)
@given(lengths=LENGTHS, data=st.data())
def test_any_index_gives_what_one_array_gives(lengths: list[int], data: st.DataObject) -> None:
    parts, whole = joined(lengths)
    key = data.draw(hnp.basic_indices(whole.shape, allow_newaxis=False))
    np.testing.assert_array_equal(parts[key], whole[key])
    assert np.shape(parts[key]) == np.shape(whole[key])


@settings(max_examples=50, deadline=None)
@given(lengths=LENGTHS, data=st.data())
def test_chosen_samples_are_those_of_one_array(lengths: list[int], data: st.DataObject) -> None:
    parts, whole = joined(lengths)
    size = len(whole)
    numbers = data.draw(st.lists(st.integers(-size, size - 1), max_size=6)) if size else []
    chosen = np.array(numbers, np.int64)
    np.testing.assert_array_equal(parts[chosen], whole[chosen])
    np.testing.assert_array_equal(parts[chosen, 1], whole[chosen, 1])
    mask = np.isin(np.arange(size), chosen)
    np.testing.assert_array_equal(parts[mask], whole[mask])


def test_it_says_what_one_array_says_and_becomes_one() -> None:
    parts, whole = joined([2, 0, 3])
    for name in ("shape", "dtype", "ndim", "size", "nbytes"):
        assert getattr(parts, name) == getattr(whole, name)
    assert len(parts) == 5
    np.testing.assert_array_equal(list(parts), list(whole))
    np.testing.assert_array_equal(np.asarray(parts), whole)
    assert np.asarray(parts, "f4").dtype == np.float32
    assert "3 parts" in repr(parts)
    with pytest.raises(ValueError, match="without a copy"):
        parts.__array__(copy=False)


@pytest.mark.parametrize("key", [5, -6, (0, 2), (0, 0, 0, 0), None, "x", 0.5, np.array([9])])
def test_what_is_no_index_is_refused(key: Any) -> None:
    parts, _ = joined([2, 3])
    with pytest.raises((IndexError, TypeError)):
        parts[key]


def test_a_window_in_one_part_is_a_view_of_its_file(tmp_path: Path) -> None:
    _, whole = joined([4])
    maps = []
    for number in range(2):
        (tmp_path / str(number)).write_bytes(whole.tobytes())
        maps.append(np.memmap(tmp_path / str(number), "<i2", "r", shape=whole.shape))
    parts = JoinedParts(maps)
    assert np.shares_memory(parts[1:3], maps[0])
    assert np.shares_memory(parts[6], maps[1])
    assert not parts[1:3].flags.writeable
    assert not np.shares_memory(parts[3:6], maps[0])
