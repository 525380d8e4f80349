"""The test signal is the same whenever and however it is read."""

from fractions import Fraction

import numpy as np
import pytest

from rigctl.rda.synthetic import SyntheticSource, Wave, periodic_markers, signal_layout

RATE = Fraction(1000)


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64", "int32", "uint8", "int8"])
def test_blocks_of_any_size_show_the_same_signal(dtype):
    source = SyntheticSource(signal_layout(5, RATE, dtype))
    whole = source.read(990, 100)
    pieces = np.concatenate([source.read(990, 7), source.read(997, 93)])
    assert whole.dtype == np.dtype(dtype)
    np.testing.assert_allclose(whole, pieces, atol=1)


def test_the_seed_tells_the_noise():
    layout = signal_layout(2, RATE, "float32")
    first, second, third = (SyntheticSource(layout, Wave(seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.read(5, 50), second.read(5, 50))
    assert not np.array_equal(first.read(5, 50), third.read(5, 50))


def test_the_physical_signal_has_its_amplitude_frequency_and_noise():
    for dtype in ("int16", "float32"):
        layout = signal_layout(3, RATE, dtype)
        wave = Wave(amplitude=80.0, frequency_hz=10.0, noise=2.0)
        signal = SyntheticSource(layout, wave).read(0, 10_000) * layout.channels[0].resolution
        spectrum = np.abs(np.fft.rfft(signal[:, 1])) / 5000
        assert np.argmax(spectrum) == 100
        assert spectrum[100] == pytest.approx(80.0, rel=0.02)
        times = np.arange(10_000) / 1000
        clean = 80 * np.sin(2 * np.pi * (10 * times + 1 / 3))
        assert np.std(signal[:, 1] - clean) == pytest.approx(2.0, rel=0.05)


def test_noise_does_not_repeat_every_table():
    source = SyntheticSource(signal_layout(1, RATE, "float64"), Wave(amplitude=0.0))
    assert not np.array_equal(source.read(0, 50), source.read(1021, 50))


def test_values_beyond_the_range_are_clipped():
    wave = Wave(amplitude=1e6, noise=0.0)
    values = SyntheticSource(signal_layout(1, RATE, "int8"), wave).read(0, 100)
    assert (values.min(), values.max()) == (-128, 127)


@pytest.mark.parametrize("every", [Fraction(1000), Fraction(30_000, 1001), Fraction(7, 3)])
@pytest.mark.parametrize("block", [1, 13, 500])
def test_markers_stand_at_every_multiple_whatever_the_blocks(every, block):
    found = [
        begin + marker.position
        for begin in range(0, 5000, block)
        for marker in periodic_markers(begin, min(block, 5000 - begin), every)
    ]
    expected = [-(-k * every // 1) for k in range(1, 5000)]
    assert found == [position for position in expected if position < 5000]


def test_markers_are_numbered_and_can_be_none():
    codes = [marker.description for marker in periodic_markers(0, 300, Fraction(1))]
    assert codes[:2] == ["S  1", "S  2"]
    assert codes[254:256] == ["S255", "S  1"]
    assert periodic_markers(0, 100, Fraction(0)) == ()
