"""The clocks of a lab's rigs, probed on purpose.

From: the command line.  To: `controller.desk`, whose communicators learn from every echo.
"""

import asyncio
import socket
from collections.abc import Iterable

import msgspec

from rigctl.controller.clocks import clock_report
from rigctl.controller.desk import Desk
from rigctl.controller.services import Services
from rigctl.controller.telling import Errors, Telling
from rigctl.messages import Status
from rigctl.net import verbs
from rigctl.net.echo import Dialect
from rigctl.net.hostclock import host_clock
from rigctl.reports import ClockSurvey, RigReport

_BETWEEN_S = 0.02
"""Between two probes, so that one burst of other traffic does not spoil them all."""


async def survey_clocks(desk: Desk, probes: int) -> ClockSurvey:
    """Return how far every rig's clock is from ours, after so many exchanges with each."""
    report, own = await asyncio.gather(desk.report(), asyncio.to_thread(host_clock))
    able = [name for name, rig in report.rigs.items() if _tells_clock(rig)]
    errors = await _probe(desk.services, able, probes)
    limit_s = desk.lab.clock_limit_s
    rigs = {}
    for name, rig in report.rigs.items():
        clock = clock_report(desk.services[name], limit_s)
        rigs[name] = msgspec.structs.replace(rig, clock=clock)
        if name in errors:
            rigs[name] = msgspec.structs.replace(
                rigs[name], reachable=False, error=str(errors[name])
            )
    return ClockSurvey(host=socket.gethostname(), host_clock=own, limit_s=limit_s, rigs=rigs)


async def _probe(services: Services, names: Iterable[str], times: int) -> Errors:
    """Ask rigs for their status again and again; one that fails is not asked again."""
    left, failed, telling = list(names), Errors(), Telling(services)
    for number in range(times):
        if number:
            await asyncio.sleep(_BETWEEN_S)
        _, errors = await telling.tell(verbs.status_message(Status.CONNECTED), left)
        failed |= errors
        left = [name for name in left if name not in errors]
    return failed


def _tells_clock(rig: RigReport) -> bool:
    """Whether more questions tell more: the predecessor's dialect has no clock in its echoes."""
    return rig.reachable and rig.dialect == Dialect.RIGCTL
