"""The desk: one experiment on all rigs of a lab, or on none.

From: `cli`, `web`.  To: `controller.services`.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from types import TracebackType
from typing import Self

import msgspec

from rigctl.config import Lab
from rigctl.controller.lab import connect
from rigctl.controller.report import lab_report, rig_report
from rigctl.controller.services import Replies
from rigctl.errors import Refused, RigctlError, RigsFailed, RigsTimedOut
from rigctl.messages import PROTOCOL_VERSION, ExpRef, Json, Message, Status
from rigctl.net import verbs
from rigctl.reports import Handshake, LabReport

log = logging.getLogger(__name__)


class Desk:
    """Drives a lab; used with ``async with``.

    Args:
        lab: the rigs and how to reach them.
    """

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.services = connect(lab)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.services.close()

    async def report(self) -> LabReport:
        """Ask every rig what it has to say; a rig that does not answer is a finding, no error."""
        message = verbs.info_message(Status.CONNECTED, self._handshake(None))
        replies, errors = await self._tell(message, self.services)
        return self._report(replies, errors)

    async def start(self, exp_ref: ExpRef) -> LabReport:
        """Bring every rig to RUNNING, or none: what was begun is undone if a required rig fails.

        Raises:
            RigsFailed: required rigs are out of reach, refused or failed; the note says what was
                done about the others.
            Refused: a rig that leads the synchronisation has another reference.
        """
        before = await self._survey(exp_ref)
        names = [name for name, rig in before.rigs.items() if rig.reachable]
        fresh = [name for name in names if before.rigs[name].status != "RUNNING"]
        idle = [name for name in fresh if before.rigs[name].status != "INITIALIZED"]
        init = verbs.init_message({"exp_ref": str(exp_ref)})
        names = await self._bring(init, names, undo=idle)
        names = await self._bring(verbs.start_message(exp_ref), names, undo=fresh)
        return await self.report()

    async def init(self, exp_ref: ExpRef | None) -> Replies:
        """Have all rigs get ready.

        Raises:
            RigsFailed: required rigs failed; the others stay as they are.
        """
        data = {"exp_ref": str(exp_ref)} if exp_ref else None
        return await self._require(verbs.init_message(data))

    async def stop(self, *, immediately: bool = False) -> Replies:
        """Stop all rigs that can be reached; errors as `init`."""
        return await self._require(verbs.stop_message(None, immediately))

    async def cleanup(self) -> Replies:
        """Have all rigs that can be reached release devices and seal files; errors as `init`."""
        return await self._require(verbs.cleanup_message())

    async def _survey(self, exp_ref: ExpRef) -> LabReport:
        """Ask all rigs before anything is changed."""
        message = verbs.info_message(Status.CONNECTED, self._handshake(exp_ref))
        replies, errors = await self._tell(message, self.services)
        if failed := self._required(errors):
            raise _failure(failed, "nothing was started: the other rigs are as they were")
        report = self._report(replies, errors)
        _check_main_sync(report, exp_ref)
        return report

    async def _bring(self, message: Message, names: list[str], *, undo: list[str]) -> list[str]:
        """Tell rigs; if a required one fails undo all of `undo`, else go on without the others."""
        try:
            _, errors = await self._tell(message, names)
        except asyncio.CancelledError as interrupt:
            await self._roll_back(undo, {"an interrupt": interrupt})
            raise
        if failed := self._required(errors):
            raise _failure(failed, await self._roll_back(undo, failed))
        for name, error in errors.items():
            log.warning("going on without %s, which is not required: %s", name, error)
        await self._roll_back([name for name in undo if name in errors], errors)
        return [name for name in names if name not in errors]

    async def _roll_back(self, names: list[str], errors: Mapping[str, BaseException]) -> str:
        """Have rigs set aside what they began and let go; return what came of it."""
        if not names:
            return "no other rig was changed"
        why = f"rolled back, because of {', '.join(errors)}"
        _, not_stopped = await self._tell(verbs.stop_message({"abandon": why}, True), names)
        _, not_cleaned = await self._tell(verbs.cleanup_message(), names)
        bad = not_stopped | not_cleaned
        done = [name for name in names if name not in bad]
        texts = [f"rolled back: {', '.join(done)}"] if done else []
        texts += [f"NOT rolled back: {name}: {error}" for name, error in bad.items()]
        return "; ".join(texts)

    async def _require(self, message: Message) -> Replies:
        replies, errors = await self._tell(message, self.services, reverse=True)
        if failed := self._required(errors):
            raise _failure(failed, "", replies)
        for name, error in errors.items():
            log.warning("%s, which is not required: %s", name, error)
        return replies

    async def _tell(
        self, message: Message, names: Iterable[str], *, reverse: bool = False
    ) -> tuple[Replies, dict[str, Exception]]:
        names = list(names)
        if not names:
            return {}, {}
        try:
            return await self.services.tell(message, names=names, reverse=reverse), {}
        except RigsFailed as error:
            return error.replies, error.errors

    def _required(self, errors: dict[str, Exception]) -> dict[str, Exception]:
        return {name: e for name, e in errors.items() if self.lab.rigs[name].required}

    def _report(self, replies: Replies, errors: dict[str, Exception]) -> LabReport:
        return lab_report(
            {
                name: rig_report(
                    rig, self.lab.rigs[name].required, errors.get(name) or replies[name]
                )
                for name, rig in self.services.items()
            }
        )

    def _handshake(self, exp_ref: ExpRef | None) -> Json:
        """Return our half of the fields that are exchanged before INIT."""
        fields = Handshake(
            exp_ref=str(exp_ref) if exp_ref else None,
            master=True,
            rig_version=version("rigctl"),
            spec_version=PROTOCOL_VERSION,
        )
        ours: Json = msgspec.to_builtins(fields)
        return ours


def _check_main_sync(report: LabReport, exp_ref: ExpRef) -> None:
    """The reference of the rig that leads the synchronisation stands.

    Raises:
        Refused: there are two such rigs, or theirs is another reference.
    """
    leaders = {name: rig for name, rig in report.rigs.items() if rig.main_sync}
    if len(leaders) > 1:
        raise Refused(f"main_sync is true for {' and '.join(leaders)}: only one rig may lead")
    for name, rig in leaders.items():
        theirs = rig.exp_ref
        if theirs and theirs != str(exp_ref) and rig.status != Status.STOPPED.name:
            raise Refused(
                f"{name} leads the synchronisation with {theirs}, not {exp_ref}: start that, or "
                "clean it up first (rigctl cleanup)"
            )


def _failure(
    errors: dict[str, Exception], note: str, replies: Replies | None = None
) -> RigctlError:
    timed_out = all(isinstance(error, TimeoutError) for error in errors.values())
    return (RigsTimedOut if timed_out else RigsFailed)(errors, replies, note)
