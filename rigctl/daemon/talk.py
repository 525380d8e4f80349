"""From requests on the wire to commands of the rig, and their results back.

From: `net` (one talk per transport).  To: `daemon.rig`, and answers to `net`.

Commands that change the state are carried out one after the other; questions are answered at
once, also while a command runs; an interrupt ends the command that is under way.
"""

import asyncio
import logging
from collections.abc import Callable
from importlib.metadata import version

import msgspec

from rigctl.daemon.rig import Command, Rig
from rigctl.errors import Refused, RigctlError
from rigctl.messages import PROTOCOL_VERSION, Event, ExpRef, Json, Message
from rigctl.net import Communicator, Request, verbs
from rigctl.reports import Handshake

log = logging.getLogger(__name__)


class Talk:
    """Answers what controllers ask of a rig.

    Args:
        rig: what is commanded.
        server: where requests come from and answers go.
    """

    def __init__(self, rig: Rig, server: Communicator) -> None:
        self._rig = rig
        self._server = server
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answer requests until cancelled."""
        try:
            async for request in self._server.requests():
                self._take(request)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, request: Request) -> None:
        event = request.message.event
        log.debug("%s from %s port %d", event.label, *request.addr)
        question = _QUESTIONS.get(event)
        if question:
            self._answer(request, lambda: question(self._rig, request.message))
            return
        task = asyncio.create_task(self._command(request), name=f"{event.label} {request.addr}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _command(self, request: Request) -> None:
        """Carry out a command and answer it, whatever comes of it."""
        event = request.message.event
        try:
            result = await self._rig.command(_command(request))
            reply = _reply(request.message, result)
        except RigctlError as error:
            log.warning("%s refused or failed: %s", event.label, error)
            reply = verbs.error_message(error, event)
        except asyncio.CancelledError:
            reply = verbs.error_message(Refused("the daemon is being stopped"), event)
            self._answer(request, lambda: reply)
            raise
        except Exception as error:
            log.error("%s failed: %s", event.label, error, exc_info=error)
            reply = verbs.error_message(error, event)
        self._answer(request, lambda: reply)

    def _answer(self, request: Request, answer: Callable[[], Message]) -> None:
        try:
            self._server.answer(request, answer())
        except (TypeError, RigctlError) as error:
            # What a hook returned cannot be said in JSON, or is too large.
            log.error("the answer to %s cannot be sent: %s", request.message.event.label, error)
            self._server.answer(request, verbs.error_message(error, request.message.event))


def _command(request: Request) -> Command:
    """Read a command's arguments.

    Raises:
        BadReference: it names a reference that is none.
    """
    event, args = request.message.event, request.message.args
    named: Json = None
    data = args[0] if args else None
    if event is Event.EXPSTART:
        named, data = data, args[1] if len(args) > 1 else None
    elif event is Event.EXPINIT:
        named = data.get("exp_ref") if isinstance(data, dict) else data
        named = named if isinstance(named, str | dict) else None
    exp_ref = None if named is None or named == "" else ExpRef.parse(named)
    return Command(event, exp_ref, data, request.within_s)


def _reply(message: Message, data: Json) -> Message:
    """Return the same event with the result; EXPSTART repeats the reference before it."""
    if message.event is Event.EXPSTART:
        return Message(message.event, (message.args[0] if message.args else None, data))
    return Message(message.event, (data,))


def _status(rig: Rig, message: Message) -> Message:
    return verbs.status_message(rig.state.status)


def _info(rig: Rig, message: Message) -> Message:
    report = rig.report()
    fields = Handshake(
        exp_ref=report.exp_ref,
        main_sync=report.main_sync,
        rig_version=version("rigctl"),
        spec_version=PROTOCOL_VERSION,
        report=report,
    )
    return verbs.info_message(rig.state.status, msgspec.to_builtins(fields))


def _alyx(rig: Rig, message: Message) -> Message:
    """Keep a database token that is given; give it to who asks."""
    if len(message.args) > 1 and all(message.args[:2]):
        rig.alyx = (message.args[0], message.args[1])
    return Message(Event.ALYX, rig.alyx)


_QUESTIONS: dict[Event, Callable[[Rig, Message], Message]] = {
    Event.EXPSTATUS: _status,
    Event.EXPINFO: _info,
    Event.ALYX: _alyx,
}
