"""Requests to commands, and their results back: whatever comes, it is answered."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from rigctl.address import Address
from rigctl.daemon.talk import _MAX_COMMANDS, _MORE_INTERRUPTS, Talk
from rigctl.errors import Refused, RemoteError
from rigctl.messages import Event, Message, Status
from rigctl.net import Communicator, EchoProtocol
from rigctl.reports import RigReport

REF = "2024-01-01_1_subject"
INIT = Message(Event.EXPINIT, ({"exp_ref": REF},))
STATUS = Message(Event.EXPSTATUS, (0,))


class ScriptedRig:
    """Does as commanded by one function."""

    def __init__(self) -> None:
        self.state = SimpleNamespace(status=Status.CONNECTED)
        self.alyx: Any = (None, {})
        self.clock_notes = SimpleNamespace(question=lambda data: None)
        self.result: Any = "done"
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.begun = 0

    async def command(self, command: Any) -> Any:
        self.begun += 1
        await self.go_on.wait()
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def report(self) -> RigReport:
        raise KeyError("a fault of ours")


@contextlib.asynccontextmanager
async def talking(
    scheme: str = "udp",
) -> AsyncIterator[tuple[ScriptedRig, EchoProtocol, "asyncio.Task[None]"]]:
    rig = ScriptedRig()
    async with Communicator(Address(scheme, "127.0.0.1", 0), "server") as server:
        await server.listen()
        talk = asyncio.create_task(Talk(rig, server).run())  # type: ignore[arg-type]
        try:
            async with await EchoProtocol.client(server.server_uri, "rig") as client:
                yield rig, client, talk
                assert talk.cancelling() or not talk.done(), "it answers to the end"
        finally:
            talk.cancel()
            await asyncio.gather(talk, return_exceptions=True)


async def test_a_command_is_answered_with_its_result() -> None:
    async with talking() as (_, client, _):
        assert (await client.request(INIT)).args == ("done",)
        started = await client.request(Message(Event.EXPSTART, (REF, None)))
        assert started.args == (REF, "done")


@pytest.mark.parametrize(
    "data",
    [
        b'[128,"http://x",{"u":"\\ud800"}]',
        b'[2,{"date":"2024-01-01","sequence":1,"subject":"a","x":"\\ud800"},null]',
        b'[32,0,{"rigctl":{"kind":"command","epoch":"\\ud800","seq":1}}]',
        b'[128,"http://x",{"u":NaN}]',
        b'[64,0,{"rigctl":{"kind":"command","epoch":"x","seq":1}}]',
        b"[128," + b"[" * 900 + b"]" * 900 + b",1]",
        b"[2,[],null]",
        b"[2]",
        b"[4]",
    ],
)
async def test_no_datagram_ends_the_talk(data: bytes) -> None:
    async with talking() as (_, client, _):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(data, ("127.0.0.1", client.port))
        assert (await client.request(STATUS)).args == (0,)


def _endless() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    "result",
    [_endless(), "\ud800", object(), 10**5000, b"x" * 2**20, {(1, 2): 3}],
    ids=["endless", "surrogate", "object", "digits", "large", "keys"],
)
async def test_a_result_that_cannot_be_sent_is_an_error_at_the_caller(result: Any) -> None:
    async with talking() as (rig, client, _):
        rig.result = result
        with pytest.raises(RemoteError):
            await client.request(INIT)
        rig.result = "done"
        assert (await client.request(INIT)).args == ("done",)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("not now"), "Refused: not now"),
        (OSError("'\udcff'"), "OSError: '?'"),
        (ValueError("x" * 10**6), "ValueError: xxx"),
    ],
    ids=["refused", "surrogate", "long"],
)
async def test_an_error_reaches_the_caller_whatever_its_text(
    error: Exception, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "rigctl")  # test reports cannot hold a lone surrogate
    async with talking() as (rig, client, _):
        rig.result = error
        with pytest.raises(RemoteError) as caught:
            await client.request(INIT)
        assert str(caught.value).startswith(told)


async def test_a_fault_in_a_question_is_answered_and_the_talk_goes_on() -> None:
    async with talking() as (_, client, _):
        with pytest.raises(RemoteError, match="a fault of ours"):
            await client.request(Message(Event.EXPINFO, (0, None)))
        assert (await client.request(STATUS)).args == (0,)


async def test_commands_that_wait_are_bounded_and_interrupts_still_come_through() -> None:
    async with talking("tcp") as (rig, client, _):
        rig.go_on.clear()
        waiting = [client.submit(INIT, reply_timeout_s=10) for _ in range(_MAX_COMMANDS)]
        interrupt = Message(Event.EXPINTERRUPT, (None,))
        with pytest.raises(RemoteError, match=f"{_MAX_COMMANDS} commands wait already"):
            await client.request(INIT)
        waiting += [client.submit(interrupt, reply_timeout_s=10) for _ in range(_MORE_INTERRUPTS)]
        with pytest.raises(RemoteError, match="commands wait already"):
            await client.request(interrupt)
        assert rig.begun == len(waiting)
        assert (await client.request(STATUS)).args == (0,), "questions are answered meanwhile"
        rig.go_on.set()
        for ticket in waiting:
            assert (await ticket.reply()).args == ("done",)


async def test_what_is_under_way_when_the_talk_ends_is_refused() -> None:
    async with talking() as (rig, client, talk):
        rig.go_on.clear()
        ticket = client.submit(INIT, reply_timeout_s=5)
        async with asyncio.timeout(5):
            while not rig.begun:
                await asyncio.sleep(0)
        talk.cancel()
        with pytest.raises(RemoteError, match="the daemon is being stopped"):
            await ticket.reply()


async def test_a_command_that_had_not_begun_when_the_talk_ends_is_refused_too() -> None:
    async with talking() as (rig, client, talk):
        await client.request(STATUS)
        original = asyncio.create_task

        def cancelling(*args: Any, **named: Any) -> Any:
            task = original(*args, **named)
            if str(named.get("name", "")).startswith("EXPINIT"):
                talk.cancel()
                task.cancel()
            return task

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "create_task", cancelling)
            with pytest.raises(RemoteError, match="the daemon is being stopped"):
                await client.request(INIT)
        assert rig.begun == 0
