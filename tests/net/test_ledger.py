"""Commands that change something are remembered before they are carried out, and answered."""

import pytest

from rigctl.address import Address
from rigctl.errors import JournalError, RemoteError, UnknownOutcome
from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol, Options
from rigctl.net.communicator import Communicator
from rigctl.net.context import Identity
from rigctl.net.echo import Dialect
from rigctl.net.station import Station

START = Message(Event.EXPSTART, ("2024-01-01_1_subject", None))
ANY = Address("udp", "127.0.0.1", 0)


class Book:
    """A ledger in memory."""

    def __init__(self, fails=False):
        self.entries = {}
        self.order = []
        self.fails = fails

    def begun(self, id, event):
        if self.fails:
            raise JournalError("the disk is full")
        self.order.append(("begun", event))
        self.entries[id] = None

    def answered(self, id, answer):
        self.order.append(("answered", id))
        self.entries[id] = answer


async def _served(book, message, effects):
    """Have a rig with that book asked something; return the reply."""
    station = Station.new(ledger=book)
    async with Communicator(ANY, "server", station=station) as server:
        await server.listen()

        def carry_out(data, addr):
            effects.append((data, list(book.order)))
            request = server._inbox._queue.get_nowait()
            server.answer(request, request.message)

        server.callbacks.assign("START", carry_out)
        for name in ("STATUS", "END", "INTERRUPT", "CLEANUP"):
            server.callbacks.assign(name, carry_out)
        options = Options(dialect=Dialect.RIGCTL)
        async with await EchoProtocol.client(server.server_uri, options=options) as client:
            return await client.request(message, timeout_s=5.0)


async def test_it_is_remembered_before_it_is_delivered_and_its_answer_before_it_goes_out():
    book, effects = Book(), []
    await _served(book, START, effects)
    assert effects == [(list(START.args), [("begun", Event.EXPSTART)])]
    assert [what for what, _ in book.order] == ["begun", "answered"]
    assert all(book.entries.values())


async def test_questions_are_not_remembered():
    book, effects = Book(), []
    await _served(book, Message(Event.EXPSTATUS, (0,)), effects)
    assert len(effects) == 1
    assert book.order == []


async def test_what_cannot_be_remembered_is_refused_and_not_carried_out():
    book, effects = Book(fails=True), []
    with pytest.raises(RemoteError, match="the disk is full"):
        await _served(book, START, effects)
    assert effects == []


@pytest.mark.parametrize("event", [Event.EXPEND, Event.EXPINTERRUPT, Event.EXPCLEANUP])
async def test_what_ends_something_is_carried_out_all_the_same(event):
    book, effects = Book(fails=True), []
    await _served(book, Message(event, ({"why": "enough"},)), effects)
    assert effects == [([{"why": "enough"}], [])]


async def test_a_repeat_after_a_kill_is_unknown_to_its_caller():
    station = Station.new()
    station.context.memory.restore([(("desk", 1), None)])
    async with Communicator(ANY, "server", station=station) as server:
        await server.listen()
        options = Options(dialect=Dialect.RIGCTL)
        async with await EchoProtocol.client(server.server_uri, options=options) as client:
            client.station.context.identity = Identity("desk")
            with pytest.raises(UnknownOutcome, match="ask its status"):
                await client.request(START, timeout_s=5.0)
