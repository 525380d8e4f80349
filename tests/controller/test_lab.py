"""The communicators of one lab file."""

from rigctl.controller import connect

LAB = """
rigs:
  a: udp://127.0.0.1:15001
  b: {uri: udp://127.0.0.1:15002, retries: 3}
"""


async def test_all_ways_share_one_clock_and_keep_timings_of_their_own(tmp_path):
    (tmp_path / "lab.yaml").write_text(LAB)
    async with connect(tmp_path / "lab.yaml") as services:
        one, other = services["a"], services["b"]
        assert one.clock is other.clock
        assert one.station.context.identity is other.station.context.identity
        assert one.station.context.timing.plain_retries == 0
        assert other.station.context.timing.plain_retries == 3
