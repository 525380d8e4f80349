"""One structured log: every line is an object with time, level, logger, text and who said it.

From: `logging.getLogger(__name__)` everywhere.  To: standard error, a session's ``log.jsonl``;
handlers are set by the command line and by worker processes alone.
"""

import contextlib
import datetime
import json
import logging
import sys
from pathlib import Path
from typing import Any, TextIO

import msgspec

_OURS = logging.getLogger("rigctl")


class JsonFormatter(logging.Formatter):
    """One JSON object a line; `extra={"peer": ...}` names the process that said it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        line: dict[str, Any] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        if peer := getattr(record, "peer", None):
            line["peer"] = peer
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """One line for people: time, level, who, text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        time = datetime.datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        who = getattr(record, "peer", "") or record.name.removeprefix("rigctl.")
        text = f"{time} {record.levelname.lower():7} {who}: {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(level: str = "INFO", *, style: str = "auto", stream: TextIO | None = None) -> None:
    """Have our log written to a stream; for the command line and worker processes.

    Args:
        level: the least level that is written.
        style: ``text``, ``json``, or ``auto``: text on a terminal, JSON elsewhere.
        stream: standard error if None.
    """
    stream = stream or sys.stderr
    text = style == "text" or (style == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    for old in _OURS.handlers[:]:
        _OURS.removeHandler(old)
    _OURS.addHandler(handler)
    _OURS.setLevel(level.upper())
    _OURS.propagate = False


def add_file(path: Path) -> logging.Handler:
    """Have our log written to a file as well, until `remove`.

    Raises:
        OSError: it cannot be opened.
    """
    handler = _QuietFile(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(JsonFormatter())
    _OURS.addHandler(handler)
    return handler


class _QuietFile(logging.FileHandler):
    """A file that may fail, such as on a full disk: what it misses is on standard error too."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Say nothing: every line of the log would bring a traceback."""


def remove(handler: logging.Handler) -> None:
    """Close what `add_file` opened."""
    _OURS.removeHandler(handler)
    with contextlib.suppress(OSError):  # what it still held did not fit the disk
        handler.close()


def relay(line: str, peer: str) -> None:
    """Log a line that a worker process wrote, ours or not, under its own level and text."""
    said = _said(line)
    text = f"{said.text}\n{said.traceback}" if said.traceback else said.text
    number = logging.getLevelNamesMapping().get(said.level.upper(), logging.WARNING)
    logging.getLogger(said.logger).log(number, "%s", text, extra={"peer": peer})


class _Said(msgspec.Struct, frozen=True):
    """What a worker's line says."""

    level: str
    logger: str
    text: str
    traceback: str = ""


def _said(line: str) -> _Said:
    """Read a line; whatever our log has not written is a warning, such as what a driver prints."""
    try:
        said = msgspec.json.decode(line, type=_Said)
    except (ValueError, RecursionError):
        said = None
    if said and f"{said.logger}.".startswith("rigctl."):
        return said
    return _Said("WARNING", "rigctl.peers", line)


def _utc(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="microseconds")
