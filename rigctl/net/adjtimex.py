"""The kernel's word on this computer's clock: adjtimex(2).

From: the kernel (Linux), through the C library.  To: `net.hostclock`.
"""

import ctypes
import sys

from rigctl.net.timekeepers import KernelClock

# linux/timex.h
_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000


class _Timex(ctypes.Structure):
    """`struct timex`, as far as it is read here; the rest is room for the kernel to write to."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def kernel_clock() -> KernelClock | None:
    """Ask the kernel, changing nothing; None where there is no such call."""
    if sys.platform != "linux":
        return None
    try:
        call = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    timex = _Timex()  # modes 0: only read
    if call(ctypes.byref(timex)) < 0:
        return None
    unit_s = 1e-9 if timex.status & _STA_NANO else 1e-6
    return KernelClock(
        synchronised=not timex.status & _STA_UNSYNC,
        behind_s=timex.offset * unit_s,
        estimated_error_s=timex.esterror * 1e-6,
        most_error_s=timex.maxerror * 1e-6,
    )
