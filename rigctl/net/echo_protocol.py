"""`EchoProtocol`: the communicator under the names that users of the predecessor know.

From: users' scripts, `controller.services`.  To: `net.communicator`.

Names, arguments and results are those of ``iblutil.io.net.app.EchoProtocol``, so that switching
is a change of one import.  What differs on purpose: a timeout closes nothing, sends to one peer
may overlap, and a peer's error is raised where its answer is awaited.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from rigctl.address import Address
from rigctl.messages import Event, ExpRef, Json, Message, Status
from rigctl.net import verbs
from rigctl.net.callbacks import Callback
from rigctl.net.communicator import Communicator
from rigctl.net.offset import Offset
from rigctl.net.options import Options
from rigctl.net.station import Station
from rigctl.net.transport import PeerAddress


class EchoProtocol(Communicator):
    """One end of the confirmed echo; made by `client` or `server`."""

    iterates: ClassVar[bool] = False
    """Callbacks serve here, unless `requests` is iterated too."""

    def __init__(
        self,
        address: Address,
        role: str,
        *,
        name: str = "",
        options: Options | None = None,
        station: Station | None = None,
    ) -> None:
        super().__init__(address, role, name=name, options=options, station=station)
        loop = asyncio.get_running_loop()
        self.on_connection_lost: asyncio.Future[Any] = loop.create_future()
        self.on_error_received: asyncio.Future[Any] = loop.create_future()
        self.on_eof_received: asyncio.Future[Any] = loop.create_future()

    @classmethod
    async def server(
        cls,
        server_uri: str,
        name: str | None = None,
        *,
        options: Options | None = None,
        **socket_options: Any,
    ) -> Self:
        """Listen for controllers.

        Args:
            server_uri: the local address; port 0 takes a free one, which `port` tells.
            name: what it is called in errors and logs.
            options: how it speaks.
            socket_options: handed to asyncio's ``create_datagram_endpoint`` or ``create_server``.

        Raises:
            ValueError: the address is wrong.
            OSError: it cannot be bound.
        """
        address = Address.parse(server_uri, any_port=True)
        self = cls(address, "server", name=name or "", options=options)
        await self.listen(**socket_options)
        return self

    @classmethod
    async def client(
        cls,
        server_uri: str,
        name: str | None = None,
        *,
        options: Options | None = None,
        **socket_options: Any,
    ) -> Self:
        """Open a communicator to one rig.

        Raises:
            ValueError: the address is wrong.
            Unreachable: the host is not known, or (TCP) nothing listens there.
        """
        self = cls(Address.parse(server_uri), "client", name=name or "", options=options)
        await self.open(**socket_options)
        return self

    async def init(self, data: Json = None, addr: PeerAddress | None = None) -> None:
        """Send EXPINIT and wait for its echo.

        Args:
            data: anything that JSON can say.
            addr: whom to send to; required in the server role.

        Raises:
            NoEcho: it was not confirmed in time.
            TooLarge: it does not fit the transport.
        """
        await self.confirmed_send(verbs.init_message(data), addr=addr)

    async def start(
        self,
        exp_ref: str | Mapping[str, Json] | ExpRef | None,
        data: Json = None,
        addr: PeerAddress | None = None,
    ) -> None:
        """Send EXPSTART and wait for its echo; arguments and errors as `init`."""
        await self.confirmed_send(verbs.start_message(exp_ref, data), addr=addr)

    async def stop(
        self, data: Json = None, immediately: bool = False, addr: PeerAddress | None = None
    ) -> None:
        """Send EXPEND (or EXPINTERRUPT) and wait for its echo; as `init`."""
        await self.confirmed_send(verbs.stop_message(data, immediately), addr=addr)

    async def cleanup(self, data: Json = None, addr: PeerAddress | None = None) -> None:
        """Send EXPCLEANUP and wait for its echo; as `init`."""
        await self.confirmed_send(verbs.cleanup_message(data), addr=addr)

    async def status(self, status: str | int | Status, addr: PeerAddress | None = None) -> None:
        """Send EXPSTATUS with a status and wait for its echo; as `init`."""
        await self.confirmed_send(verbs.status_message(status), addr=addr)

    async def info(
        self, status: str | int | Status, data: Json = None, addr: PeerAddress | None = None
    ) -> None:
        """Send EXPINFO with a status and data and wait for its echo; as `init`."""
        await self.confirmed_send(verbs.info_message(status, data), addr=addr)

    async def alyx(
        self, alyx: verbs.AlyxClient | None = None, addr: PeerAddress | None = None
    ) -> Json:
        """Send a database token, or, without one, ask for the peer's.

        Args:
            alyx: an object with ``base_url``, ``user``, ``is_logged_in`` and ``_token``.
            addr: whom to send to; required in the server role.

        Returns:
            The peer's [base_url, {user: token}] where it was asked for, else None.
        """
        message = verbs.alyx_message(alyx)
        if all(message.args):
            await self.confirmed_send(message, addr=addr)
            return None
        waiting = asyncio.ensure_future(self.on_event(Event.ALYX))
        try:
            await asyncio.sleep(0)  # lets the future be registered before the question goes out
            await self.confirmed_send(message, addr=addr)
            async with asyncio.timeout(self.options.reply_timeout_s):
                token: list[Json] = (await waiting)[0]
        finally:
            waiting.cancel()
        return token

    async def confirmed_send(
        self,
        data: Message | Sequence[Json] | str | bytes,
        addr: PeerAddress | None = None,
        timeout: float | None = None,
    ) -> None:
        """Send a message and wait for its echo.

        Args:
            data: a message, its array, or that array as JSON.
            addr: whom to send to; required in the server role.
            timeout: seconds to wait, `default_echo_timeout` if None.

        Raises:
            NoEcho: it was not confirmed in time; the communicator stays open.
            TypeError: in the server role, without an address.
            ValueError: the message, the timeout or a client's address is wrong.
        """
        if not self.is_connected:
            await self.open()
        ticket = self.submit(verbs.as_message(data), addr=addr, echo_timeout_s=timeout)
        try:
            await ticket.confirmed
        finally:
            self.forget(ticket)

    def assign_callback(self, event: str | int | Event, callback: Callback) -> None:
        """Have a function called (each time) or a future resolved (once) when an event comes.

        It gets (data, addr), `data` being the list of the message's arguments; and the event as
        a third value where several were asked for together.
        """
        self.callbacks.assign(event, callback)

    def clear_callbacks(
        self,
        event: str | int | Event,
        callback: Callback | None = None,
        cancel_futures: bool = True,
    ) -> int:
        """Forget one callback, or all, of an event; return how many were forgotten."""
        return self.callbacks.clear(event, callback, cancel_futures)

    async def on_event(self, event: str | int | Event) -> Any:
        """Wait for an event and return (data, addr), with the event if several were asked for.

        Raises:
            RemoteError: the peer's own callback for that event failed.
        """
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.assign_callback(event, waiting)
        try:
            return await waiting
        finally:
            self.clear_callbacks(event, waiting)

    @property
    def port(self) -> int:
        """The port of `server_uri`."""
        return self.address.port

    @property
    def hostname(self) -> str:
        """The host of `server_uri`."""
        return self.address.host

    @property
    def protocol(self) -> str:
        """The scheme of `server_uri`."""
        return self.address.scheme

    @property
    def clock_offset(self) -> Offset | None:
        """The rig's clock minus ours, with its bound; None before an echo has told it."""
        link = self._links.find(self._route.peer)
        return link.offset.at(self.clock.now().clock) if link else None

    def hold(self, on: bool) -> None:
        """Put nothing on the wire until this is called with False: then all goes out in a row."""
        self._route.hold(on)

    def awaiting_response(self, addr: PeerAddress | None = None) -> bool:
        """Whether something sent (to one peer, or to any) is not confirmed yet."""
        links = self._links if addr is None else [self._links.find(addr)]
        return any(link is not None and link.engine.unconfirmed for link in links)

    def disconnected(self, addr: PeerAddress, error: Exception | None) -> None:
        """A stream to a peer is closed."""
        super().disconnected(addr, error)
        if self.role == "client":
            _settle(self.on_connection_lost if error else self.on_eof_received, error or True)

    def failed(self, error: Exception) -> None:
        """The system reports an error of the socket."""
        super().failed(error)
        _settle(self.on_error_received, error)

    def close(self) -> None:
        """Close the sockets, forget all callbacks, cancel all that waits."""
        super().close()
        self.on_error_received.cancel()
        self.on_eof_received.cancel()
        _settle(self.on_connection_lost, "Close called on communicator")


def _settle(future: "asyncio.Future[Any]", value: object) -> None:
    if not future.done():
        future.set_result(value)
