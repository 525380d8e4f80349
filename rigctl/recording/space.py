"""Space on disk reserved ahead of a growing file, where the system can.

From: `append_file`.  To: the file system.

A reservation does not change the file's size, so readers never see it; it keeps a recording alive
when another program fills the disk.
"""

import ctypes
import errno
import functools
import os
import sys
from collections.abc import Callable
from logging import getLogger

logger = getLogger(__name__)

_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of linux/falloc.h

_Fallocate = Callable[[int, int, int, int], int]


class Reservation:
    """What is reserved of one file.

    Args:
        fd: the open file.
        ahead: bytes to hold in reserve behind the file's end; 0 reserves nothing.
    """

    def __init__(self, fd: int, ahead: int) -> None:
        self._fd = fd
        self._ahead = ahead
        self._end = 0
        self._possible = ahead > 0

    def extend(self, size: int) -> None:
        """Reserve again once half of the reserve is used; failing is a warning, said once."""
        if not self._possible or self._end - size > self._ahead // 2:
            return
        failure = _reserve(self._fd, size, self._ahead)
        if failure == 0:
            self._end = size + self._ahead
            return
        self._possible = False
        level = logger.warning if failure == errno.ENOSPC else logger.debug
        level("no space could be reserved ahead of a recording: %s", os.strerror(failure))

    def trim(self, size: int) -> None:
        """Give back what lies behind the file's end."""
        if self._end > size:
            os.ftruncate(self._fd, size)


def _reserve(fd: int, offset: int, length: int) -> int:
    """Return 0, or the error's number."""
    fallocate = _fallocate()
    if fallocate is None:
        return errno.ENOSYS
    return 0 if fallocate(fd, _KEEP_SIZE, offset, length) == 0 else ctypes.get_errno()


@functools.cache
def _fallocate() -> _Fallocate | None:
    """Return the C library's function; `os.posix_fallocate` would change the file's size."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None, use_errno=True)
    function = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)
    if function is None:
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    function.restype = ctypes.c_int
    found: _Fallocate = function
    return found
