"""`Services`: all rigs of a lab told at once, under the names users of the predecessor know.

From: users' scripts, `controller.desk`.  To: one communicator per rig.

A fan-out puts its message on the wire to every rig before it waits for any, waits for all, and
raises one error that holds every failing rig's own.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

from rigctl.controller.fanout import Messages, fan_out
from rigctl.errors import RigctlError, RigsFailed, RigsTimedOut
from rigctl.messages import Event, ExpRef, Json, Status
from rigctl.net import EchoProtocol, verbs
from rigctl.net.callbacks import Callback

Replies = dict[str, list[Json]]
"""Each rig's reply by its name: the list of the message's arguments."""


class Services(Mapping[str, EchoProtocol]):
    """A lab's rigs by name.

    Args:
        remote_rigs: one open communicator per rig, in the client role.
        timeout: seconds to wait for each rig's reply after its echo.
    """

    def __init__(self, remote_rigs: Sequence[EchoProtocol], timeout: float = 10.0) -> None:
        if not all(isinstance(rig, EchoProtocol) for rig in remote_rigs):
            raise TypeError("remote_rigs holds EchoProtocol clients")
        self._rigs = {rig.name: rig for rig in remote_rigs}
        if len(self._rigs) < len(remote_rigs):
            raise ValueError("two rigs have the same name")
        self.timeout = timeout

    def __getitem__(self, name: str) -> EchoProtocol:
        return self._rigs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rigs)

    def __len__(self) -> int:
        return len(self._rigs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    @property
    def is_connected(self) -> bool:
        """Whether there are rigs and the way to each is open."""
        return bool(self._rigs) and all(rig.is_connected for rig in self.values())

    def close(self) -> None:
        """Close all communicators."""
        for rig in self.values():
            rig.close()

    async def init(self, data: Json = None, concurrent: bool = True) -> Replies:
        """Have all rigs get ready and return their replies.

        Args:
            data: anything that JSON can say, such as ``{"exp_ref": ref}``.
            concurrent: if False, each rig is told after the one before has replied.

        Raises:
            RigsFailed: at least one rig did not confirm, did not reply, or failed; holds each
                rig's own error.  `RigsTimedOut`, a TimeoutError, if all of them are timeouts.
        """
        return await self.tell(verbs.init_message(data), concurrent=concurrent)

    async def start(
        self, exp_ref: str | Mapping[str, Json] | ExpRef, data: Json = None, concurrent: bool = True
    ) -> Replies:
        """Have all rigs begin; arguments and errors as `init`."""
        return await self.tell(verbs.start_message(exp_ref, data), concurrent=concurrent)

    async def stop(
        self, data: Json = None, immediately: bool = False, concurrent: bool = True
    ) -> Replies:
        """Have all rigs stop, the last one first; as `init`."""
        message = verbs.stop_message(data, immediately)
        return await self.tell(message, concurrent=concurrent, reverse=True)

    async def cleanup(self, data: Json = None, concurrent: bool = True) -> Replies:
        """Have all rigs release devices and seal files, the last one first; as `init`."""
        return await self.tell(verbs.cleanup_message(data), concurrent=concurrent, reverse=True)

    async def status(
        self, status: str | int | Status = Status.CONNECTED, concurrent: bool = True
    ) -> Replies:
        """Exchange statuses; as `init`."""
        return await self.tell(verbs.status_message(status), concurrent=concurrent)

    async def info(
        self,
        status: str | int | Status = Status.CONNECTED,
        data: Json = None,
        concurrent: bool = True,
    ) -> Replies:
        """Exchange statuses and details; as `init`."""
        return await self.tell(verbs.info_message(status, data), concurrent=concurrent)

    async def alyx(self, alyx: verbs.AlyxClient) -> None:
        """Hand a database token to all rigs; errors as `init`."""
        message = verbs.alyx_message(alyx)
        errors = {}
        for name, rig in self.items():
            try:
                await rig.confirmed_send(message)
            except RigctlError as error:
                errors[name] = error
        raise_failures(errors, {})

    async def tell(
        self,
        message: Messages,
        *,
        names: Sequence[str] | None = None,
        concurrent: bool = True,
        reverse: bool = False,
        timeout: float | None = None,
    ) -> Replies:
        """Send a message to all rigs, or to some, and return their replies; as `init`.

        Args:
            message: the same one for all; or each rig's own, by name or as a function of it.
            names: which rigs; all if None, or those that have a message of their own.
            concurrent: if False, each rig is told after the one before has replied.
            reverse: whether the last rig is told first.
            timeout: seconds to wait for each rig's reply, `self.timeout` if None.
        """
        chosen = [n for n in self if not isinstance(message, Mapping) or n in message]
        rigs = [self[name] for name in (chosen if names is None else names)]
        if reverse:
            rigs.reverse()
        within_s = (self.timeout if timeout is None else timeout) or None
        found: Replies = {}
        errors: dict[str, Exception] = {}
        for group in [rigs] if concurrent else [[rig] for rig in rigs]:
            replies, errors = await fan_out(group, message, within_s)
            found |= {name: list(reply.args) for name, reply in replies.items()}
            if errors:
                break
        found = {name: found[name] for name in self if name in found}
        raise_failures(errors, found)
        return found

    def assign_callback(
        self, event: str | int | Event, callback: Callback, return_service: bool = False
    ) -> None:
        """Have a function called when any rig sends an event.

        It gets (data, addr), and with `return_service` the rig's communicator as a third value.
        """
        for rig in self.values():
            if return_service and callable(callback):
                rig.assign_callback(event, _with_service(callback, rig))
            else:
                rig.assign_callback(event, callback)

    def clear_callbacks(
        self, event: str | int | Event, callback: Callback | None = None
    ) -> dict[str, int]:
        """Forget one callback, or all, of an event; return how many per rig."""
        return {rig.name: rig.clear_callbacks(event, callback) for rig in self.values()}

    async def await_all(self, event: str | int | Event) -> Replies:
        """Wait until every rig has sent an event and return what each sent.

        Raises:
            RigsTimedOut: some did not within the timeout.
        """

        async def wait(rig: EchoProtocol) -> Any:
            async with asyncio.timeout(self.timeout or None):
                return list((await rig.on_event(event))[0])

        results = await asyncio.gather(*map(wait, self.values()), return_exceptions=True)
        found: dict[str, Any] = dict(zip(self, results, strict=True))
        label = Event.parse(event).label
        errors: dict[str, Exception] = {}
        for name, result in found.items():
            if isinstance(result, TimeoutError):
                errors[name] = TimeoutError(f"sent no {label} within {self.timeout:g} s")
            elif isinstance(result, Exception):
                errors[name] = result
        raise_failures(errors, {n: r for n, r in found.items() if n not in errors})
        return found


def raise_failures(errors: Mapping[str, Exception], replies: Mapping[str, Any]) -> None:
    """Raise one error for all failing rigs, if there are any.

    Raises:
        RigsFailed: there are; `RigsTimedOut` if every one of them is a timeout.
    """
    if errors:
        raise failure(errors, replies)


def failure(
    errors: Mapping[str, Exception], replies: Mapping[str, Any] | None = None, note: str = ""
) -> RigsFailed:
    """Return the one error that stands for all: a timeout if every one of them is."""
    timed_out = all(isinstance(error, TimeoutError) for error in errors.values())
    return (RigsTimedOut if timed_out else RigsFailed)(errors, replies, note)


def _with_service(callback: Callable[..., object], rig: EchoProtocol) -> Callable[..., object]:
    @functools.wraps(callback, assigned=(), updated=())
    def call(*values: Any) -> object:
        return callback(*values, rig)

    call.wraps = callback  # type: ignore[attr-defined]  # so that the callback can be cleared
    return call
