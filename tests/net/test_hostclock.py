"""How this computer's clock is kept: asked of real programs and of the real kernel."""

import sys
import time

import pytest

from rigctl.net import hostclock
from rigctl.net.adjtimex import kernel_clock
from rigctl.net.hostclock import Programs, host_clock
from rigctl.net.timekeepers import KernelClock

from .test_timekeepers import CHRONY, KEPT, PMC, TIMESYNC

ASKED = ["-n", "-c", "tracking"]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that puts a program on the path; there are no others."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(hostclock, "_SYSTEM_FOLDERS", ())

    def put(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!{sys.executable}\n{script}\n")
        path.chmod(0o755)

    return put


def no_kernel() -> KernelClock | None:
    return None


def kept() -> KernelClock | None:
    return KEPT


def test_chrony_is_asked(programs, monkeypatch):
    programs("chronyc", f"import sys\nprint({CHRONY!r} if sys.argv[1:] == {ASKED!r} else '')")
    assert host_clock(kernel=kept).source == "chrony"


def test_what_fails_or_is_not_there_leaves_the_kernels_word(programs):
    programs("chronyc", "import sys; print('506 Cannot talk to daemon'); sys.exit(1)")
    assert host_clock(kernel=kept).source == "kernel"
    assert host_clock(kernel=no_kernel).source == ""


def test_a_program_that_hangs_is_ended_at_the_deadline(programs, tmp_path):
    programs("chronyc", "import time; time.sleep(60)")
    programs("timedatectl", "print('NTPSynchronized=yes')")
    ask, began_s = Programs(0.3), time.monotonic()
    assert ask("chronyc", "-c", "tracking") == ""
    assert ask("timedatectl", "show") == "", "the deadline is one for all"
    assert time.monotonic() - began_s < 10


def test_a_file_that_is_no_program_is_passed_over(programs, tmp_path):
    programs("chronyc", "")
    (tmp_path / "chronyc").write_bytes(b"\x7fELF, but not really")
    assert host_clock(kernel=kept).source == "kernel"


def test_systemd_is_asked_where_the_kernel_says_nothing(programs):
    programs("timedatectl", "print('NTPSynchronized=yes')")
    told = host_clock(kernel=no_kernel)
    assert (told.source, told.synchronised) == ("timedated", True)


def test_ptp4l_and_timesyncd_are_asked_only_where_they_run(tmp_path, monkeypatch):
    asked = []

    def ask(*command: str) -> str:
        asked.append(command[0])
        return {"pmc": PMC, "timedatectl": TIMESYNC}.get(command[0], "")

    monkeypatch.setattr(hostclock, "_PTP4L_SOCKETS", (tmp_path / "ptp4l",))
    monkeypatch.setattr(hostclock, "_TIMESYNCD_FOLDER", tmp_path / "timesync")
    assert host_clock(ask, kept).source == "kernel"
    assert asked == ["chronyc"]
    (tmp_path / "timesync").mkdir()
    assert host_clock(ask, kept).source == "systemd-timesyncd"
    (tmp_path / "ptp4l").touch()
    assert host_clock(ask, kept).source == "ptp4l"


@pytest.mark.skipif(sys.platform != "linux", reason="adjtimex is a call of Linux")
def test_the_kernel_answers():
    told = kernel_clock()
    assert told
    assert 0 <= told.estimated_error_s <= told.most_error_s <= 3600
    assert abs(told.behind_s) < 10


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody may know")
def test_this_computer_says_something():
    told = host_clock()
    assert told.source in ("chrony", "ptp4l", "systemd-timesyncd", "kernel")
    assert told.synchronised is not None
