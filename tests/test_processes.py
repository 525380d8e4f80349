import os
import select
import subprocess
import sys

import pytest

from rigctl import processes
from rigctl.processes import ProcessId, ProcessWatch


@pytest.fixture
def child():
    """A process that ends when its input does."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def identity(pid: int) -> ProcessId:
    return ProcessId(pid, processes._state(pid)[1])


@pytest.fixture(params=["told", "looked for"])
def ends_are(request, monkeypatch):
    """Whether the system tells of a process's end, or it has to be looked for."""
    if request.param == "looked for":
        monkeypatch.setattr(processes, "_pidfd", lambda pid: None)
    return request.param


def test_this_process_is_alive(ends_are):
    assert ProcessId.current().is_alive()
    watch = ProcessWatch(ProcessId.current())
    assert watch.is_alive()
    watch.close()


def test_killed_process_is_gone_even_before_it_is_collected(child, ends_are):
    process = identity(child.pid)
    watch = ProcessWatch(process)
    assert watch.is_alive()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process.is_alive()
    assert not watch.is_alive()
    watch.close()


def test_end_makes_the_watch_readable(child):
    watch = ProcessWatch(identity(child.pid))
    child.kill()
    poll = select.poll()
    poll.register(watch.fileno(), select.POLLIN)
    assert poll.poll(5000)
    watch.close()


def test_later_process_of_the_same_id_is_another(ends_are):
    earlier = ProcessId(os.getpid(), ProcessId.current().start - 1)
    assert not earlier.is_alive()
    watch = ProcessWatch(earlier)
    assert not watch.is_alive()
    watch.close()


def test_process_that_never_was_is_gone(ends_are):
    nobody = ProcessId(2**22 + 1, 1)  # beyond the largest id of Linux
    assert not nobody.is_alive()
    watch = ProcessWatch(nobody)
    assert not watch.is_alive()
    watch.close()
    watch.close()
