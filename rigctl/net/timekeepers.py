"""What programs that keep clocks say of their work, read (pure).

From: `net.hostclock`, which asks them.  To: `reports.HostClock`.

    chrony      ``chronyc -c tracking``           one line of values between commas
    timesyncd   ``timedatectl show-timesync``     lines of key=value
    timedated   ``timedatectl show``              the same
    ptp4l       ``pmc 'GET TIME_STATUS_NP'``      lines of a key and a value
    kernel      adjtimex(2)                       `KernelClock`

Each reader returns None for what is not its program's answer, or says that nobody is followed.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from rigctl.reports import HostClock

_CHRONY_FIELDS = 14
_OWN_CLOCK = "7F7F0101"
"""Chrony's reference where it follows nobody but itself (``local`` in its configuration)."""
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|min|h|d)")
_SPAN_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_MOST_DETAIL = 200


@dataclass(frozen=True, slots=True)
class KernelClock:
    """What the kernel knows of the clock that it is asked to keep."""

    synchronised: bool
    behind_s: float
    """What it still has to correct."""
    estimated_error_s: float
    most_error_s: float


def chrony(text: str) -> HostClock | None:
    """Read chrony's tracking report; its manual states the bound of the error (chronyc, tracking).

    The fields: reference id, its name, stratum, reference time, system time (positive: slow of
    NTP time), last offset, RMS offset, frequency, residual frequency, skew, root delay, root
    dispersion, update interval, leap status.
    """
    fields = text.strip().split(",")
    if len(fields) != _CHRONY_FIELDS:
        return None
    reference, name, stratum, leap = fields[0], fields[1], fields[2], fields[-1]
    slow_s, delay_s, dispersion_s = (_number(fields[index]) for index in (4, 10, 11))
    if slow_s is None or delay_s is None or dispersion_s is None:
        return None
    if leap == "Not synchronised" or reference == _OWN_CLOCK:
        return HostClock(source="chrony", synchronised=False, detail="it follows no server")
    return HostClock(
        source="chrony",
        synchronised=True,
        offset_s=-slow_s,
        error_s=abs(slow_s) + dispersion_s + delay_s / 2,
        detail=f"it follows {name or reference}, stratum {stratum}",
    )


def timesyncd(text: str) -> HostClock | None:
    """Read what systemd-timesyncd heard last; its error is the root distance (RFC 5905, 11.2)."""
    fields = _pairs(text)
    if "ServerName" not in fields and "NTPMessage" not in fields:
        return None
    server = fields.get("ServerName") or fields.get("ServerAddress")
    message = fields.get("NTPMessage", "").strip("{} ")
    heard = _pairs(message.replace(", ", "\n"))
    if not server or not heard:
        return HostClock(source="systemd-timesyncd", synchronised=False, detail="no server answers")
    return HostClock(
        source="systemd-timesyncd",
        synchronised=heard.get("Leap") != "3",
        error_s=_root_distance_s(heard.get("RootDelay"), heard.get("RootDispersion")),
        detail=f"it follows {server}, stratum {heard.get('Stratum', '?')}",
    )


def timedated(text: str) -> HostClock | None:
    """Read whether systemd takes the clock for synchronised."""
    said = _pairs(text).get("NTPSynchronized")
    return HostClock(source="timedated", synchronised=said == "yes") if said else None


def ptp4l(text: str) -> HostClock | None:
    """Read how far ptp4l's clock is from its master's; None where it has none, or is it itself."""
    lines = [line.split(None, 1) for line in text.splitlines()]
    fields = {parts[0]: parts[1].strip() for parts in lines if len(parts) == 2}
    offset_ns = _number(fields.get("master_offset", ""))
    if fields.get("gmPresent") != "true" or offset_ns is None:
        return None
    return HostClock(
        source="ptp4l",
        synchronised=True,
        offset_s=offset_ns * 1e-9,
        detail=f"its network clock follows {fields.get('gmIdentity', 'a master')}",
    )


def kernel(clock: KernelClock) -> HostClock:
    """Say what the kernel says."""
    return HostClock(
        source="kernel",
        synchronised=clock.synchronised,
        offset_s=-clock.behind_s if clock.synchronised else None,
        error_s=clock.most_error_s if clock.synchronised else None,
        detail="" if clock.synchronised else "no time service keeps this clock",
    )


def judged(answers: Sequence[HostClock | None], own: HostClock | None) -> HostClock:
    """Return what stands: the first keeper that follows somebody, else the kernel's word.

    Args:
        answers: what was heard of keepers, the finest first.
        own: the kernel's word, where it can be had.
    """
    heard = [answer for answer in answers if answer]
    best = next((answer for answer in heard if answer.synchronised), None)
    if best is None:
        # What keeps the clock may be a program that is not known here; the kernel is told by all.
        best = own if own and (own.synchronised or not heard) else (heard or [_NOBODY])[0]
    told = best.detail
    if best.source == "ptp4l" and own and not own.synchronised:
        # It keeps the clock of the network card; this computer's own needs phc2sys.
        return _said(best, False, f"{told}, and nothing (phc2sys) sets this computer's clock by it")
    if own and own.synchronised is False and best.synchronised:
        told += "; the kernel does not take the clock for synchronised"
    return _said(best, best.synchronised, told)


_NOBODY = HostClock(source="", detail="nothing on this computer says how its clock is kept")


def _said(clock: HostClock, synchronised: bool | None, detail: str) -> HostClock:
    return HostClock(
        source=clock.source,
        synchronised=synchronised,
        offset_s=clock.offset_s,
        error_s=clock.error_s,
        detail=detail[:_MOST_DETAIL],
    )


def _pairs(text: str) -> dict[str, str]:
    pairs = [line.split("=", 1) for line in text.splitlines()]
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _root_distance_s(delay: str | None, dispersion: str | None) -> float | None:
    delay_s, dispersion_s = _span_s(delay or ""), _span_s(dispersion or "")
    if delay_s is None or dispersion_s is None:
        return None
    return delay_s / 2 + dispersion_s


def _span_s(text: str) -> float | None:
    """Read a duration as systemd writes it: ``1min 2.5s``, ``17.272ms``, ``0``."""
    if text == "0":
        return 0.0
    parts = _SPAN.findall(text)
    return sum(float(number) * _SPAN_S[unit] for number, unit in parts) if parts else None
