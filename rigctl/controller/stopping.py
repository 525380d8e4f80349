"""The order and the instants in which rigs are stopped, and cleaned up after it.

From: `controller.desk`, `controller.resume`.  To: `controller.telling`.

All rigs stop at one instant, told in the reverse of the lab file's order.  Those that the lab
stops last, such as the one that gives the synchronisation pulses, are told only when all others
have stopped or failed, one after the other, each for an instant of its own.
"""

from collections.abc import Collection, Sequence

from rigctl.controller.clocks import clock_data
from rigctl.controller.instants import Instant, probe, set_instant
from rigctl.controller.services import Replies
from rigctl.controller.telling import Errors, Telling
from rigctl.messages import Json, Message
from rigctl.net import verbs


def stop_order(
    names: Sequence[str], stop_last: Sequence[str], *, at_once: bool = False
) -> list[list[str]]:
    """Return the groups of rigs that are stopped one group after the other (pure).

    Args:
        names: which rigs, in the order of the lab file.
        stop_last: those that are stopped last, in this order.
        at_once: whether nobody waits for anybody; only the order of the messages is kept.
    """
    others = [name for name in reversed(names) if name not in stop_last]
    last = [name for name in stop_last if name in names]
    groups = [[*others, *last]] if at_once else [others, *([name] for name in last)]
    return [group for group in groups if group]


class Stopping:
    """Ends what rigs do, in order; one that fails keeps no other from it.

    Args:
        telling: the way to the rigs.
        stop_last: the rigs that are told when all others are through, in this order.
    """

    def __init__(self, telling: Telling, stop_last: Sequence[str]) -> None:
        self._telling = telling
        self._stop_last = stop_last

    async def stop(self, names: Collection[str], go_after_s: float) -> tuple[Replies, Errors]:
        """Have rigs stop, each group at one instant that lies so far ahead."""
        await probe([self._telling.services[name] for name in names])
        replies, errors = Replies(), Errors()
        for group in self._groups(names):
            instant = set_instant([self._telling.services[name] for name in group], go_after_s)
            messages = {name: self._stop_message(name, instant) for name in group}
            lead_s = instant.lead_s if instant else 0.0
            found, failed = await self._telling.tell(messages, group, lead_s=lead_s)
            replies |= found
            errors |= failed
        return replies, errors

    async def interrupt(self, names: Collection[str]) -> tuple[Replies, Errors]:
        """Have rigs stop now: at no instant, and nobody waits for anybody."""
        message = verbs.stop_message(None, immediately=True)
        return await self._tell_all(message, self._groups(names, at_once=True))

    async def clean(self, names: Collection[str]) -> tuple[Replies, Errors]:
        """Have rigs release devices and seal files, in the order in which they stop."""
        return await self._tell_all(verbs.cleanup_message(), self._groups(names))

    async def _tell_all(
        self, message: Message, groups: Sequence[Sequence[str]]
    ) -> tuple[Replies, Errors]:
        replies, errors = Replies(), Errors()
        for group in groups:
            found, failed = await self._telling.tell(message, group)
            replies |= found
            errors |= failed
        return replies, errors

    def _groups(self, names: Collection[str], *, at_once: bool = False) -> list[list[str]]:
        in_order = [name for name in self._telling.services if name in names]
        return stop_order(in_order, self._stop_last, at_once=at_once)

    def _stop_message(self, name: str, instant: Instant | None) -> Message:
        rig = self._telling.services[name]
        data: dict[str, Json] = {**(instant.of(rig) if instant else {}), **clock_data(rig)}
        return verbs.stop_message(data or None)
