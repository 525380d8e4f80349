"""What peers send of their own accord: remembered, handed on, or rejected.

From: `net.communicator`.  To: the station's ledger and tally, the inbox, callbacks.
"""

import logging

from rigctl.errors import JournalError, RigctlError
from rigctl.messages import ERROR
from rigctl.net.callbacks import Callbacks
from rigctl.net.ledger import BEGINNINGS
from rigctl.net.outputs import Begun, Delivered, MessageId, Stored
from rigctl.net.request import Inbox, Request
from rigctl.net.station import Station
from rigctl.net.transport import PeerAddress


class Incoming:
    """Takes what the engines of one communicator deliver.

    Args:
        station: where it is remembered and counted.
        inbox: keeps it for who iterates.
        callbacks: are called at once.
        logger: the communicator's.
    """

    def __init__(
        self, station: Station, inbox: Inbox, callbacks: Callbacks, logger: logging.Logger
    ) -> None:
        self._station = station
        self._inbox = inbox
        self._callbacks = callbacks
        self._logger = logger
        self._forgotten: dict[MessageId, JournalError] = {}

    def remember(self, output: Begun | Stored) -> None:
        """Have the journal know of a command, before it is delivered and before it is answered."""
        ledger = self._station.ledger
        if ledger is None:
            return
        try:
            if isinstance(output, Begun):
                ledger.begun(output.id, output.event)
            else:
                ledger.answered(output.id, output.answer)
        except JournalError as error:
            self._logger.error("%s", error)
            # It is delivered next, and refused there; what ends something is carried out all the
            # same: a full disk must not keep anybody from stopping what runs.
            if isinstance(output, Begun) and output.event in BEGINNINGS:
                self._forgotten[output.id] = error

    def deliver(self, delivered: Delivered, addr: PeerAddress) -> tuple[Request, Exception | None]:
        """Hand a message on; return it with the reason for which it is refused, if it is."""
        message = delivered.message
        request = Request(message, addr, delivered.id, delivered.within_s)
        refused: RigctlError | None = None
        if delivered.id:
            refused = self._forgotten.pop(delivered.id, None)
        if refused is None and message.event is not ERROR:
            refused = self._inbox.put(request)
        return request, refused or self._callbacks.dispatch(message, addr)

    def reject(self, reason: str, addr: PeerAddress) -> None:
        """Count what nobody who may speak here has sent; say so now and then."""
        now_s = self._station.clock.now().monotonic
        if count := self._station.rejections.add(reason, now_s):
            text = "rejected %d message%s, the last from %s port %d: %s"
            self._logger.warning(text, count, "s" * (count != 1), *addr, reason)
