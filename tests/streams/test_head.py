import pytest

from rigctl.errors import RingError
from rigctl.streams import layout
from rigctl.streams.head import Counts, Head
from rigctl.streams.layout import make_plan
from tests.streams.making import info


@pytest.fixture(params=[True, False], ids=["x86", "locked"])
def heads(request, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "TOTAL_STORE_ORDER", request.param)
    plan = make_plan(info(), 1000, mirrored=False)
    writer, reader = Head.create(tmp_path, plan), Head(tmp_path, writable=False)
    assert reader.plan == plan
    yield writer, reader
    writer.close()
    reader.close()


def test_counts_cross_to_the_reader(heads):
    writer, reader = heads
    writer.announce(1500, 0, 3)
    assert (reader.samples, reader.blocks, reader.tail) == (0, 0, 500)
    writer.publish(1500, 3)
    assert (reader.samples, reader.blocks) == (1500, 3)


def test_oldest_counts_lie_one_capacity_behind_what_is_announced(heads):
    writer, reader = heads
    plan = writer.plan
    assert reader.tails == Counts(0, 0, 0)
    writer.announce(1001, plan.marker_bytes + 2, plan.block_slots + 3)
    assert reader.tails == Counts(1, 2, 3)


def test_state_crosses_to_the_reader(heads):
    writer, reader = heads
    writer.run, writer.arrival_s, writer.heartbeat_s = 3, 1.5, 2.5
    assert (reader.run, reader.arrival_s, reader.heartbeat_s) == (3, 1.5, 2.5)
    assert not reader.closed
    writer.close_ring("µ" * 5000)
    assert reader.closed
    assert set(reader.reason) <= {"µ", "\ufffd"}
    assert len(reader.reason) > 1000


def test_what_is_no_head_is_refused(tmp_path):
    for content in (b"x", bytes(8192)):
        (tmp_path / "head").write_bytes(content)
        with pytest.raises(RingError):
            Head(tmp_path, writable=False)
