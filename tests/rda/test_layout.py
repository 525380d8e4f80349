"""START and INFO become a layout, and a layout becomes START and INFO."""

from fractions import Fraction

import pytest

from rigctl.blocks import Channel, StreamInfo
from rigctl.rda.layout import exact_rate, info_of, layout, rate_of, start_of


@pytest.mark.parametrize(
    ("interval_us", "rate_hz"),
    [
        (1000.0, 1000),
        (2000.0, 500),
        (1e6 / 30_000, 30_000),
        (33.3333333, 30_000),
        (1953.125, 512),
        (6000.0, Fraction(500, 3)),
        (1e6 / 29.97002997, Fraction(30_000, 1001)),
        (40.0, 25_000),
        (1e9, Fraction(1, 1000)),
    ],
)
def test_intervals_mean_the_simplest_rate(interval_us, rate_hz):
    assert rate_of(interval_us) == rate_hz


def test_a_rate_that_is_not_simple_is_kept():
    assert exact_rate(1e-9) == Fraction(1e-9)
    assert float(exact_rate(1234.5678)) == pytest.approx(1234.5678, rel=1e-7)


def test_a_layout_survives_the_way_through_start_and_info():
    channels = (Channel("Fp1", "µV", 0.5), Channel("GSR", "µS", -2.0))
    info = StreamInfo("int16", (2,), Fraction(30_000, 1001), channels)
    assert layout(start_of(info), info_of(info), "int16") == info
