"""The communicator: one end of the confirmed echo, sockets and timers included.

From: `net.echo_protocol`, the controller (client role) and the daemon (server role).
To: `net.echo` through one `Link` per peer, and `net.udp` or `net.tcp`.

A client speaks to one rig; a server answers any number of controllers.  Two acknowledgements are
never mixed up: a message is *confirmed* when its echo came, *replied* when its result came back.
"""

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Self

from rigctl.address import Address
from rigctl.errors import Refused, TooLarge
from rigctl.messages import ERROR, Message
from rigctl.net.callbacks import Callbacks
from rigctl.net.clock import Offset, RigClock
from rigctl.net.codec import MAX_MESSAGE_BYTES, encode
from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Answer, Command
from rigctl.net.link import Link
from rigctl.net.numbered import Context, Identity
from rigctl.net.outputs import (
    Answered,
    Confirmed,
    Delivered,
    Ignored,
    Mangled,
    MessageId,
    Output,
    Unconfirmed,
)
from rigctl.net.route import Route
from rigctl.net.tickets import Ticket
from rigctl.net.timing import Timing
from rigctl.net.transport import UDP_MAX_BYTES, PeerAddress
from rigctl.net.verbs import error_message

_MAX_LINKS = 1024
"""How many peers a server remembers; the one longest unheard of is forgotten first."""
_MAX_REQUESTS = 1000
"""How many delivered messages wait for a server that iterates; further ones are refused."""
_ENVELOPE_BYTES = 300
"""What the envelope adds to a message, at the most."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message that a peer sent to a server, waiting to be answered."""

    message: Message
    addr: PeerAddress
    id: MessageId | None
    within_s: float | None
    """How long the peer waits for the answer, where it says so."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a communicator speaks."""

    dialect: Dialect = Dialect.AUTO
    timing: Timing = field(default_factory=Timing)
    echo_timeout_s: float = 1.0
    reply_timeout_s: float = 10.0
    max_bytes: int = MAX_MESSAGE_BYTES


