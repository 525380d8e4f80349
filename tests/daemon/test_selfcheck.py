"""The watchdog hears of us only while our own functions work."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rigctl.address import Address
from rigctl.daemon import selfcheck
from rigctl.daemon.selfcheck import SelfCheck, feed_watchdog
from rigctl.net import Communicator, Options
from rigctl.net.echo import Dialect
from rigctl.net.secure import own_context, server_context
from tests.certificates import Authority

OPTIONS = Options(dialect=Dialect.RIGCTL, echo_timeout_s=0.2, reply_timeout_s=0.2)
LONG_S = 10.0


async def well() -> None:
    """Find nothing wrong."""


async def torn() -> None:
    raise OSError("the disk is gone")


@contextlib.asynccontextmanager
async def serving(
    scheme: str = "udp", *, answers: bool = True, options: Options | None = None
) -> AsyncIterator[Communicator]:
    """Listen, and answer as `Talk` does, or take questions and say nothing."""
    address = Address(scheme, "127.0.0.1", 0)
    async with Communicator(address, "server", options=options) as server:
        await server.listen()

        async def serve() -> None:
            async for request in server.requests():
                if answers:
                    server.answer(request, request.message)

        task = asyncio.create_task(serve())
        try:
            yield server
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
async def test_all_is_well_where_the_question_is_answered(scheme: str) -> None:
    async with serving(scheme) as server:
        async with SelfCheck([server.address], OPTIONS, {"the rest": well}) as check:
            for _ in range(3):
                assert await check.faults(LONG_S) == []


async def test_one_connection_is_kept_for_all_questions() -> None:
    async with serving("tcp") as server, SelfCheck([server.address], OPTIONS, {}) as check:
        opened = []
        server.connected = opened.append  # type: ignore[method-assign]
        for _ in range(3):
            assert await check.faults(LONG_S) == []
        assert len(opened) == 1


@pytest.mark.parametrize("clients_only", [False, True])
async def test_a_rig_asks_itself_over_tls(tmp_path: Path, clients_only: bool) -> None:
    authority = Authority(tmp_path)
    own = authority.sign("rig.lab")
    files = authority.trusting(own) if clients_only else own
    tls = server_context(files)
    async with serving("tls", options=Options(tls=tls)) as server:
        options = Options(Dialect.RIGCTL, tls=own_context(tls, files))
        async with SelfCheck([server.address], options, {}) as check:
            assert await check.faults(LONG_S) == []


async def test_questions_that_nobody_takes_are_a_fault() -> None:
    async with serving(answers=False) as server:
        async with SelfCheck([server.address], OPTIONS, {"the rest": well}) as check:
            (fault,) = await check.faults(LONG_S)
    assert fault.startswith(f"its answers on {server.address}: NoReply: ")


@pytest.mark.parametrize("scheme", ["udp", "tcp"])
async def test_a_socket_that_is_closed_is_a_fault(scheme: str) -> None:
    async with serving(scheme) as server, SelfCheck([server.address], OPTIONS, {}) as check:
        assert await check.faults(LONG_S) == []
        server.close()
        (fault,) = await check.faults(LONG_S)
        assert "Unreachable: " in fault


async def test_a_function_that_fails_is_named_and_looked_at_again() -> None:
    state = [torn]

    async def journal() -> None:
        await state[0]()

    async with SelfCheck([], OPTIONS, {"the journal": journal, "the rest": well}) as check:
        assert await check.faults(LONG_S) == ["the journal: OSError: the disk is gone"]
        state[0] = well
        assert await check.faults(LONG_S) == []


async def test_a_function_that_hangs_is_named_and_not_begun_twice() -> None:
    go_on, begun = asyncio.Event(), []

    async def journal() -> None:
        begun.append(1)
        await go_on.wait()

    async with SelfCheck([], OPTIONS, {"the journal": journal}) as check:
        for _ in range(3):
            assert await check.faults(0.01) == ["the journal: nothing within 0.01 s"]
        assert len(begun) == 1
        go_on.set()
        assert await check.faults(LONG_S) == []


@pytest.mark.parametrize(
    ("listened", "asked"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "::1"),
        ("10.0.0.5", "10.0.0.5"),
        ("rig.lab", "rig.lab"),
    ],
)
def test_who_listens_everywhere_is_asked_on_the_loopback(listened: str, asked: str) -> None:
    address = selfcheck._reachable(Address("udp", listened, 4000))
    assert address == Address("udp", asked, 4000)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


async def test_the_watchdog_is_fed_while_all_is_well_and_only_then(systemd, caplog) -> None:
    """From well to a fault and back: the fault is told once, logged, and nothing is fed then."""
    state = [well]
    told: asyncio.Queue[str] = asyncio.Queue()

    async def journal() -> None:
        await state[0]()

    loop = asyncio.get_running_loop()
    check = SelfCheck([], OPTIONS, {"the journal": journal})
    feeding = asyncio.create_task(feed_watchdog(check, 0.02, told.put_nowait))
    try:
        async with asyncio.timeout(10):
            for _ in range(3):
                assert await loop.sock_recv(systemd, 100) == b"WATCHDOG=1"
            state[0] = torn
            assert await told.get() == "the journal: OSError: the disk is gone"
            with contextlib.suppress(BlockingIOError):
                while systemd.recv(100):
                    pass  # fed before
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await loop.sock_recv(systemd, 100)
            state[0] = well
            assert await told.get() == ""
            assert await loop.sock_recv(systemd, 100) == b"WATCHDOG=1"
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
    assert told.empty()
    assert "the watchdog is not fed: the journal: OSError: the disk is gone" in caplog.text
