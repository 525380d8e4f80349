"""One structured log: what is written where, and what workers say comes through it."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl import log as logs

OURS = logging.getLogger("rigctl")
log = logging.getLogger("rigctl.test")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = OURS.handlers[:], OURS.level, OURS.propagate
    yield
    OURS.handlers[:], OURS.level, OURS.propagate = before


def written(style: str = "json", level: str = "INFO") -> io.StringIO:
    """Have the log written to a text."""
    stream = io.StringIO()
    logs.configure(level, style=style, stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().split("\n") if line]


def test_a_line_is_an_object_with_time_level_logger_and_text() -> None:
    stream = written()
    log.info("%d of %s", 3, "µV\nand more")
    (line,) = lines(stream)
    said_s = datetime.fromisoformat(line.pop("time"))
    assert abs((datetime.now(UTC) - said_s).total_seconds()) < 60
    assert line == {"level": "info", "logger": "rigctl.test", "text": "3 of µV\nand more"}


def test_an_error_has_its_traceback_on_the_same_line() -> None:
    stream = written()
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert line["traceback"].endswith("ValueError: no")


def test_a_line_for_people() -> None:
    stream = written("text")
    log.warning("careful")
    log.warning("it said", extra={"peer": "source amp"})
    first, second = stream.getvalue().splitlines()
    assert first[12:] == " warning test: careful"
    assert second[12:] == " warning source amp: it said"


def test_a_line_for_people_shows_a_traceback_below() -> None:
    stream = written("text")
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("failed")
    assert stream.getvalue().splitlines()[-1] == "ValueError: no"


def test_a_terminal_gets_text_and_everything_else_json() -> None:
    stream = written("auto")
    log.info("a")
    assert lines(stream)[0]["text"] == "a"

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    logs.configure(stream=terminal)
    log.info("b")
    assert terminal.getvalue().endswith(" info    test: b\n")


def test_less_than_the_level_is_not_written() -> None:
    stream = written(level="warning")
    log.info("a")
    log.warning("b")
    assert [line["text"] for line in lines(stream)] == ["b"]


def test_configuring_again_replaces_what_was_configured() -> None:
    before, after = written(), written()
    log.info("once")
    assert before.getvalue() == ""
    assert len(lines(after)) == 1


def test_standard_error_is_where_the_log_goes(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(style="json")
    log.info("here")
    out, err = capsys.readouterr()
    assert (out, json.loads(err)["text"]) == ("", "here")
    OURS.handlers[0].setStream(sys.__stderr__)  # type: ignore[attr-defined]


def test_a_file_gets_a_copy_until_it_is_removed(tmp_path: Path) -> None:
    stream, path = written(), tmp_path / "log.jsonl"
    handler = logs.add_file(path)
    log.info("µ")
    logs.remove(handler)
    log.info("later")
    assert [json.loads(line)["text"] for line in path.read_text("utf-8").splitlines()] == ["µ"]
    assert len(lines(stream)) == 2


def test_a_file_is_continued_not_overwritten(tmp_path: Path) -> None:
    written()
    for text in ("a", "b"):
        handler = logs.add_file(tmp_path / "log.jsonl")
        log.info(text)
        logs.remove(handler)
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 2


# --- what workers say


def test_what_a_worker_logged_keeps_logger_level_and_text_and_gets_its_name() -> None:
    stream = written()
    logs.relay(
        '{"logger": "rigctl.peers.track", "level": "error", "text": "100 % full"}', "recorder"
    )
    (line,) = lines(stream)
    del line["time"]
    assert line == {
        "level": "error",
        "logger": "rigctl.peers.track",
        "text": "100 % full",
        "peer": "recorder",
    }


def test_a_workers_traceback_comes_through() -> None:
    stream = written()
    said = {"logger": "rigctl.x", "level": "error", "text": "failed", "traceback": "Trace\nback"}
    logs.relay(json.dumps(said), "recorder")
    assert lines(stream)[0]["text"] == "failed\nTrace\nback"


def test_what_is_relayed_is_what_was_logged() -> None:
    worker = written()
    log.warning("%s", "a\nb")
    said = worker.getvalue()
    stream = written()
    logs.relay(said.strip(), "source amp")
    assert {**lines(worker)[0], "time": 0, "peer": "source amp"} == {**lines(stream)[0], "time": 0}


@pytest.mark.parametrize(
    "line",
    [
        "warming up: 100 %s",
        "5",
        "null",
        "[1]",
        "{}",
        '{"logger": "rigctl.x", "level": "info"}',
        '{"logger": "rigctl.x", "level": 5, "text": "a"}',
        '{"logger": 5, "level": "info", "text": "a"}',
        '{"logger": "", "level": "info", "text": "a"}',
        '{"logger": "numpy", "level": "info", "text": "a"}',
        "[" * 100_000,
        '{"text": ' + "[" * 100_000,
        '{"logger": "rigctl.x", "level": "info", "text": "half a l',
    ],
)
def test_what_a_driver_prints_is_a_warning_with_its_text(line: str) -> None:
    stream = written()
    logs.relay(line, "source amp")
    (said,) = lines(stream)
    assert (said["level"], said["text"], said["peer"]) == ("warning", line, "source amp")


def test_a_level_that_does_not_exist_is_a_warning() -> None:
    stream = written()
    logs.relay('{"logger": "rigctl.x", "level": "loud", "text": "a"}', "p")
    assert (lines(stream)[0]["level"], lines(stream)[0]["text"]) == ("warning", "a")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["logger", "level", "text"]), inner)
    ),
    max_leaves=5,
)


@given(st.text() | JSON.map(json.dumps))
def test_no_line_of_a_worker_is_lost(line: str) -> None:
    stream = written()
    logs.relay(line, "p")
    assert len(lines(stream)) == 1 or '"debug"' in line
