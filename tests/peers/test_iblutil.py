"""The released `iblutil` package at the other end: what labs already run."""

import asyncio
import logging

import pytest
from iblutil.io.net import app
from iblutil.io.net.base import ExpMessage

from rigctl.errors import Unreachable
from rigctl.messages import Event, Message
from rigctl.net import EchoProtocol, Options
from rigctl.net.echo import Dialect
from tests.system.programs import free_port

REF = "2024-01-01_1_subject"
SCHEMES = ["udp", "tcp"]
log = logging.getLogger("iblutil")


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_its_controller_drives_our_rig(scheme):
    async with await EchoProtocol.server(f"{scheme}://127.0.0.1:0") as rig:

        async def serve():
            async for request in rig.requests():
                rig.answer(request, request.message)

        serving = asyncio.ensure_future(serve())
        com = await app.EchoProtocol.client(f"{scheme}://127.0.0.1:{rig.port}", "rig", log=log)
        services = app.Services([com], timeout=5)
        try:
            assert await services.init({"exp_ref": REF}) == {"rig": [{"exp_ref": REF}]}
            assert await services.start(REF) == {"rig": [REF, None]}
            assert await services.status(20) == {"rig": [20]}
            assert await services.stop() == {"rig": [None]}
            assert await services.cleanup() == {"rig": [None]}
        finally:
            services.close()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_two_of_its_controllers_share_our_rig(scheme):
    async with await EchoProtocol.server(f"{scheme}://127.0.0.1:0") as rig:
        uri = f"{scheme}://127.0.0.1:{rig.port}"
        started = []
        rig.assign_callback("START", lambda data, addr: started.append((data[0], addr)))
        coms = [await app.EchoProtocol.client(uri, f"c{n}", log=log) for n in range(2)]
        try:
            for n, com in enumerate(coms):
                await com.start(f"2024-01-01_{n + 1}_subject")
        finally:
            for com in coms:
                com.close()
        assert [ref for ref, _ in started] == ["2024-01-01_1_subject", "2024-01-01_2_subject"]
        assert started[0][1] != started[1][1]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_our_rigs_error_reaches_its_controller_and_the_next_command_works(scheme):
    async with await EchoProtocol.server(f"{scheme}://127.0.0.1:0") as rig:

        def refuse(data, addr):
            raise ValueError("no amplifier")

        rig.assign_callback("INIT", refuse)  # at once: the error follows on the echo's heels
        com = await app.EchoProtocol.client(f"{scheme}://127.0.0.1:{rig.port}", "rig", log=log)
        try:
            for _ in range(3):
                error = asyncio.get_running_loop().create_future()
                com.assign_callback(ExpMessage(0), error)
                await com.init({"exp_ref": REF})
                async with asyncio.timeout(5):
                    assert (await error)[0] == ["ValueError: no amplifier", ExpMessage.EXPINIT]
            await com.start(REF)
            assert com.is_connected
        finally:
            com.close()


def its_rig(scheme, answer=True):
    """Start one of its servers; it answers each command as its users have it do."""

    async def make():
        rig = await app.EchoProtocol.server(f"{scheme}://127.0.0.1:{port()}", "rig", log=log)
        tasks = []

        def reply(data, addr, event):
            tasks.append(asyncio.ensure_future(rig.confirmed_send((event, *data), addr=addr)))

        for event in ExpMessage.__members__.values() if answer else ():
            rig.assign_callback(event, lambda d, a, event=event: reply(d, a, event))
        return rig, tasks

    return make()


def port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


async def end(rig, tasks):
    await asyncio.gather(*tasks)
    rig.close()
    if rig.Server:
        rig.Server.close()
        await rig.Server.wait_closed()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_our_controller_drives_its_rig(scheme):
    rig, tasks = await its_rig(scheme)
    async with await EchoProtocol.client(rig.server_uri, "rig") as client:
        for message in (
            Message(Event.EXPINIT, ({"exp_ref": REF},)),
            Message(Event.EXPSTART, (REF, None)),
            Message(Event.EXPSTATUS, (20,)),
            Message(Event.EXPEND, (None,)),
            Message(Event.EXPCLEANUP, (None,)),
        ):
            assert await client.request(message) == message
        assert client.dialect == "iblutil"
    await end(rig, tasks)


async def test_its_failing_callback_is_an_error_at_our_caller():
    from rigctl.errors import RemoteError

    rig, tasks = await its_rig("udp", answer=False)

    def fail(data, addr):
        raise RuntimeError("no probe")

    rig.assign_callback(ExpMessage.EXPSTART, fail)
    async with await EchoProtocol.client(rig.server_uri, "rig") as client:
        with pytest.raises(RemoteError, match="RuntimeError: no probe"):
            await client.request(Message(Event.EXPSTART, (REF, None)), timeout_s=5)
    await end(rig, tasks)


async def test_a_key_in_the_lab_file_does_its_rig_no_harm_and_the_user_is_told():
    port = free_port()
    rig = await app.EchoProtocol.server(f"udp://127.0.0.1:{port}", "rig", log=log)
    tasks = set()

    def say_what_it_is(data, addr):
        tasks.add(asyncio.ensure_future(rig.info(0, {"main_sync": True}, addr=addr)))

    rig.assign_callback("EXPINFO", say_what_it_is)
    try:
        options = Options(key=b"k" * 32, echo_timeout_s=2.0)
        async with await EchoProtocol.client(f"udp://127.0.0.1:{port}", options=options) as desk:
            with pytest.raises(Unreachable, match="dialect: iblutil"):
                await desk.request(Message(Event.EXPINFO, (0, None)))
            await asyncio.gather(*tasks)
        assert rig.is_connected, "it was echoed, and has closed nothing"
        plain = Options(dialect=Dialect.IBLUTIL)
        async with await EchoProtocol.client(f"udp://127.0.0.1:{port}", options=plain) as desk:
            await desk.status(0)
    finally:
        rig.close()
