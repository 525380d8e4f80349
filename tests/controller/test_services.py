"""Many rigs told at once."""

import asyncio
import socket

import pytest

from rigctl.controller import Services
from rigctl.errors import NoReply, RemoteError, RigsFailed, RigsTimedOut, Unreachable
from rigctl.messages import Event
from rigctl.net import EchoProtocol, verbs

from .rigs import refusing, rigs

REF = "2024-01-01_1_subject"


@pytest.fixture(params=["udp", "tcp"])
async def scheme(request):
    return request.param


async def open_services(served, timeout=5.0):
    clients = [await EchoProtocol.client(r.server.server_uri, n) for n, r in served.items()]
    return Services(clients, timeout=timeout)


async def test_every_verb_reaches_every_rig_and_brings_its_reply(scheme):
    async with rigs({"a": {}, "b": {}}, scheme) as served, await open_services(served) as services:
        assert services.is_connected
        assert await services.init({"exp_ref": REF}) == dict.fromkeys("ab", [{"exp_ref": REF}])
        assert await services.start(REF, {"n": 1}) == dict.fromkeys("ab", [REF, {"n": 1}])
        assert await services.status("RUNNING") == dict.fromkeys("ab", [20])
        assert await services.info("RUNNING", [1]) == dict.fromkeys("ab", [20, [1]])
        assert await services.stop() == dict.fromkeys("ab", [None])
        assert await services.stop(immediately=True) == dict.fromkeys("ab", [None])
        assert await services.cleanup("x") == dict.fromkeys("ab", ["x"])
        heard = [[m.event for m in rig.heard] for rig in served.values()]
        assert heard == [[1, 2, 32, 64, 4, 16, 8]] * 2


async def test_all_rigs_are_told_before_any_has_answered(scheme):
    told = []
    everyone = asyncio.Event()

    def script(name):
        def answer(message):
            told.append(name)
            if len(told) == 3:
                everyone.set()
            return ...

        return {Event.EXPSTART: answer}

    async with rigs({n: script(n) for n in "abc"}, scheme) as served:
        async with await open_services(served, timeout=0.3) as services:
            with pytest.raises(RigsTimedOut):
                await services.start(REF)
            assert everyone.is_set()


async def test_one_error_holds_every_failing_rigs_own(scheme):
    scripts = {
        "good": {},
        "bad": {Event.EXPINIT: refusing("no amplifier")},
        "mute": {Event.EXPINIT: ...},
    }
    async with rigs(scripts, scheme) as served:
        async with await open_services(served, timeout=0.3) as services:
            with pytest.raises(RigsFailed) as caught:
                await services.init()
    error = caught.value
    assert not isinstance(error, TimeoutError)
    assert isinstance(error.errors["bad"], RemoteError)
    assert isinstance(error.errors["mute"], NoReply)
    assert error.replies == {"good": [None]}
    assert "bad: Refused: no amplifier" in str(error)


async def test_only_timeouts_are_a_timeout(scheme):
    async with rigs({"mute": {Event.EXPINIT: ...}}, scheme) as served:
        async with await open_services(served, timeout=0.2) as services:
            with pytest.raises(TimeoutError):
                await services.init()


async def test_one_after_the_other_in_order_and_in_reverse(scheme):
    order = []

    def script(name):
        def note(message):
            order.append((name, message.event))
            return list(message.args)

        return {Event.EXPINIT: note, Event.EXPEND: note}

    async with rigs({n: script(n) for n in "abc"}, scheme) as served:
        async with await open_services(served) as services:
            await services.init(concurrent=False)
            await services.stop(concurrent=False)
    assert [name for name, _ in order] == list("abccba")


async def test_a_dead_rig_is_named_and_delays_no_other():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    async with rigs({"alive": {}}) as served:
        dead = await EchoProtocol.client(f"udp://127.0.0.1:{port}", "dead")
        alive = await EchoProtocol.client(served["alive"].server.server_uri, "alive")
        async with Services([alive, dead]) as services:
            with pytest.raises(RigsFailed) as caught:
                await services.init("x")
            assert isinstance(caught.value.errors["dead"], Unreachable)
            assert caught.value.replies == {"alive": ["x"]}


async def test_callbacks_are_told_which_rig_and_can_be_cleared(scheme):
    async with rigs({"a": {}, "b": {}}, scheme) as served, await open_services(served) as services:
        heard = []

        def hear(data, addr, rig):
            heard.append((rig.name, data))

        services.assign_callback("STATUS", hear, return_service=True)
        await services.status("RUNNING")
        assert sorted(heard) == [("a", [20]), ("b", [20])]
        assert services.clear_callbacks("STATUS", hear) == {"a": 1, "b": 1}
        await services.status("RUNNING")
        assert len(heard) == 2


async def test_await_all_collects_an_event_from_every_rig(scheme):
    async with rigs({"a": {}, "b": {}}, scheme) as served, await open_services(served) as services:
        waiting = asyncio.ensure_future(services.await_all("EXPSTATUS"))
        await asyncio.sleep(0)
        await services.status(20)
        assert await waiting == {"a": [20], "b": [20]}
        services.timeout = 0.05
        with pytest.raises(TimeoutError, match="a: sent no EXPINFO"):
            await services.await_all("INFO")


async def test_what_is_not_a_rig_is_refused():
    with pytest.raises(TypeError):
        Services(["udp://127.0.0.1"])


@pytest.mark.parametrize("kind", ["by name", "as a function"])
async def test_each_rig_may_have_a_message_of_its_own(scheme, kind):
    own = {name: verbs.init_message(name * 3) for name in "ab"}
    async with rigs({"a": {}, "b": {}}, scheme) as served, await open_services(served) as services:
        told = await services.tell(own if kind == "by name" else own.__getitem__)
    assert told == {"a": ["aaa"], "b": ["bbb"]}


async def test_only_rigs_that_have_a_message_of_their_own_are_told(scheme):
    async with rigs({"a": {}, "b": {}}, scheme) as served, await open_services(served) as services:
        assert await services.tell({"b": verbs.init_message(1)}) == {"b": [1]}
        with pytest.raises(KeyError):
            await services.tell({"b": verbs.init_message(2)}, names=["b", "a"])
    assert (served["a"].events, served["b"].events) == ([], [Event.EXPINIT])


async def test_one_message_may_have_a_deadline_of_its_own(scheme):
    async with rigs({"mute": {Event.EXPINIT: ...}}, scheme) as served:
        async with await open_services(served, timeout=60.0) as services:
            with pytest.raises(RigsTimedOut, match=r"within 0\.05 s"):
                await services.tell(verbs.init_message(), timeout=0.05)
