"""``rigctl simulate rda``: what it says, what it plays, and how it ends."""

import contextlib
import os
import pty
import re
import signal
import socket
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from rigctl.cli.simulate import simulate
from rigctl.rda.faultlist import FAULTS
from rigctl.rda.messages import Data, Message, Start
from rigctl.rda.protocol import Parser
from tests.system.programs import DATA, Program, rigctl, started

REPLAY = DATA / "test.vhdr"
DEADLINE_S = 30


@contextlib.contextmanager
def simulator(*args: object, **options: object) -> Iterator[Program]:
    with started("simulate", "rda", "--port", 0, *args, **options) as program:
        yield program


def received(port: int) -> list[Message]:
    """Everything that the server sends until it closes the connection."""
    parser, messages = Parser(), []
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as client:
        while raw := client.recv(1 << 20):
            messages += parser.feed(raw)
    return messages


def samples(messages: list[Message]) -> np.ndarray:
    return np.concatenate([one.samples for one in messages if isinstance(one, Data)])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_as_soon_as_it_listens(number: int) -> None:
    with simulator("--json") as program:
        assert program.first_line()["port"] > 0
        program.process.send_signal(number)
        out, err = program.process.communicate(timeout=DEADLINE_S)
    assert (program.process.returncode, out, err) == (0, "", "")


def test_one_line_tells_where_it_listens_and_what_it_plays() -> None:
    with simulator("--replay", REPLAY) as program:
        assert program.process.stdout
        line = program.process.stdout.readline()
    assert re.fullmatch(
        rf"listening on 127\.0\.0\.1:\d+: 32 channels at 1000 Hz, int16, from {REPLAY}\n", line
    )


def test_a_recording_is_played_once_from_the_first_to_the_last_sample() -> None:
    with simulator("--replay", REPLAY, "--once", "--speed", "inf", "--json") as program:
        said = program.first_line()
        messages = received(said["port"])
        program.process.communicate(timeout=DEADLINE_S)
    assert program.process.returncode == 0
    assert (said["host"], said["channels"], said["rate_hz"]) == ("127.0.0.1", 32, 1000.0)
    assert said["dtype"] == "int16"
    sent = np.fromfile(DATA / "test.eeg", "<i2").reshape(-1, 32)
    assert np.array_equal(samples(messages), sent)


def test_a_test_signal_is_played_as_long_as_was_said() -> None:
    signal_options = ("--channels", 3, "--rate", "2000/3", "--dtype", "int16")
    with simulator(*signal_options, "--seconds", "3s", "--once", "--speed", "inf", "--json") as it:
        said = it.first_line()
        messages = received(said["port"])
        it.process.communicate(timeout=DEADLINE_S)
    assert it.process.returncode == 0
    assert (said["channels"], said["dtype"]) == (3, "int16")
    assert said["rate_hz"] == pytest.approx(2000 / 3)
    start = next(one for one in messages if isinstance(one, Start))
    assert (len(start.names), start.interval_us) == (3, 1500.0)
    assert samples(messages).shape == (2000, 3)


def test_it_ends_by_itself_when_its_time_is_up_though_nobody_came() -> None:
    done = rigctl("simulate", "rda", "--port", 0, "--seconds", "200ms", "--speed", 10)
    assert done.returncode == 0
    assert done.stdout.endswith(": 32 channels at 1000 Hz, float32, from a test signal\n")
    assert done.stderr == ""


def test_a_terminal_shows_how_it_goes() -> None:
    ours, theirs = pty.openpty()
    try:
        with simulator("--json", stderr=theirs) as program:
            program.first_line()
            shown = b""
            while b"clients: 0" not in shown:
                shown += os.read(ours, 4096)
            assert b"samples sent:" in shown
            assert program.end(signal.SIGINT) == 0
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--replay", REPLAY, "--channels", "3"), "--channels: is the recording's own"),
        (("--replay", REPLAY, "--rate", "500"), "--rate: is the recording's own"),
        (("--replay", "none.vhdr"), "none.vhdr: it cannot be read: No such file or directory"),
        (("--replay", DATA / "test.eeg"), "not a BrainVision header file"),
        (("--channels", "0"), "--channels: 0 does not lie in 1 to 4096"),
        (("--rate", "0"), "--rate: '0' is no rate"),
        (("--rate", "-5"), "--rate: '-5' is no rate"),
        (("--rate", "nan"), "--rate: 'nan' is no rate"),
        (("--rate", "inf"), "--rate: 'inf' is no rate"),
        (("--rate", "1/0"), "--rate: '1/0' is no rate"),
        (("--rate", "fast"), "--rate: 'fast' is no rate"),
        (("--dtype", "int8"), "--dtype: 'int8'"),
        (("--port", "70000"), "--port: 70000 does not lie in 0 to 65535"),
        (("--speed", "0"), "--speed: 0.0 must be more than 0"),
        (("--speed", "nan"), "--speed: nan must be more than 0"),
        (("--speed", "inf"), "--speed: an endless server"),
        (("--once",), "--once: a test signal never ends"),
        (("--seconds", "-1"), "--seconds: a duration"),
    ],
)
def test_a_mistake_is_one_clear_sentence(options: tuple[object, ...], problem: str) -> None:
    result = CliRunner().invoke(simulate, ["rda", *map(str, options)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
    assert result.stderr.startswith("rigctl: ")
    assert result.stderr.count("\n") == 1


def test_float_samples_are_not_sent_as_integers(tmp_path: Path) -> None:
    text = REPLAY.read_text(encoding="utf-8").replace("INT_16", "IEEE_FLOAT_32")
    (tmp_path / "float.vhdr").write_text(text, encoding="utf-8")
    options = ["--replay", str(tmp_path / "float.vhdr"), "--dtype", "int16"]
    result = CliRunner().invoke(simulate, ["rda", *options])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be sent as int16 without loss" in result.stderr


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(simulate, ["rda", "--port", str(port)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--port: 127.0.0.1:{port} is in use already" in result.stderr


@pytest.mark.parametrize(("dtype", "port"), [("int16", 51234), ("float32", 51244)])
def test_the_port_is_that_of_real_amplifiers_where_none_is_given(dtype: str, port: int) -> None:
    # An address that is nobody's, so that the answer names the port and none is opened.
    options = ["--dtype", dtype, "--host", "192.0.2.1", "--seconds", "0.01"]
    result = CliRunner().invoke(simulate, ["rda", *options])
    assert result.exit_code == 2
    assert f"--host: cannot listen on 192.0.2.1:{port}" in result.stderr


def test_faults_are_listed_with_what_they_do() -> None:
    result = CliRunner().invoke(simulate, ["rda", "--fault", "?"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == list(FAULTS)
    assert "falls silent and stays" in result.stdout


def test_a_fault_is_played() -> None:
    with simulator("--fault", "gap", "--json") as program:
        port = program.first_line()["port"]
        parser, numbers = Parser(), [0]
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as client:
            while not any(b - a > 1 for a, b in pairwise(numbers[1:])):
                messages = parser.feed(client.recv(1 << 20))
                numbers += [one.block for one in messages if isinstance(one, Data)]
    assert {b - a for a, b in pairwise(numbers[1:])} == {1, 4}


def test_an_unknown_fault_is_refused() -> None:
    result = CliRunner().invoke(simulate, ["rda", "--fault", "rain"])
    assert result.exit_code == 2
    assert "--fault: 'rain' is none of not-rda" in result.stderr
