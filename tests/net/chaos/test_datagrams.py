"""Datagrams through the proxy: exactly what the forecast says, and replies find their way."""

import asyncio
from dataclasses import asdict

from rigctl.address import Address
from rigctl.net.chaos import ChaosProxy, datagrams
from rigctl.net.weather import Direction, Forecast, Weather, Window

from .rigs import begun, client_of, udp_rig, until

TO_RIG, FROM_RIG = Direction.TO_RIG, Direction.FROM_RIG


def numbered(number):
    return [str(index).encode() for index in range(number)]


async def test_each_client_gets_the_answers_to_what_it_sent():
    async with udp_rig(Weather()) as (proxy, rig):
        async with client_of(proxy) as one, client_of(proxy) as other:
            for data in numbered(20):
                one.transport.sendto(b"one " + data)
                other.transport.sendto(b"other " + data)
            await until(lambda: len(one.heard) == len(other.heard) == 20)
        assert one.heard == [b"one " + data for data in numbered(20)]
        assert other.heard == [b"other " + data for data in numbered(20)]
        assert len(rig.froms) == proxy.clients == 2
        assert [proxy.counts[way].passed for way in Direction] == [40, 40]


async def test_the_same_seed_loses_the_same_datagrams_again():
    weather, said = Weather(loss=0.4), Forecast(Weather(loss=0.4), 3)
    expected = [data for data in numbered(200) if said.packet(0.0, TO_RIG).delays_s]
    back = sum(bool(said.packet(0.0, FROM_RIG).delays_s) for _ in expected)
    for _ in range(2):
        async with udp_rig(weather, seed=3) as (proxy, rig), client_of(proxy) as client:
            for data in numbered(200):
                client.transport.sendto(data)
            await until(lambda: len(rig.heard) == len(expected) and len(client.heard) == back)
            assert rig.heard == expected
            assert proxy.counts[TO_RIG].lost == 200 - len(expected)
            assert proxy.counts[FROM_RIG].passed == back


async def test_datagrams_are_doubled_and_counted():
    async with udp_rig(Weather(duplication=1.0)) as (proxy, rig), client_of(proxy) as client:
        client.transport.sendto(b"twice")
        await until(lambda: len(client.heard) == 4)
        assert rig.heard == [b"twice"] * 2
        assert (proxy.counts[TO_RIG].duplicated, proxy.counts[FROM_RIG].duplicated) == (1, 2)


async def test_what_is_held_back_is_overtaken_and_arrives():
    async with udp_rig(Weather(reordering=0.3)) as (proxy, rig), client_of(proxy) as client:
        for data in numbered(50):
            client.transport.sendto(data)
        await until(lambda: len(rig.heard) == 50)
        assert rig.heard != numbered(50)
        assert sorted(rig.heard, key=int) == numbered(50)
        assert 0 < proxy.counts[TO_RIG].held < 50


async def test_a_delay_is_kept_in_both_directions():
    loop = asyncio.get_running_loop()
    async with udp_rig(Weather(delay_s=0.05)) as (proxy, _), client_of(proxy) as client:
        began_s = loop.time()
        client.transport.sendto(b"ping")
        await until(lambda: client.heard)
        assert loop.time() - began_s >= 0.099


async def test_nothing_passes_a_partition_and_it_is_counted_as_such():
    async with udp_rig(Weather()) as (_, rig):
        forecast = begun(Weather(loss=1.0, partitions=(Window(0.0, 1000.0),)))
        async with ChaosProxy(Address("udp", "127.0.0.1", rig.port), forecast) as proxy:
            async with client_of(proxy) as client:
                client.transport.sendto(b"into the void")
                await until(lambda: proxy.counts[TO_RIG].parted)
                forecast.weather = Weather()
                client.transport.sendto(b"through")
                await until(lambda: client.heard)
        assert rig.heard == [b"through"]
        assert asdict(proxy.counts[TO_RIG]) == {
            **dict.fromkeys(("lost", "duplicated", "held", "damaged", "cut"), 0),
            "passed": 1,
            "parted": 1,
        }


async def test_one_bit_of_a_damaged_datagram_is_wrong():
    async with udp_rig(Weather(corruption=1.0)) as (proxy, rig), client_of(proxy) as client:
        client.transport.sendto(b"\0" * 100)
        await until(lambda: rig.heard)
        assert sum(byte.bit_count() for byte in rig.heard[0]) == 1
        assert proxy.counts[TO_RIG].damaged == 1


async def test_clients_beyond_the_bound_take_the_place_of_the_longest_idle(monkeypatch):
    monkeypatch.setattr(datagrams, "MAX_CLIENTS", 2)
    async with udp_rig(Weather()) as (proxy, rig):
        async with client_of(proxy) as first, client_of(proxy) as second, client_of(proxy) as third:
            for client in (first, second, first, third):  # the second one is the longest idle
                before = len(client.heard)
                client.transport.sendto(b"hello")
                await until(lambda: len(client.heard) > before)  # noqa: B023
            assert (proxy.clients, len(rig.froms)) == (2, 3)
            first.transport.sendto(b"again")
            await until(lambda: b"again" in first.heard)
            assert len(rig.froms) == 3, "the first has kept its socket"


async def test_clients_that_say_nothing_are_dropped(monkeypatch):
    monkeypatch.setattr(datagrams, "IDLE_S", 0.02)
    async with udp_rig(Weather()) as (proxy, rig), client_of(proxy) as client:
        for data in (b"hello", b"back again"):
            client.transport.sendto(data)
            await until(lambda: data in client.heard)  # noqa: B023
            await until(lambda: not proxy.clients)
        assert len(rig.froms) == 2


async def test_what_is_under_way_has_a_bound_and_is_lost_beyond_it(monkeypatch):
    monkeypatch.setattr(datagrams, "MAX_UNDER_WAY", 10)
    async with udp_rig(Weather(delay_s=0.2)) as (proxy, rig), client_of(proxy) as client:
        for data in numbered(25):
            client.transport.sendto(data)
        await until(lambda: len(rig.heard) == 10)
        assert (proxy.counts[TO_RIG].passed, proxy.counts[TO_RIG].lost) == (10, 15)


async def test_a_rig_that_is_not_there_is_told_once_and_again_after_it_was_heard(caplog):
    async with udp_rig(Weather()) as (proxy, rig), client_of(proxy) as client:
        port = rig.port
        rig.transport.close()
        await asyncio.sleep(0)
        for _ in range(5):
            client.transport.sendto(b"anybody?")
        await until(lambda: proxy.counts[TO_RIG].passed == 5 and caplog.records)
        assert caplog.messages == [f"nothing gets to udp://127.0.0.1:{port}: Connection refused"]
