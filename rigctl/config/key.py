"""The key that controller and rigs share: made once, kept in a file that only its user can read.

From: ``rigctl key new``, ``key_file:`` of lab and rig files.  To: `net.seal`, through the
configuration.
"""

import contextlib
import functools
import os
import re
import secrets
import stat
from pathlib import Path

from rigctl.config.document import Document
from rigctl.config.units import folder

KEY_BYTES = 32
_TEXT = re.compile(rb"[0-9a-f]{64}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def new_key(path: Path) -> None:
    """Write a new key into a file that must not be there yet, readable by its user alone.

    Raises:
        FileExistsError: it is there; a key is never overwritten.
        OSError: it cannot be written.
    """
    with contextlib.suppress(FileExistsError):  # of a file in the way the next line tells
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(fd)


def read_key(path: Path) -> bytes:
    """Return the key in a file.

    Raises:
        ValueError: it is missing, others can read it, or it holds no key; says what to do.
    """
    try:
        with path.open("rb") as file:
            mode, text = os.fstat(file.fileno()).st_mode, file.read(1000).strip()
    except FileNotFoundError:
        raise ValueError(f"there is no key in {path}: make one with rigctl key new") from None
    except OSError as error:
        raise ValueError(f"the key {path} cannot be read: {error.strerror}") from error
    check_private(path, mode)
    if not _TEXT.fullmatch(text):
        raise ValueError(f"{path} holds no key: make one with rigctl key new")
    return bytes.fromhex(text.decode())


def check_private(path: Path, mode: int) -> None:
    """Check that a key is its user's alone, where files have modes.

    Raises:
        ValueError: others can read it.
    """
    if os.name == "posix" and mode & _OTHERS:
        raise ValueError(f"others can read the key {path}: chmod 600 it")


def key_in(document: Document, text: str | None) -> bytes | None:
    """Return the key in the file that a document names as ``key_file``; None if it names none.

    Raises:
        ConfigError: as `read_key`.
    """
    if text is None:
        return None
    path = document.check(("key_file",), functools.partial(folder, beside=document.path), text)
    return document.check(("key_file",), read_key, path)