class Communicator:
    """One end of the confirmed echo; made by `client` or `server`.

    Args:
        address: the peer's address for a client, the local one for a server.
        role: ``client`` or ``server``.
        name: what the peer is called in errors and logs.
        options: how it speaks.
        like: shares its identity and its memory of executed commands with another communicator,
            as the UDP and TCP sides of one server do.
    """

    def __init__(
        self,
        address: Address,
        role: str,
        *,
        name: str = "",
        options: Options | None = None,
        like: "Communicator | None" = None,
    ) -> None:
        self._route = Route(address, self, (options or Options()).max_bytes)
        self.role = role
        self.name = name or str(address)
        self.options = options or Options()
        self.default_echo_timeout = self.options.echo_timeout_s
        self.logger = logging.getLogger(f"{__name__}.{self.name}")
        self.clock = RigClock()
        own = Context(Identity(secrets.token_hex(8)), self.options.timing)
        self.context: Context = like.context if like else own
        self.callbacks = Callbacks()
        self._links: dict[PeerAddress, Link] = {}
        self._tickets: dict[int, Ticket] = {}
        self._numbers = itertools.count(1)
        self._requests: asyncio.Queue[Request] | None = None
        self._refused = False

    async def listen(self, **socket_options: Any) -> None:
        """Open the socket of a server; port 0 takes a free one, which `port` tells.

        Raises:
            OSError: the address cannot be bound.
        """
        await self._route.listen(**socket_options)

    async def open(self, **socket_options: Any) -> None:
        """Open the socket of a client; it is opened anew by itself when a stream broke.

        Raises:
            Unreachable: the host is not known, or (TCP) nothing listens there.
        """
        if self.role == "client":
            await self._route.open(self.default_echo_timeout, **socket_options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the sockets, forget all callbacks, cancel all that waits."""
        self._route.close()
        for link in self._links.values():
            link.close()
        for ticket in list(self._tickets.values()):
            ticket.closed()
        self._tickets.clear()
        self.callbacks.close()

    @property
    def address(self) -> Address:
        """The peer's address for a client, the local one for a server."""
        return self._route.address

    @property
    def server_uri(self) -> str:
        """The rig's (or, for a server, our own) address as a URI."""
        return str(self.address)

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open (a stream: connected)."""
        return self._route.is_open

    @property
    def dialect(self) -> Dialect:
        """How a client's rig is spoken to at present; AUTO before it is known."""
        link = self._links.get(self._route.peer)
        return link.engine.dialect if link else self.options.dialect

    @property
    def clock_offset(self) -> Offset | None:
        """The rig's clock minus ours, with its bound; None before an echo has told it."""
        link = self._links.get(self._route.peer)
        return link.offset.at(self.clock.now().clock) if link else None

    async def request(self, message: Message, *, timeout_s: float | None = None) -> Message:
        """Send a command to the rig and wait for its echo and its reply.

        Raises:
            NoEcho, NoReply, Unreachable: as their names say.
            RemoteError: the rig failed at it or refused it.
        """
        await self.open()
        within_s = self.options.reply_timeout_s if timeout_s is None else timeout_s
        ticket = self.submit(message, reply_timeout_s=within_s)
        try:
            return await ticket.reply()
        finally:
            self.forget(ticket)

    def submit(
        self,
        message: Message,
        *,
        addr: PeerAddress | None = None,
        echo_timeout_s: float | None = None,
        reply_timeout_s: float | None = None,
    ) -> Ticket:
        """Put a message on the wire without waiting; `forget` the ticket when done with it.

        Raises:
            TooLarge: it does not fit the transport.
        """
        addr = self._checked_peer(addr)
        timeout_s = self.default_echo_timeout if echo_timeout_s is None else echo_timeout_s
        if not timeout_s > 0:
            raise ValueError("the timeout must be more than 0 s")
        self._check_size(message)
        ticket = Ticket(
            next(self._numbers), message, self.name, self.server_uri, timeout_s, reply_timeout_s
        )
        self._tickets[ticket.number] = ticket
        self._refused = False
        link = self._link(addr)
        answers, id = link.take_open(message.event) if self.role == "server" else (False, None)
        if answers:
            link.answer(Answer(ticket.number, message, id, timeout_s))
        else:
            link.send(Command(ticket.number, message, timeout_s, reply_timeout_s))
        return ticket

    def forget(self, ticket: Ticket) -> None:
        """Nobody waits for this ticket any more; a late answer to it resolves nothing."""
        self._tickets.pop(ticket.number, None)
        for link in self._links.values():
            link.forget(ticket.number)

    def answer(self, request: Request, message: Message) -> None:
        """Answer a request; its delivery is seen to by the engine, nobody waits for it."""
        link = self._link_of(request)
        open_ids = link.open.get(request.message.event)
        if open_ids and request.id in open_ids:
            open_ids.remove(request.id)
        timeout_s = self.options.timing.answer_s
        link.answer(Answer(next(self._numbers), message, request.id, timeout_s))

    async def requests(self) -> AsyncIterator[Request]:
        """Yield what peers send, in order; every request is to be answered with `answer`."""
        self._requests = asyncio.Queue(_MAX_REQUESTS)
        try:
            while True:
                yield await self._requests.get()
        finally:
            self._requests = None

    def received(self, data: bytes, addr: PeerAddress) -> None:
        """The transport has one message's bytes."""
        self._refused = False
        self._link(addr).receive(data)

    def connected(self, addr: PeerAddress) -> None:
        """A stream to a peer is open."""
        self.logger.debug("connected to %s port %d", *addr)

    def disconnected(self, addr: PeerAddress, error: Exception | None) -> None:
        """A stream to a peer is closed; a client with something under way connects anew."""
        self.logger.debug("disconnected from %s port %d: %s", *addr, error)
        if self.role == "server":
            self._drop(addr)
        else:
            self._route.lost(self.default_echo_timeout)

    def moved(self, old: PeerAddress, new: PeerAddress) -> None:
        """A client's stream was opened (anew): the peer goes by another address now."""
        if link := self._links.pop(old, None):
            link.addr = new
            self._links[new] = link
            link.reconnected()

    @property
    def has_outstanding(self) -> bool:
        """Whether anything sent is not confirmed or not answered yet."""
        return any(link.engine.outstanding for link in self._links.values())

    def failed(self, error: Exception) -> None:
        """The system reports an error of the socket."""
        self._refused = isinstance(error, ConnectionRefusedError)

    def handle(self, link: Link, output: Output) -> None:
        """Take what a link's engine has to tell."""
        match output:
            case Delivered():
                self._deliver(link, output)
            case Ignored(reason):
                self.logger.debug("%s: ignored from %s: %s", self.name, link.addr, reason)
            case Confirmed(number) | Mangled(number) | Unconfirmed(number) | Answered(number):
                if ticket := self._tickets.get(number):
                    self._resolve(ticket, output)

    def _resolve(self, ticket: Ticket, output: Output) -> None:
        match output:
            case Confirmed():
                ticket.confirm()
            case Answered(_, message):
                ticket.answer(message)
            case Mangled():
                ticket.mangled()
            case Unconfirmed(_, attempts):
                ticket.unconfirmed(attempts, self._refused)

    def _deliver(self, link: Link, delivered: Delivered) -> None:
        message = delivered.message
        if self._requests is not None and message.event is not ERROR:
            request = Request(message, link.addr, delivered.id, delivered.within_s)
            try:
                self._requests.put_nowait(request)
            except asyncio.QueueFull:
                self.answer(
                    request, error_message(Refused("too many commands wait"), message.event)
                )
        error = self.callbacks.dispatch(message, link.addr)
        if error is not None and message.event is not ERROR:
            request = Request(message, link.addr, delivered.id, None)
            self.answer(request, error_message(error, message.event))

    def _link(self, addr: PeerAddress) -> Link:
        link = self._links.pop(addr, None)
        if link is None:
            while len(self._links) >= _MAX_LINKS:
                self._drop(next(iter(self._links)))
            asks, streams = self.role == "client", self.address.scheme != "udp"
            engine = Echo(self.context, self.options.dialect, asks=asks, streams=streams)
            link = Link(addr, engine, self, self._route.send)
        self._links[addr] = link  # the last in the dict is the one heard of most recently
        return link

    def _link_of(self, request: Request) -> Link:
        """Find the way back: the peer may have come back from another port meanwhile."""
        if request.id is not None and request.addr not in self._links:
            for link in reversed(self._links.values()):
                if link.engine.peer_epoch == request.id[0]:
                    return link
        return self._link(request.addr)

    def _drop(self, addr: PeerAddress) -> None:
        if link := self._links.pop(addr, None):
            link.close()

    def _checked_peer(self, addr: PeerAddress | None) -> PeerAddress:
        if self.role == "client":
            if addr and addr not in (self._route.peer, (self.address.host, self.address.port)):
                raise ValueError(f"this client speaks to {self.server_uri} only, not to {addr}")
            return self._route.peer
        if not addr:
            raise TypeError("a server has many peers: say which one by addr=(host, port)")
        return addr

    def _check_size(self, message: Message) -> None:
        most = self.options.max_bytes
        if self.address.scheme == "udp":
            most = min(most, UDP_MAX_BYTES)
        size = len(encode(message)) + _ENVELOPE_BYTES
        if size > most:
            text = (
                f"{message.event.label} has {size} bytes, and {self.server_uri} takes {most} at "
                "the most: send less"
            )
            raise TooLarge(text, name=self.name, uri=self.server_uri, command=message.event.label)
