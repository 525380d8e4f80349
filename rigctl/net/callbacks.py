"""Who is told of which event: the predecessor's callbacks and futures.

From: `net.communicator`, which hands it delivered messages.  To: users' functions and futures.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from rigctl.errors import RemoteError
from rigctl.messages import ANY_EVENT, ERROR, Event, Message
from rigctl.net.transport import PeerAddress

log = logging.getLogger(__name__)

Callback = Callable[..., object] | asyncio.Future[Any]
"""Called with (data, addr), or resolved with that tuple; where several events were asked for
together, the event follows as a third value.  `data` is the list of the message's arguments."""


class Callbacks:
    """Callbacks by event."""

    def __init__(self) -> None:
        self._entries: dict[Event, list[tuple[Callback, bool]]] = {
            event: [] for event in (ERROR, *ANY_EVENT)
        }

    def assign(self, event: str | int | Event, callback: Callback) -> None:
        """Have a function called, or a future resolved, when an event comes.

        A function is called each time, a future is resolved once.

        Raises:
            TypeError: the callback is neither a function nor a future.
        """
        event = Event.parse(event)
        if not (callable(callback) or asyncio.isfuture(callback)):
            raise TypeError("a callback is a function or a future")
        for single in event or (ERROR,):
            self._entries[single].append((callback, event.value.bit_count() > 1))

    def clear(
        self,
        event: str | int | Event,
        callback: Callback | None = None,
        cancel_futures: bool = True,
    ) -> int:
        """Forget one callback, or all, of an event; return how many were forgotten."""
        removed = 0
        for single in Event.parse(event) or (ERROR,):
            gone = [e for e in self._entries[single] if callback is None or _same(e[0], callback)]
            self._entries[single] = [e for e in self._entries[single] if e not in gone]
            removed += len(gone)
            for entry, _ in gone:
                if cancel_futures and isinstance(entry, asyncio.Future):
                    entry.cancel()
        return removed

    def dispatch(self, message: Message, addr: PeerAddress) -> Exception | None:
        """Tell everyone who asked for the message's event; return the first failure."""
        if message.event is ERROR:
            self._fail_waiting(message)
        for callback, with_event in list(self._entries[message.event]):
            values = (list(message.args), addr, *([message.event] if with_event else []))
            if isinstance(callback, asyncio.Future):
                self.clear(message.event, callback, cancel_futures=False)
                if not callback.done():
                    callback.set_result(values)
                continue
            try:
                callback(*values)
            except Exception as error:
                log.error("callback for %s failed: %s", message.event.label, error, exc_info=error)
                return error
        return None

    def close(self) -> None:
        """Forget all callbacks and cancel all futures."""
        self.clear(ANY_EVENT)
        self.clear(ERROR)

    def _fail_waiting(self, message: Message) -> None:
        """The peer failed at an event: futures that wait for that event fail at once."""
        text, event = remote_error(message)
        for single in event or ():
            for callback, _ in list(self._entries[single]):
                if isinstance(callback, asyncio.Future):
                    self.clear(single, callback, cancel_futures=False)
                    if not callback.done():
                        callback.set_exception(RemoteError(text, command=event.label))


def remote_error(message: Message) -> tuple[str, Event]:
    """Return the text of an error message and the event that failed (`ERROR` if not told)."""
    text = str(message.args[0]) if message.args else "an error without text"
    try:
        return text, Event.parse(message.args[1])
    except (IndexError, ValueError, TypeError):
        return text, ERROR


def _same(one: Callback, other: Callback) -> bool:
    """Whether two callbacks are one, seen through the wrapping that `Services` adds."""
    return one == other or getattr(one, "wraps", None) == getattr(other, "wraps", other)
