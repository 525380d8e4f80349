"""The text of BrainVision header and marker files: sections, escapes, code pages.

From: `recording.brainvision`.  To: the same.
"""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from rigctl.errors import RecordingError

_SECTION = re.compile(r"\[(.+)\]")
_CODEPAGE_UTF8 = re.compile(rb"^\s*Codepage\s*=\s*UTF-?8\b", re.IGNORECASE | re.MULTILINE)
LINE_END = re.compile(r"\r\n|\r|\n")

Sections = Mapping[str, Mapping[str, str]]
"""Section and key, both in lower case -> value."""


def read_text(path: Path) -> str:
    """Return a file's text by the code page that it names, Latin-1 where it names none.

    Raises:
        RecordingError: it cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"it cannot be read: {error.strerror}") from error
    if _CODEPAGE_UTF8.search(raw):
        return raw.decode("utf-8-sig", errors="replace")
    return raw.decode("latin-1")


def sections_of(text: str) -> Sections:
    """Return ``key=value`` lines by section; names and keys in lower case, the first one counts."""
    sections: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for raw in LINE_END.split(text):
        line = raw.strip()
        match = _SECTION.fullmatch(line)
        if match:
            current = sections.setdefault(match[1].strip().lower(), {})
        elif not line.startswith(";"):
            key, equals, value = line.partition("=")
            if equals:
                current.setdefault(key.strip().lower(), value.strip())
    return sections


def field(text: str) -> str:
    """Return a text as a field between commas."""
    return one_line(text).replace(",", "\\1")


def unescaped(text: str) -> str:
    """Return what a field stands for."""
    return text.replace("\\1", ",")


def one_line(text: str) -> str:
    """Return the text without what would end its line or could not be encoded."""
    return "".join(_REPLACEMENTS.get(unicodedata.category(char), char) for char in text)


_REPLACEMENTS = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "\ufffd"}
"""By Unicode category: control characters, line and paragraph separators, lone surrogates."""
