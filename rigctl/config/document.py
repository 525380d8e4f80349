"""A YAML file as plain values, with the line of every key, for errors that say where.

From: files.  To: `config.lab`, `config.rig`.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from rigctl.errors import ConfigError

T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R")

_MAX_BYTES = 1_000_000
_MAX_ENTRIES = 10_000
_MAX_DEPTH = 30

_AT = re.compile(r"^(?P<problem>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<key>.*)`")
_KINDS = re.compile(r"`([^`]*)`")
_WORDS = {
    "object": "keys with values",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
"""What people call msgspec's kinds of values."""
_TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")

_Lines = dict[tuple[str, ...], int]


@dataclass(frozen=True, slots=True)
class Document:
    """The values of a YAML file."""

    path: Path
    values: dict[str, Any]
    lines: _Lines = field(default_factory=dict)
    """The line, counted from 1, of every key and every item of a list, by its path."""

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a file.

        Raises:
            ConfigError: it is missing, cannot be read, is not YAML, or says a key twice.
        """
        try:
            with path.open("rb") as file:
                raw = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            raise ConfigError(str(path), "", "there is no such file") from None
        except OSError as error:
            raise ConfigError(str(path), "", f"cannot be read: {error}") from error
        if len(raw) > _MAX_BYTES:
            raise ConfigError(str(path), "", f"is larger than {_MAX_BYTES} bytes")
        try:
            return cls.parse(raw.decode(), path)
        except UnicodeDecodeError as error:
            where = f"{path}:{raw.count(10, 0, error.start) + 1}"
            raise ConfigError(where, "", f"is not UTF-8: {error.reason}") from None

    @classmethod
    def parse(cls, text: str, path: Path) -> "Document":
        """Read a file's text; errors as `read`."""
        lines: _Lines = {}
        try:
            loader = yaml.SafeLoader(text)
            node = loader.get_single_node()
            _walk(node, (), lines, path)
            values = loader.construct_document(node) if node else None
        except yaml.YAMLError as error:
            raise _not_yaml(text, path, error) from None
        except RecursionError:
            raise ConfigError(str(path), "", "is nested too deeply") from None
        # A value that is not what its `!!tag` says meets no check of the YAML library's.
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
            raise ConfigError(str(path), "", f"is not YAML: an impossible value: {error}") from None
        if not isinstance(values, dict) or not values:
            raise ConfigError(str(path), "", "must hold `key: value` lines")
        return cls(path, values, lines)

    def convert(self, values: object, kind: type[T], at: Sequence[str] = ()) -> T:
        """Convert values to a msgspec Struct.

        Args:
            values: what the document has at `at`.
            kind: the Struct.
            at: the path of the key under which the values stand.

        Raises:
            ConfigError: with the file, the line, the key and what would be right.
        """
        try:
            return msgspec.convert(values, kind)
        except msgspec.ValidationError as error:
            raise self._translate(str(error), kind, at) from None

    def check(self, at: Sequence[str], checker: Callable[[V], R], value: V) -> R:
        """Return what a checker makes of the value of a key.

        Raises:
            ConfigError: it raised a ValueError.
        """
        try:
            return checker(value)
        except ValueError as error:
            raise self.error(at, str(error)) from None

    def error(self, key: Sequence[str], problem: str) -> ConfigError:
        """Return the error for a key, with its line."""
        known = tuple(key)
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        return ConfigError(f"{self.path}{line}", ".".join(key), problem)

    def _translate(self, text: str, kind: object, at: Sequence[str]) -> ConfigError:
        match = _AT.match(text)
        assert match  # every text matches
        inside = _steps(match["path"] or "")
        path, problem = [*at, *inside], match["problem"]
        if unknown := _UNKNOWN.fullmatch(problem):
            key = unknown["key"]
            known = _fields(kind, inside)
            return self.error([*path, key], "unknown key" + suggestion(key, known))
        if missing := _MISSING.fullmatch(problem):
            return self.error([*path, missing["key"]], "this key is missing")
        return self.error(path, problem[0].lower() + _KINDS.sub(_in_words, problem[1:]))


def suggestion(key: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` or the list of the known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(key, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""


def _steps(path: str) -> list[str]:
    return [step.strip(".[]'\"") for step in re.findall(r"\.[^.\[]+|\[[^\]]*\]", path)]


def _fields(kind: object, inside: Sequence[str]) -> Sequence[str]:
    """Return the keys of a Struct, or of the one that stands under a path inside of it."""
    for step in inside:
        kind = getattr(kind, "__annotations__", {}).get(step)
    return getattr(kind, "__struct_encode_fields__", ())


def _in_words(kinds: re.Match[str]) -> str:
    return " or ".join(_WORDS.get(kind, kind) for kind in kinds[1].split(" | "))


def _walk(node: yaml.Node | None, path: tuple[str, ...], lines: _Lines, file: Path) -> None:
    """Note every line; YAML itself would let the last of two equal keys win in silence."""
    for name, place, value in _entries(node):
        here, line = (*path, name), place.start_mark.line + 1
        if place is not value and place.tag not in _TEXT_TAGS:
            raise ConfigError(f"{file}:{line}", ".".join(here), "is no text to YAML: quote it")
        if problem := _problem(here, lines):
            raise ConfigError(f"{file}:{line}", ".".join(here), problem)
        lines[here] = line
        _walk(value, here, lines, file)


def _entries(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """Yield the name, the node that shows the place, and the value of all that a node holds."""
    if isinstance(node, yaml.SequenceNode):
        yield from ((str(index), item, item) for index, item in enumerate(node.value))
    elif isinstance(node, yaml.MappingNode):
        yield from ((_name(key), key, value) for key, value in node.value)


def _name(key: yaml.Node) -> str:
    return key.value if isinstance(key, yaml.ScalarNode) else "?"


def _problem(here: tuple[str, ...], lines: Mapping[tuple[str, ...], int]) -> str:
    if here in lines:
        return f"stands here twice, first in line {lines[here]}"
    if len(here) > _MAX_DEPTH:
        return f"is nested more than {_MAX_DEPTH} levels deep"
    if len(lines) >= _MAX_ENTRIES:
        # Aliases of aliases are few bytes and yet more values than any computer holds.
        return f"there are more than {_MAX_ENTRIES} values up to here, aliases included"
    return ""


def _not_yaml(text: str, path: Path, error: yaml.YAMLError) -> ConfigError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None)
    line = mark.line + 1 if mark else text.count("\n", 0, position) + 1 if position else None
    where = f"{path}:{line}" if line else str(path)
    told = [getattr(error, part, None) for part in ("context", "problem", "reason")]
    why = ", ".join(part for part in told if part) or str(error)
    return ConfigError(where, "", f"is not YAML: {why}")
