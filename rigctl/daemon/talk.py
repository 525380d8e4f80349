"""From requests on the wire to commands of the rig, and their results back.

From: `net` (one talk per transport).  To: `daemon.rig`, and answers to `net`.

Commands that change the state are carried out one after the other; questions are answered at
once, also while a command runs; an interrupt ends the command that is under way.  Whatever
becomes of a command, its sender is told.
"""

import asyncio
import functools
import logging
from collections.abc import Callable
from importlib.metadata import version

import msgspec

from rigctl.daemon.command import Command
from rigctl.daemon.rig import Rig
from rigctl.errors import Refused, RigctlError
from rigctl.messages import PROTOCOL_VERSION, Event, ExpRef, Json, Message
from rigctl.net import Communicator, Request, verbs
from rigctl.reports import Handshake

log = logging.getLogger(__name__)

_MAX_COMMANDS = 32
"""How many commands may be under way or wait for their turn; further ones are refused."""

_MORE_INTERRUPTS = 8
"""How many interrupts may come on top of them."""

_UNSAYABLE = (TypeError, ValueError, RecursionError, OverflowError, RigctlError)
"""What is raised where a hook's result cannot be said in JSON, or is too large."""


class Talk:
    """Answers what controllers ask of a rig.

    Args:
        rig: what is commanded.
        server: where requests come from and answers go.
    """

    def __init__(self, rig: Rig, server: Communicator) -> None:
        self._rig = rig
        self._server = server
        self._tasks: set[asyncio.Task[Message]] = set()

    async def run(self) -> None:
        """Answer requests until cancelled; what is under way then is refused."""
        try:
            async for request in self._server.requests():
                self._take(request)
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, request: Request) -> None:
        event = request.message.event
        log.debug("%s from %s port %d", event.label, *request.addr)
        try:
            question = _QUESTIONS.get(event)
            if question:
                self._answer(request, question(self._rig, request.message))
            else:
                self._begin(request)
        except Refused as error:
            log.warning("%s refused: %s", event.label, error)
            self._answer(request, verbs.error_message(error, event))
        except Exception as error:  # one message must never end the daemon
            log.error("%s failed: %s", event.label, error, exc_info=error)
            self._answer(request, verbs.error_message(error, event))

    def _begin(self, request: Request) -> None:
        """Have a command carried out.

        Raises:
            Refused: too many wait already.
        """
        event = request.message.event
        more = _MORE_INTERRUPTS if event is Event.EXPINTERRUPT else 0
        if len(self._tasks) >= _MAX_COMMANDS + more:
            raise Refused(f"{len(self._tasks)} commands wait already; ask the status, or interrupt")
        task = asyncio.create_task(self._command(request), name=f"{event.label} {request.addr}")
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._ended, request))

    def _ended(self, request: Request, task: asyncio.Task[Message]) -> None:
        """Answer a command, also one that was cancelled before it began."""
        self._tasks.discard(task)
        stopped = Refused("the daemon is being stopped")
        if task.cancelled():
            self._answer(request, verbs.error_message(stopped, request.message.event))
        else:
            self._answer(request, task.result())

    async def _command(self, request: Request) -> Message:
        """Carry out a command and return its answer, whatever comes of it."""
        event = request.message.event
        try:
            return _reply(request.message, await self._rig.command(_command(request)))
        except RigctlError as error:
            log.warning("%s refused or failed: %s", event.label, error)
            return verbs.error_message(error, event)
        except Exception as error:
            log.error("%s failed: %s", event.label, error, exc_info=error)
            return verbs.error_message(error, event)

    def _answer(self, request: Request, answer: Message) -> None:
        event = request.message.event
        try:
            self._server.answer(request, answer)
        except _UNSAYABLE as error:
            log.error("the answer to %s cannot be sent: %s", event.label, error)
            self._server.answer(request, verbs.error_message(error, event))


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
    rig.clock_notes.question(message.args[1] if len(message.args) > 1 else None)
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
