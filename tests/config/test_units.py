"""Durations, sizes and folders as people write and read them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.config.units import bytes_of, duration_text, folder, seconds, size_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (5, 5.0),
        (0.25, 0.25),
        ("5", 5.0),
        ("60s", 60.0),
        ("500 ms", 0.5),
        (" 2min ", 120.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("10 US", 1e-5),
        ("10 µs", 1e-5),
    ],
)
def test_durations(text: str | float, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        0,
        -1,
        math.nan,
        math.inf,
        10**400,
        True,
        None,
        [1],
        "",
        "s",
        "-1s",
        "1 m",
        "1e3",
        "1s 2s",
        "0",
    ],
)
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a duration such as 60s"):
        seconds(text)


@given(st.text() | st.floats() | st.integers() | st.booleans())
def test_anything_is_a_finite_duration_above_0_or_refused(value: str | float) -> None:
    try:
        number = seconds(value)
    except ValueError:
        return
    assert 0 < number < math.inf


def test_folders_are_relative_to_the_file_that_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "configs/rig.yaml"
    assert folder("../data", file) == tmp_path / "data"
    assert folder("~/data", file) == tmp_path / "data"
    assert folder("/data", file) == Path("/data")
    for text in ("~nobody-here/data", "a\0b"):
        with pytest.raises(ValueError, match="is no folder"):
            folder(text, file)


@pytest.mark.parametrize(
    ("text", "size"),
    [("16GB", 16 * 10**9), ("1.5 MiB", 1572864), (4096, 4096), ("0", 0), ("500 mb", 5 * 10**8)],
)
def test_sizes_are_read_with_their_units(text: str | int, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["-1", -1, True, None, 1.5, "", "GB", "1 XB", "1e3", 1 << 70])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a size such as 16GB"):
        bytes_of(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_900, "1 MB"),
        (1.4e9, "1.4 GB"),
        (78_234_000_000, "78.2 GB"),
        (2e16, "20000 TB"),
    ],
)
def test_sizes_are_told_with_three_digits(value: float, text: str) -> None:
    assert size_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5 s"),
        (59, "59 s"),
        (59.9, "1 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (3599.9, "1 h"),
        (200_000, "2 d 7 h"),
        (9e9, "104166 d"),
    ],
)
def test_durations_are_told_in_the_units_that_matter(value: float, text: str) -> None:
    assert duration_text(value) == text
