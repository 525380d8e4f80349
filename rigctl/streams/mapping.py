"""Frames in shared memory so that every window of up to the capacity is contiguous.

From: the writer's blocks.  To: readers' windows, without copying.

Mirrored: the file is mapped twice in a row, so what is written past the end is the beginning:

    file      [ 0 1 2 3 4 5 6 7 ]
    memory    [ 0 1 2 3 4 5 6 7 ][ 0 1 2 3 4 5 6 7 ]
                          ^^^^^^^^^^^ a window of 5

Doubled, where the system cannot map twice or frames do not meet its pages: the same picture, but
the file is twice as large and the writer writes everything twice (1.7 times the cost, measured).
"""

import contextlib
import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rigctl.errors import RingError

_MAP_FIXED = 0x10  # Linux, macOS and the BSDs agree
_POPULATE = getattr(mmap, "MAP_POPULATE", 0)
_NO_RESERVE = getattr(mmap, "MAP_NORESERVE", 0)
_MAP_FAILED = ctypes.c_void_p(-1).value

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = (
    *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int),
    ctypes.c_long,
)


class FrameRing:
    """A ring of equal frames; counts of frames in, windows out.

    Args:
        memory: both halves of the ring, holding the same.
        dtype: of the frames.
        shape: (capacity, *frame shape).
        mirrored: whether the system keeps the halves the same.
    """

    def __init__(
        self, memory: mmap.mmap, dtype: np.dtype[Any], shape: tuple[int, ...], *, mirrored: bool
    ) -> None:
        self.capacity, *frame = shape
        self.frames = np.ndarray((2 * self.capacity, *frame), dtype, memory)
        self.memory = memory
        """The same as bytes."""
        self._mirrored = mirrored

    def put(self, first: int, frames: npt.NDArray[Any]) -> None:
        """Store frames, at most the capacity, as the counts from `first` on."""
        self.window(first, first + len(frames))[:] = frames
        self.repeat(first, len(frames))

    def window(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Return the place of at most the capacity of frames, not a copy.

        Who writes into it says so afterwards with `repeat`.
        """
        at = start % self.capacity
        return self.frames[at : at + stop - start]

    def repeat(self, first: int, points: int) -> None:
        """Make the halves the same where frames were written, if the system does not."""
        if self._mirrored:
            return
        at = first % self.capacity
        below = min(points, self.capacity - at)
        twin = at + self.capacity
        self.frames[twin : twin + below] = self.frames[at : at + below]
        self.frames[: points - below] = self.frames[self.capacity : at + points]


def create_frames(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], *, mirrored: bool
) -> FrameRing:
    """Create the file of a ring and map it for writing.

    Args:
        path: the file; must not exist.
        dtype: of the frames.
        shape: (capacity, *frame shape); mirrored, they must fill whole pages.
        mirrored: map twice or write twice.

    Raises:
        OSError: the system cannot map twice, or there is no room.
    """
    nbytes = _nbytes(dtype, shape)
    with create_file(path, nbytes if mirrored else 2 * nbytes) as fd:
        memory = _map(fd, nbytes, mirrored=mirrored, writable=True)
    return FrameRing(memory, dtype, shape, mirrored=mirrored)


def open_frames(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], *, mirrored: bool
) -> FrameRing:
    """Map the file of a ring for reading; arguments as for `create_frames`.

    Raises:
        OSError: there is no such file, or the system cannot map it.
        RingError: its size is another.
    """
    nbytes = _nbytes(dtype, shape)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Touching memory beyond the end of its file would kill the process.
        if os.fstat(fd).st_size != (nbytes if mirrored else 2 * nbytes):
            raise RingError(f"{path}: its size is not what the ring's head says")
        memory = _map(fd, nbytes, mirrored=mirrored, writable=False)
    finally:
        os.close(fd)
    return FrameRing(memory, dtype, shape, mirrored=mirrored)


@contextlib.contextmanager
def create_file(path: Path, nbytes: int) -> Iterator[int]:
    """Create a private file of zeros whose room is taken at once; yields its descriptor.

    Without its room a full file system would kill the writer at some later store (SIGBUS).

    Raises:
        OSError: it exists, or there is no room.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, nbytes)
        else:
            os.ftruncate(fd, nbytes)
        yield fd
    finally:
        os.close(fd)


def map_file(path: Path, *, writable: bool) -> mmap.mmap:
    """Map a whole file once, shared.

    Raises:
        OSError: there is no such file.
    """
    fd = os.open(path, (os.O_RDWR if writable else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        return mmap.mmap(fd, 0, mmap.MAP_SHARED, _protection(writable))
    finally:
        os.close(fd)


def _map(fd: int, nbytes: int, *, mirrored: bool, writable: bool) -> mmap.mmap:
    populate = _POPULATE if writable else 0  # the writer meets no page fault later
    if not mirrored:
        return mmap.mmap(fd, 2 * nbytes, mmap.MAP_SHARED | populate, _protection(writable))
    return _map_twice(fd, nbytes, _protection(writable), populate)


def _map_twice(fd: int, nbytes: int, protection: int, populate: int) -> mmap.mmap:
    """Map a file twice in a row, over an address range that a mapping object owns.

    The object unmaps the whole range when the last array that shows it is gone, and not before.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
    reserved = mmap.mmap(-1, 2 * nbytes, flags, protection)
    address = np.frombuffer(reserved, np.uint8).ctypes.data
    flags = mmap.MAP_SHARED | _MAP_FIXED | populate
    for start in (address, address + nbytes):
        if _LIBC.mmap(start, nbytes, protection, flags, fd, 0) == _MAP_FAILED:
            code = ctypes.get_errno()
            raise OSError(code, f"cannot be mapped twice: {os.strerror(code)}")
    return reserved


def _protection(writable: bool) -> int:
    return mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)


def _nbytes(dtype: np.dtype[Any], shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
