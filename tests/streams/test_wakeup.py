import contextlib
import os
import resource

import pytest

from rigctl.errors import RingError
from rigctl.processes import ProcessId, ProcessWatch
from rigctl.streams.registry import Registry
from rigctl.streams.wakeup import Bell, Bells


@pytest.fixture
def registry(tmp_path):
    registry = Registry.create(tmp_path)
    yield registry
    registry.close()


@pytest.fixture
def bells(tmp_path, registry):
    bells = Bells(tmp_path, registry)
    yield bells
    bells.close()


@pytest.fixture
def watch():
    watch = ProcessWatch(ProcessId.current())
    yield watch
    watch.close()


def is_rung(bell: Bell) -> bool:
    try:
        return bool(os.read(bell.fileno(), 1))
    except BlockingIOError:
        return False


def fifos(folder):
    return list(folder.glob("*wake-*"))


def test_every_reader_is_woken(tmp_path, registry, bells, watch):
    first, second = Bell(tmp_path, registry, watch), Bell(tmp_path, registry, watch)
    bells.ring()
    for bell in (first, second):
        assert bell.wait(60)
        assert not is_rung(bell)  # it is forgotten
        bell.close()


def test_wake_up_from_before_waiting_counts(tmp_path, registry, bells, watch):
    bell = Bell(tmp_path, registry, watch)
    bells.ring()
    bells.ring()
    assert bell.wait(60)
    assert not bell.wait(0.0)
    bell.close()


def test_reader_that_never_listens_holds_up_nobody(tmp_path, registry, bells, watch):
    deaf, bell = Bell(tmp_path, registry, watch), Bell(tmp_path, registry, watch)
    for _ in range(70_000):  # more than a FIFO holds
        bells.ring()
        bell.drain()
    bells.ring()
    assert bell.wait(60)
    for each in (deaf, bell):
        each.close()


def test_reader_that_goes_leaves_nothing(tmp_path, registry, bells, watch):
    bell = Bell(tmp_path, registry, watch)
    bells.ring()
    bell.close()
    bell.close()
    bells.ring()
    assert not bells._fds
    assert not fifos(tmp_path)


def test_fifo_of_a_killed_reader_is_removed(tmp_path, registry, bells):
    os.mkfifo(tmp_path / "wake-1-dead")
    with registry.changing():
        pass
    bells.ring()
    assert not fifos(tmp_path)


def test_fifo_of_a_reader_killed_later_is_removed(tmp_path, registry, bells, watch):
    bell = Bell(tmp_path, registry, watch)
    bells.ring()
    os.close(bell.fileno())
    bells.ring()
    assert not fifos(tmp_path)


def test_reader_of_a_removed_ring_is_refused(tmp_path, registry, watch):
    with registry.changing():
        registry.mark_gone()
    with pytest.raises(RingError, match="removed"):
        Bell(tmp_path, registry, watch)
    assert not fifos(tmp_path)


def test_wait_without_a_wake_up_ends_in_time(tmp_path, registry, watch):
    bell = Bell(tmp_path, registry, watch)
    assert not bell.wait(0.01)
    assert not bell.wait(-1.0)
    bell.close()


@contextlib.contextmanager
def no_descriptor_left(free: int = 0):
    """Let this process open only so many files more."""
    lowest = os.dup(0)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("free", [0, 1])
def test_reader_is_woken_once_the_writer_has_a_descriptor_again(
    tmp_path, registry, bells, watch, free
):
    ready = [Bell(tmp_path, registry, watch) for _ in range(2)]
    with no_descriptor_left(free):
        bells.ring()
        assert bells.ring() is None  # whatever was found: it looks again
    assert len(fifos(tmp_path)) == 2
    bells.ring()
    for bell in ready:
        assert bell.wait(10)
        bell.close()
