"""What systemd hears, on a real datagram socket, in the file system and abstract."""

import os
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from rigctl.daemon.notify import notify, watchdog_interval_s

_KINDS = ["path", pytest.param("abstract", marks=pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has abstract sockets"))]  # fmt: skip


@pytest.fixture(params=_KINDS)
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@rigctl-{uuid.uuid4().hex}"
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name.replace("@", "\0"))
        sock.settimeout(5)
        yield sock


def test_each_fact_is_a_line_of_one_datagram(systemd: socket.socket) -> None:
    notify(READY=1, STATUS="RUNNING; 2024-01-01_1_müller")
    assert systemd.recv(1000).decode() == "READY=1\nSTATUS=RUNNING; 2024-01-01_1_müller"


def test_text_of_several_lines_cannot_pass_for_other_facts(systemd: socket.socket) -> None:
    notify(STATUS="a\nSTOPPING=1\r\n  b", WATCHDOG=1)
    assert systemd.recv(1000) == b"STATUS=a STOPPING=1 b\nWATCHDOG=1"


def test_nothing_happens_where_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify(READY=1)
    monkeypatch.setenv("NOTIFY_SOCKET", "")
    notify(READY=1)


def test_a_systemd_that_is_gone_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify(READY=1)
    assert "systemd could not be told READY=1" in caplog.text


@pytest.mark.parametrize(
    ("limit", "pid", "expected"),
    [
        ("3000000", "", 1.5),
        ("3000000", "ours", 1.5),
        ("3000000", "1", None),
        ("", "", None),
        ("soon", "", None),
        ("-5", "", None),
        ("0", "", None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_it_wants(
    monkeypatch: pytest.MonkeyPatch, limit: str, pid: str, expected: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)
    assert watchdog_interval_s() == expected


def test_without_a_watchdog_none_is_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert watchdog_interval_s() is None


def test_one_who_does_not_read_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "deaf"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        while "could not be told WATCHDOG=1" not in caplog.text:
            notify(WATCHDOG=1)
