import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.blocks import StreamInfo
from rigctl.errors import RingError
from rigctl.streams import layout
from rigctl.streams.layout import decode_plan, encode_plan, make_plan
from tests.streams.making import info


@given(st.integers(1, 100_000), st.integers(1, 300))
def test_mirrored_capacity_is_whole_pages_and_whole_frames(frames, channels):
    stream = info("int16", (channels,))
    plan = make_plan(stream, frames, mirrored=True)
    assert plan.capacity >= frames
    assert plan.capacity * stream.frame_bytes % mmap.ALLOCATIONGRANULARITY == 0
    smaller = plan.capacity - mmap.ALLOCATIONGRANULARITY
    assert smaller < frames, "no larger than the next multiple"


def test_frames_that_meet_pages_after_gigabytes_are_written_twice_instead():
    plan = make_plan(StreamInfo("uint8", (1023, 767), info().rate_hz), 10)
    assert (plan.mirrored, plan.capacity) == (False, 10)


def test_common_frames_are_mirrored():
    assert make_plan(info("float32", (32,)), 60_000).mirrored
    assert make_plan(info("int16", (7,)), 100).mirrored
    assert make_plan(StreamInfo("uint8", (480, 640), info().rate_hz), 10).mirrored


@given(st.integers(1, 10**7))
def test_block_slots_are_a_bounded_power_of_two(frames):
    slots = make_plan(info(), frames, mirrored=False).block_slots
    assert slots.bit_count() == 1
    assert 1024 <= slots <= 65_536


@pytest.mark.parametrize(("shape", "frames"), [((2,), 0), ((2,), -1), ((0,), 10)])
def test_nothing_to_hold_is_refused(shape, frames):
    with pytest.raises(RingError, match="one frame"):
        make_plan(info("int16", shape), frames)


def test_other_processors_lock(monkeypatch):
    monkeypatch.setattr(layout, "TOTAL_STORE_ORDER", False)
    assert make_plan(info(), 10).locked


@pytest.mark.parametrize("stream", [info(), info("uint8", (4, 6)), info("float64", ())])
def test_plan_comes_back(stream):
    plan = make_plan(stream, 1000)
    assert decode_plan(encode_plan(plan)) == plan


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff", b'{"info": 1}'])
def test_what_is_no_plan_is_refused(raw):
    with pytest.raises(RingError):
        decode_plan(raw)
