"""The communicator: one end of the confirmed echo, sockets and timers included.

From: `net.echo_protocol`, the controller (client role) and the daemon (server role).
To: `net.echo` through one `Link` per peer, and `net.udp` or `net.tcp`.

A client speaks to one rig; a server answers any number of controllers.  Two acknowledgements are
never mixed up: a message is *confirmed* when its echo came, *replied* when its result came back.
"""

import logging
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Self

from rigctl.address import Address
from rigctl.messages import ERROR, Message
from rigctl.net.callbacks import Callbacks
from rigctl.net.echo import Dialect, Echo
from rigctl.net.incoming import Incoming
from rigctl.net.inputs import Answer, Command
from rigctl.net.link import Link
from rigctl.net.links import Links
from rigctl.net.options import Options
from rigctl.net.outputs import (
    Answered,
    Begun,
    Confirmed,
    Delivered,
    Ignored,
    Mangled,
    Output,
    Oversized,
    Rejected,
    Stored,
    Unconfirmed,
    Unkeyed,
)
from rigctl.net.request import Inbox, Request, no_more
from rigctl.net.route import Route
from rigctl.net.station import Station
from rigctl.net.tickets import Ticket, Tickets
from rigctl.net.transport import PeerAddress
from rigctl.net.verbs import error_message


