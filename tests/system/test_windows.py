"""Rigs behind a slow network record the same window, as exactly as their clocks are known."""

from benchmarks.windows import measure


def test_windows_are_equal_within_the_stated_bounds_of_the_clocks():
    (windows,) = measure(delay_s=0.2, sessions=1, rigs=3)
    assert len(windows.start_bounds_s) == len(windows.stop_bounds_s) == 3
    assert windows.worst <= 1.0
    shortest_s = min(windows.stops_s) - max(windows.starts_s)
    assert all(count >= 1000 * shortest_s - 1 for count in windows.samples)
