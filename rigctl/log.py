"""One structured log: every line is an object with time, level, logger, text and who said it.

From: `logging.getLogger(__name__)` everywhere.  To: standard error, a session's ``log.jsonl``;
handlers are set by the command line and by worker processes alone.
"""

import datetime
import json
import logging
import sys
from pathlib import Path
from typing import Any, TextIO

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
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    _OURS.addHandler(handler)
    return handler


def remove(handler: logging.Handler) -> None:
    """Close what `add_file` opened."""
    _OURS.removeHandler(handler)
    handler.close()


def relay(line: str, peer: str) -> None:
    """Log a line that a worker process wrote, JSON or not, under its own level and text."""
    try:
        said = json.loads(line)
        name, level, text = said["logger"], said["level"].upper(), said["text"]
        if trace := said.get("traceback"):
            text = f"{text}\n{trace}"
    except (ValueError, KeyError, TypeError, AttributeError):
        name, level, text = "rigctl.peers", "WARNING", line
    number = logging.getLevelNamesMapping().get(level, logging.WARNING)
    logging.getLogger(name).log(number, "%s", text, extra={"peer": peer})


def _utc(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="microseconds")
