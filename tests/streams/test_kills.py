"""SIGKILL of a ring's writer, of its reader, of both: nothing of theirs is left, nobody hangs."""

import os
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rigctl.errors import WriterDied
from rigctl.streams import Ring, sweep
from tests.streams.making import frames

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="the system does not tell of a process's end"
)

KILLS = 20
"""Of each kind."""
ROOT = Path(__file__).parents[2]


class Nursery:
    """Writers and readers to be killed, see `nursery`."""

    def __init__(self, base: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.streams.nursery", str(base)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._alive, self._killed = set(), set()

    def bear(self, verb: str) -> int:
        """Start one and return its process id once it writes or reads."""
        self._process.stdin.write(f"{verb} amp\n")
        self._process.stdin.flush()
        pid, said = self.hear()
        assert said == ("reads" if verb == "reader" else "writes")
        self._alive.add(pid)
        return pid

    def hear(self) -> tuple[int, str]:
        while True:
            pid, said = self._process.stdout.readline().split()
            if int(pid) not in self._killed:
                return int(pid), said

    def kill(self, *pids: int) -> None:
        """Kill and wait until they are gone."""
        poll, fds = select.poll(), [os.pidfd_open(pid) for pid in pids]
        for pid, fd in zip(pids, fds, strict=True):
            os.kill(pid, signal.SIGKILL)
            self.forget(pid)
            self._killed.add(pid)
            poll.register(fd, select.POLLIN)
        for fd in fds:
            while fd not in dict(poll.poll(60_000)):
                pass
            poll.unregister(fd)
            os.close(fd)

    def forget(self, pid: int) -> None:
        """It has ended by itself."""
        self._alive.discard(pid)

    def end(self) -> None:
        self.kill(*tuple(self._alive))
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def nursery(base):
    nursery = Nursery(base)
    yield nursery
    nursery.end()


def wait_until_gone(ring: Ring) -> None:
    with pytest.raises(WriterDied):
        ring.wait_for(sys.maxsize, 60)


def test_killed_writer_is_told_to_its_readers_and_leaves_nothing(base, nursery):
    for seed in range(KILLS):
        writer, reader = nursery.bear("writer"), nursery.bear("reader")
        with Ring.attach("amp") as ring:
            ring.wait_for(ring.head + random.Random(seed).randrange(5000), 60)
            killed = time.monotonic()
            nursery.kill(writer)
            wait_until_gone(ring)
            assert nursery.hear() == (reader, "told")
            assert time.monotonic() - killed < 10
            nursery.forget(reader)
            # What was published stays, and nothing of what was not.
            oldest, head = ring.tail, ring.head
            assert (ring[oldest:head] == frames(oldest, head)).all()
        assert sweep() == ["amp"]
        assert not list(base.iterdir())


def test_killed_reader_holds_up_nobody_and_leaves_nothing(base, nursery):
    writer, survivor = nursery.bear("writer"), nursery.bear("reader")
    with Ring.attach("amp") as ring:
        for _ in range(KILLS):
            reader = nursery.bear("reader")
            assert list(base.glob(f"*/wake-{reader}-*"))
            nursery.kill(reader)
            # The writer removes what it left when it wakes it in vain.
            while list(base.glob(f"*/wake-{reader}-*")):
                assert ring.wait_for(ring.head + 100, 60)
        nursery.kill(writer)
        wait_until_gone(ring)
    assert nursery.hear() == (survivor, "told")
    nursery.forget(survivor)
    assert sweep() == ["amp"]
    assert not list(base.iterdir())


def test_both_killed_leave_nothing(base, nursery):
    for seed in range(KILLS):
        both = [nursery.bear("writer"), nursery.bear("reader")]
        random.Random(seed).shuffle(both)
        with Ring.attach("amp") as ring:
            nursery.kill(*both)
            wait_until_gone(ring)
        assert sweep() == ["amp"]
        assert not list(base.iterdir())


def test_writer_that_is_killed_while_it_makes_or_removes_a_ring_leaves_nothing(base, nursery):
    for _ in range(KILLS):
        churner = nursery.bear("churner")
        assert nursery.hear() == (churner, "writes")
        nursery.kill(churner)
        sweep()
        assert not list(base.iterdir())