class Communicator:
    """One end of the confirmed echo; made by `client` or `server`.

    Args:
        address: the peer's address for a client, the local one for a server.
        role: ``client`` or ``server``.
        name: what the peer is called in errors and logs.
        options: how it speaks.
        station: what it shares with other communicators of this program, as the UDP and TCP sides
            of one server do; its own if None.
    """

    iterates: ClassVar[bool] = True
    """Whether a server of this class is served by `requests`, from its start to its end."""

    def __init__(
        self,
        address: Address,
        role: str,
        *,
        name: str = "",
        options: Options | None = None,
        station: Station | None = None,
    ) -> None:
        self._route = Route(address, self, options or Options())
        self.role = role
        self.name = name or str(address)
        self.options = options or Options()
        self.default_echo_timeout = self.options.echo_timeout_s
        self.logger = logging.getLogger(f"{__name__}.{self.name}")
        self.station = station or Station.new(self.options.timing, key=self.options.key)
        self.clock = self.station.clock
        self.callbacks = Callbacks()
        self._tickets = Tickets()
        self._links = Links(self._make_link, self._tickets.leave)
        self._inbox = Inbox(from_start=self.iterates and role == "server")
        self._incoming = Incoming(self.station, self._inbox, self.callbacks, self.logger)

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
        self._links.close()
        self._tickets.close()
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
        link = self._links.find(self._route.peer)
        return link.engine.dialect if link else self.options.dialect

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
        link = self._links.to(addr)
        answers, id = link.take_open(message.event) if self.role == "server" else (False, None)
        self._route.check_size(message, link.engine.most_bytes(answers=id is not None))
        who = (self.name, self.server_uri, timeout_s, reply_timeout_s)
        keyed = self.station.context.seal is not None
        ticket = Ticket(self._tickets.number(), message, *who, keyed)
        self._tickets.add(ticket)
        self._route.about_to_send()
        if answers:
            link.answer(Answer(ticket.number, message, id, timeout_s))
        else:
            link.send(Command(ticket.number, message, timeout_s, reply_timeout_s))
        return ticket

    def forget(self, ticket: Ticket) -> None:
        """Nobody waits for this ticket any more; a late answer to it resolves nothing."""
        self._tickets.forget(ticket)
        for link in self._links:
            link.forget(ticket.number)

    def answer(self, request: Request, message: Message) -> None:
        """Answer a request; its delivery is seen to by the engine, nobody waits for it.

        Raises:
            TooLarge: it does not fit the transport.
            TypeError: an argument cannot be written as JSON.
        """
        link = self._links.back_to(request.addr, request.id)
        self._route.check_size(message, link.engine.most_bytes(answers=request.id is not None))
        open_ids = link.open.get(request.message.event)
        if open_ids and request.id in open_ids:
            open_ids.remove(request.id)
        timing = self.options.timing
        timeout_s = timing.plain_answer_s if request.id is None else timing.answer_s
        link.answer(Answer(self._tickets.number(), message, request.id, timeout_s))

    async def requests(self) -> AsyncIterator[Request]:
        """Yield what peers send, in order; every request is to be answered with `answer`.

        What nobody took when the iteration ends is refused.
        """
        self._inbox.open()
        try:
            while True:
                yield await self._inbox.get()
        finally:
            for request in self._inbox.close():
                if self.is_connected:
                    self.answer(request, error_message(no_more(), request.message.event))

    def received(self, data: bytes, addr: PeerAddress) -> bool:
        """The transport has one message's bytes; return whether their sender may speak."""
        self._route.heard()
        seal = self.station.context.seal
        if seal and not self._links.find(addr) and not seal.is_intact(data):
            self._incoming.reject("a message without our key's seal", addr)
            return False  # strangers do not even get to be remembered
        return self._links.to(addr).receive(data)

    def connected(self, addr: PeerAddress) -> None:
        """A stream to a peer is open."""
        self.logger.debug("connected to %s port %d", *addr)

    def disconnected(self, addr: PeerAddress, error: Exception | None) -> None:
        """A stream to a peer is closed; a client with something under way connects anew."""
        self.logger.debug("disconnected from %s port %d: %s", *addr, error)
        if self.role == "server":
            self._links.drop(addr)
        else:
            self._route.lost(self.default_echo_timeout, error)

    def moved(self, old: PeerAddress, new: PeerAddress) -> None:
        """A client's stream was opened (anew): the peer goes by another address now."""
        self._links.move(old, new)

    def lack_stream(self) -> None:
        """No stream can be opened beside a client's UDP socket."""
        if link := self._links.find(self._route.peer):
            link.lack_stream()

    @property
    def has_outstanding(self) -> bool:
        """Whether anything sent is not confirmed or not answered yet."""
        return any(link.engine.outstanding for link in self._links)

    def failed(self, error: Exception) -> None:
        """The system reports an error of the socket."""
        self._route.failed(error)

    def handle(self, link: Link, output: Output) -> None:
        """Take what a link's engine has to tell."""
        match output:
            case Delivered():
                self._deliver(link, output)
            case Begun() | Stored():
                self._incoming.remember(output)
            case Rejected(reason):
                self._incoming.reject(reason, link.addr)
            case Ignored(reason):
                self.logger.debug("%s: ignored from %s: %s", self.name, link.addr, reason)
            case (
                Confirmed(number)
                | Unkeyed(number)
                | Mangled(number)
                | Oversized(number)
                | Unconfirmed(number)
                | Answered(number)
            ):
                self._tickets.take(number, output, trouble=self._route.trouble)
                numbered = link.engine.dialect is Dialect.RIGCTL
                if isinstance(output, Unconfirmed) and self.role == "client" and numbered:
                    self._route.renew()

    def _deliver(self, link: Link, delivered: Delivered) -> None:
        request, error = self._incoming.deliver(delivered, link.addr)
        if error is not None and request.message.event is not ERROR:
            self.answer(request, error_message(error, request.message.event))

    def _make_link(self, addr: PeerAddress) -> Link:
        asks, streams = self.role == "client", self.address.scheme != "udp"
        engine = Echo(self.station.context, self.options.dialect, asks=asks, streams=streams)
        return Link(addr, engine, self, self._route.send)

    def _checked_peer(self, addr: PeerAddress | None) -> PeerAddress:
        if self.role == "client":
            if addr and addr not in (self._route.peer, (self.address.host, self.address.port)):
                raise ValueError(f"this client speaks to {self.server_uri} only, not to {addr}")
            return self._route.peer
        if not addr:
            raise TypeError("a server has many peers: say which one by addr=(host, port)")
        return addr
