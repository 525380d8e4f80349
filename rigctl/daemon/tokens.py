"""Whose commands are carried out, by the tokens of what controllers begin and give up.

From: `daemon.rig`, which tells of every command.  To: the same, which carries it out or not.

A network may deliver an INIT or START long after its controller has given up, and had undone, what
it belongs to: it must not be begun again then.
"""

from collections import deque

from rigctl.daemon.command import Command
from rigctl.daemon.states import INIT, START
from rigctl.errors import Refused

_REMEMBERED = 64
"""How many tokens that were given up are kept; each is one start of one controller."""


class Tokens:
    """Knows what was given up."""

    def __init__(self) -> None:
        self._given_up: deque[str] = deque(maxlen=_REMEMBERED)

    def hear(self, command: Command, owner: str, *, idle: bool) -> None:
        """Take note of a command that has come; a roll-back undoes what it began, nothing else.

        Args:
            command: what has come.
            owner: by whose token the rig does what it does.
            idle: whether it does nothing.

        Raises:
            Refused: another controller began what is to be undone.
        """
        if not command.abandon:
            return
        if command.by and command.by not in self._given_up:
            self._given_up.append(command.by)
        if not idle and command.by != owner:
            raise Refused("this was begun by another controller and is left alone")

    def check(self, command: Command) -> None:
        """Check, when its turn has come, that a command does not belong to what was given up.

        Raises:
            Refused: it does.
        """
        if command.event in (INIT, START) and command.by in self._given_up:
            raise Refused(f"{command.event.label} came late: its controller has given it up")
