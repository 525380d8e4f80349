"""A configuration that is to be refused: what it says, and what is said of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rigctl.errors import ConfigError


class Refusals:
    """Loads texts as one kind of file.

    Args:
        load: what reads such a file.
        path: where the file is put.
    """

    def __init__(self, load: Callable[[Path], object], path: Path) -> None:
        self._load = load
        self.path = path

    def of(self, text: str | bytes) -> ConfigError:
        """Return the one error that a file of this text gives."""
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        with pytest.raises(ConfigError) as caught:
            self._load(self.path)
        assert str(caught.value).startswith(str(self.path))
        assert caught.value.problem
        return caught.value

    def check(self, text: str, line: int, key: str, *problem: str) -> None:
        """Check where a text is refused, and words of what is said."""
        error = self.of(text)
        assert (error.where, error.key) == (f"{self.path}:{line}", key)
        assert all(words in error.problem for words in problem), error.problem
