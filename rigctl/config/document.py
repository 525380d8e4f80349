"""A YAML file as plain values, with the line of every key, for errors that say where.

From: files.  To: `config.lab`, `config.rig`.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from rigctl.errors import ConfigError

T = TypeVar("T")
_MAX_BYTES = 1_000_000

_AT = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a YAML file."""

    path: Path
    values: dict[str, Any]
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)
    """The line, counted from 1, of every key by its path."""

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a file.

        Raises:
            ConfigError: it is missing, cannot be read, is not YAML, or says a key twice.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(str(path), "", "there is no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(path), "", f"cannot be read: {error}") from error
        return cls.parse(text, path)

    @classmethod
    def parse(cls, text: str, path: Path) -> "Document":
        """Read a file's text; errors as `read`."""
        if len(text) > _MAX_BYTES:
            raise ConfigError(str(path), "", f"is larger than {_MAX_BYTES} bytes")
        lines: dict[tuple[str, ...], int] = {}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            _walk(node, (), lines, path)
            values = yaml.safe_load(text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise ConfigError(
                str(path), "", f"is not YAML: {' '.join(str(error).split())}"
            ) from error
        if not isinstance(values, dict) or not values:
            raise ConfigError(str(path), "", "must hold `key: value` lines")
        return cls(path, values, lines)

    def convert(self, values: object, kind: type[T], at: Sequence[str] = ()) -> T:
        """Convert values to a msgspec Struct.

        Args:
            values: what to convert, such as a part of `values`.
            kind: the Struct.
            at: where in the file the values stand.

        Raises:
            ConfigError: with the file, the line, the key and what would be right.
        """
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            raise self._translate(str(error), kind, at) from None

    def error(self, key: Sequence[str], problem: str) -> ConfigError:
        """Return the error for a key, with its line."""
        known = tuple(key)
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        return ConfigError(f"{self.path}{line}", ".".join(key), problem)

    def _translate(self, text: str, kind: object, at: Sequence[str]) -> ConfigError:
        match = _AT.match(text)
        assert match
        path = [*at, *_steps(match["path"] or "")]
        problem = match["problem"]
        if unknown := _UNKNOWN.fullmatch(problem):
            key = unknown["key"]
            return self.error([*path, key], "unknown key" + suggestion(key, _fields(kind)))
        if missing := _MISSING.fullmatch(problem):
            return self.error([*path, missing["key"]], "this key is missing")
        return self.error(path, problem[0].lower() + problem[1:].replace("`", ""))


def suggestion(key: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` or the list of the known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""


def _steps(path: str) -> list[str]:
    return [step.strip(".[]'\"") for step in re.findall(r"\.[^.\[]+|\[[^\]]*\]", path)]


def _fields(kind: object) -> list[str]:
    return list(getattr(kind, "__struct_encode_fields__", ()))


def _walk(
    node: yaml.Node | None, path: tuple[str, ...], lines: dict[tuple[str, ...], int], file: Path
) -> None:
    """Note every key's line; YAML itself would let the last of two equal keys win in silence."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, str(index)), lines, file)
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        here = (*path, str(key.value))
        line = key.start_mark.line + 1
        if here in lines:
            where, dotted = f"{file}:{line}", ".".join(here)
            raise ConfigError(where, dotted, f"stands here twice, first in line {lines[here]}")
        lines[here] = line
        _walk(value, here, lines, file)
