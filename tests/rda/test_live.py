"""The client for scripts and notebooks, against servers in other threads."""

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from rigctl.blocks import Block, BlockFlags, Run
from rigctl.errors import DeviceError, NoServer, StreamError
from rigctl.rda import Client
from rigctl.streams import RingReader, folders

from . import golden
from .serving import says, says_and_stays
from .threads import playing, saying, signal

HELLO = golden.info() + golden.start()
BLOCK = [1.0, 2.0, 3.0, 4.0]


def blocks(first: int, count: int) -> bytes:
    """Blocks of two points: sample n holds n + 1, counted from the first block's first sample."""
    numbers = range(first, first + count)
    return b"".join(golden.data32(n, [2.0 * n + 1] * 2 + [2.0 * n + 2] * 2) for n in numbers)


@pytest.fixture
def client() -> Iterator[Client]:
    """One that leaves no thread behind."""
    client = Client(buffer_size=3000)
    yield client
    client.disconnect()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rda ")]


def test_samples_come_as_the_amplifier_sends_them(client: Client) -> None:
    source = signal()
    with playing(source) as (served, _):
        client.connect(served.address)
        assert not client.is_streaming
        client.start_streaming()
        assert client.is_streaming
        assert client.is_flowing
        found = client.wait(0, 100, timeout=10)
        newest = client.poll(50)
        client.stop_streaming()
        assert not client.is_streaming
    assert found is not None
    assert newest is not None
    assert (found.shape, found.dtype, newest.shape) == ((100, 4), np.dtype("<f4"), (50, 4))
    begin = int(np.flatnonzero((source.read(0, 5000) == found[0]).all(axis=1))[0])
    assert np.array_equal(found, source.read(begin, 100))
    assert np.array_equal(client.get_data(20, 40), found[20:40])


def test_the_start_message_has_the_names_of_the_protocol(client: Client) -> None:
    assert client.start_msg is None
    with saying(says_and_stays(HELLO, blocks(0, 1))) as served:
        client.connect(served.address)
        client.start_streaming()
        message = client.start_msg
    assert message is not None
    assert (message.nChannels, message.dSamplingInterval) == (2, 1000.0)
    assert (message.dResolutions, message.sChannelNames) == ((0.5, 0.1), ("Fp1", "Cz"))


def test_arguments_are_properties_and_the_type_is_that_of_the_samples(client: Client) -> None:
    assert (Client().buffer_size, Client().buffer_window) == (300_000, 1)
    assert (client.buffer_size, client.data_dtype, client.last_sample) == (3000, "float32", 0)
    with playing(signal(dtype="int16")) as (served, _):
        client.connect(served.address)
        client.start_streaming()
        assert client.data_dtype == "int16"
    with pytest.raises(ValueError, match="holds nothing"):
        Client(0)


def test_what_is_not_there_is_none(client: Client) -> None:
    assert client.get_data(0, 1) is None
    with saying(says_and_stays(HELLO, blocks(0, 5))) as served:
        client.connect(served.address)
        client.start_streaming()
        assert client.wait(0, 10, timeout=10) is not None
        assert client.get_data(0, 11) is None
        assert client.get_data(-1, 5) is None
        assert client.wait(0, 11, timeout=0.01) is None
        assert client.poll(5, timeout=0.01) is None
        empty = client.get_data(4, 4)
        assert empty is not None
        assert empty.shape == (0, 2)
        with pytest.raises(ValueError, match="no range"):
            client.get_data(5, 4)


def test_what_is_overwritten_is_none_at_once_and_told_by_the_first_sample(client: Client) -> None:
    with saying(says_and_stays(HELLO, blocks(0, 20_000))) as served:
        client.connect(served.address)
        client.start_streaming()
        assert client.wait(39_999, 40_000, timeout=10) is not None
        assert client.get_data(0, 10) is None
        began = time.monotonic()
        assert client.wait(0, 50_000, timeout=60) is None
        assert time.monotonic() - began < 30
        first = client.first_sample
        assert 0 < first <= 40_000 - client.buffer_size
        whole = client.get_data(first, 40_000)
    assert whole is not None
    assert whole[:, 0].tolist() == list(range(first + 1, 40_001))


def test_data_are_copies_that_nobody_changes(client: Client) -> None:
    with saying(says_and_stays(HELLO, blocks(0, 5))) as served:
        client.connect(served.address)
        client.start_streaming()
        first = client.wait(0, 10, timeout=10)
        assert first is not None
        first[:] = 0
        again = client.get_data(0, 10)
    assert again is not None
    assert again[:, 0].tolist() == list(range(1, 11))


def test_stop_and_a_new_start_go_on_counting_and_the_break_is_told(client: Client) -> None:
    with playing() as (served, play):
        client.connect(served.address)
        client.start_streaming()
        assert client.wait(0, 20, timeout=10) is not None
        served.do(play.stop)
        client._await(lambda: not client.is_flowing, 10)
        assert "STOP" in client.status
        stopped = client.last_sample
        served.do(play.begin)
        assert client.wait(stopped, stopped + 20, timeout=10) is not None
        assert client.is_streaming
        assert client.breaks == [stopped]


def test_another_layout_begins_to_count_anew(client: Client) -> None:
    with playing() as (served, play):
        client.connect(served.address)
        client.start_streaming()
        served.do(play.stop)
        served.do(lambda: play.begin(signal(channels=7)))
        client._await(lambda: client.start_msg is not None and client.start_msg.nChannels == 7, 10)
        found = client.wait(0, 10, timeout=10)
        assert found is not None
        while found.shape[1] != 7:
            found = client.poll(10)
            assert found is not None
    assert client.breaks == []


def test_a_lost_connection_is_made_anew_and_the_samples_go_on(client: Client) -> None:
    scripts = says(HELLO, blocks(0, 5)), says_and_stays(HELLO, blocks(50, 5))
    with saying(*scripts) as served:
        client.connect(served.address)
        client.start_streaming()
        found = client.wait(0, 20, timeout=10)
    assert found is not None
    assert found[:, 0].tolist() == [*range(1, 11), *range(101, 111)]
    assert client.breaks == [10]


def test_a_server_that_falls_silent_is_found_by_the_deadline() -> None:
    client = Client(stall_s=0.05)
    scripts = says_and_stays(HELLO, blocks(0, 5)), says_and_stays(HELLO, blocks(9, 5))
    with saying(*scripts) as served:
        client.connect(served.address)
        client.start_streaming()
        assert client.wait(0, 20, timeout=10) is not None
    client.disconnect()


def test_nobody_there_is_said_at_once() -> None:
    with saying(says()) as served:
        pass
    client = Client()
    with pytest.raises(NoServer, match="nothing listens there"):
        client.connect(served.address)
    with pytest.raises(ConnectionError):
        client.connect(served.address)
    with pytest.raises(DeviceError, match="cannot be the name of a host"):
        client.connect(("x" * 70 + ".invalid", 1))


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (says_and_stays(golden.info(), golden.new_state(0)), "waiting for START"),
        (says_and_stays(b"SSH-2.0-OpenSSH_9.2"), "not an RDA server"),
    ],
)
def test_no_samples_in_time_are_an_error_with_the_reason(client, script, reason) -> None:
    with saying(script) as served:
        # What is no RDA server may have been found out before connecting is over, or later.
        with pytest.raises((StreamError, NoServer), match=reason):
            client.connect(served.address)
            if "not an RDA" in reason:
                assert client._await(lambda: "not an RDA" in client._intake.trouble, 10)
            client.start_streaming(timeout=0.05)
        assert not client.is_streaming


def test_what_is_called_too_early_or_twice_is_refused(client: Client) -> None:
    for call in (client.start_streaming, client.stop_streaming, lambda: client.poll(1)):
        with pytest.raises(StreamError):
            call()
    with playing() as (served, _):
        client.connect(served.address)
        with pytest.raises(StreamError, match="connected already"):
            client.connect(served.address)
        with pytest.raises(StreamError, match="start streaming first"):
            client.wait(0, 1)
        client.start_streaming()
        with pytest.raises(StreamError, match="already streaming"):
            client.start_streaming()
        client.stop_streaming()
        with pytest.raises(StreamError, match="already stopped"):
            client.stop_streaming()


def test_streaming_again_and_connecting_again(client: Client) -> None:
    with playing() as (served, _):
        for _ in range(2):
            client.connect(served.address)
            for _ in range(2):
                client.start_streaming()
                last = client.last_sample
                assert client.wait(last, last + 20, timeout=10) is not None
                client.stop_streaming()
            assert client.last_sample >= 40
            client.disconnect()
            client.disconnect()
            kept = client.get_data(client.last_sample - 20, client.last_sample)
            assert kept is not None


def test_what_comes_between_connecting_and_streaming_is_kept(client: Client) -> None:
    with saying(says_and_stays(HELLO, blocks(0, 1000))) as served:
        client.connect(served.address)
        assert client._await(lambda: client.last_sample == 2000, 10)
        assert not client.is_streaming
        client.start_streaming()
        found = client.get_data(0, 2000)
    assert found is not None
    assert found[:, 0].tolist() == list(range(1, 2001))


def test_where_samples_were_left_out_is_told_to_all_readers(client: Client) -> None:
    with playing() as (served, _):
        client.connect(served.address)
        client.start_streaming()
        client.stop_streaming()
        last = client.last_sample
        left_out = client._intake._items + 3
        assert client._await(lambda: client._intake._items >= left_out, 10)
        client.start_streaming()
        assert client.breaks == [last]
        with RingReader.attach(client.ring) as reader:
            record = reader.cursor(last).read(1).blocks[0]
        assert record.flags is BlockFlags.GAP_BEFORE
        assert client.wait(last, last + 20, timeout=10) is not None
        assert client.breaks == [last]


def test_more_markers_than_a_ring_holds_cost_no_sample(client: Client) -> None:
    many = 220_000 * golden.marker(0, b"\0\0")
    marked = golden.data32(1, [3.0, 3.0, 4.0, 4.0], many, count=220_000)
    with saying(says_and_stays(HELLO, blocks(0, 1), marked, blocks(2, 3))) as served:
        client.connect(served.address)
        client.start_streaming()
        found = client.wait(0, 10, timeout=10)
    assert found is not None
    assert found[:, 0].tolist() == list(range(1, 11))


def test_nothing_is_kept_while_it_does_not_stream(client: Client) -> None:
    with playing() as (served, _):
        client.connect(served.address)
        client.start_streaming()
        client.stop_streaming()
        last = client.last_sample
        client._await(lambda: False, 0.05)
        assert client.last_sample == last


def test_the_timelog_is_a_time_per_block(client, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = time.time()
    with saying(says_and_stays(HELLO, blocks(0, 7))) as served:
        client.connect(served.address)
        client.start_streaming()
        client.wait(0, 14, timeout=10)
        client.stop_streaming(write_timelog=True)
    times = np.load(tmp_path / "streamer_timelog.npy")
    assert len(times) == 7
    assert before - 1 <= times[0] <= times[-1] <= time.time() + 1
    client.disconnect()
    with playing() as (served, _):
        client.connect(served.address)
        client.start_streaming()
        client.stop_streaming()
    assert len(list(tmp_path.iterdir())) == 1


def test_several_clients_at_once_each_have_their_own() -> None:
    with playing() as (one, _), playing(signal(channels=2)) as (two, _):
        clients = [Client() for _ in range(3)]
        for client, served in zip(clients, (one, two, one), strict=True):
            client.connect(served.address)
            client.start_streaming()
        shapes = [data.shape for c in clients if (data := c.wait(0, 30, timeout=10)) is not None]
        assert len({client.ring for client in clients}) == 3
        for client in clients:
            client.disconnect()
    assert shapes == [(30, 4), (30, 2), (30, 4)]


def test_other_processes_and_threads_read_along(client: Client) -> None:
    with playing() as (served, _):
        client.connect(served.address)
        client.start_streaming()
        found: list[object] = []
        waiting = [
            threading.Thread(target=lambda: found.append(client.wait(40, 60, timeout=10)))
            for _ in range(4)
        ]
        for thread in waiting:
            thread.start()
        for thread in waiting:
            thread.join()
        assert client.ring
        with RingReader.attach(client.ring) as reader:
            assert np.array_equal(reader.read(40, 60), client.get_data(40, 60))
    assert len(found) == 4
    assert all(np.array_equal(one, found[0]) for one in found)


async def test_it_blocks_and_works_where_a_loop_runs_already(client: Client) -> None:
    with playing() as (served, _):
        client.connect(served.address)
        client.start_streaming()
        found = client.wait(0, 30, timeout=10)
    assert asyncio.get_running_loop().is_running()
    assert found is not None


def test_with_connects_and_streams() -> None:
    with playing() as (served, _), Client(address=served.address) as client:
        assert client.poll(10) is not None
    assert not client.is_streaming
    with pytest.raises(StreamError, match="where to connect"), Client():
        pass


def test_a_client_that_is_forgotten_leaves_nothing_behind() -> None:
    with playing() as (served, _):
        client = Client()
        client.connect(served.address)
        client.start_streaming()
        name = client.ring
        assert name
        del client
        gc.collect()
        assert not folders.folder_of(name).exists()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rda ")]


def test_a_script_that_ends_without_a_word_leaves_nothing_behind() -> None:
    script = """
        import sys
        from rigctl.rda import Client
        client = Client()
        client.connect(("127.0.0.1", int(sys.argv[1])))
        client.start_streaming()
        print(client.ring, client.poll(10).shape)
    """
    with playing() as (served, _):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(served.port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    name, shape = done.stdout.split(maxsplit=1)
    assert (shape, done.stderr) == ("(10, 4)\n", "")
    assert not folders.folder_of(name).exists()


async def test_items_come_one_by_one_in_a_loop() -> None:
    with saying(says_and_stays(HELLO, blocks(0, 20))) as served:
        items = []
        async with asyncio.timeout(10), Client(address=served.address) as client:
            async for item in client:
                items.append(item)
                if isinstance(item, Block) and item.counter == 9:
                    break
            async for item in client:  # goes on where it was left
                items.append(item)
                if isinstance(item, Block) and item.counter == 19:
                    break
    assert len([item for item in items if isinstance(item, Run)]) == 1
    samples = np.concatenate([item.samples for item in items if isinstance(item, Block)])
    assert samples[:, 0].tolist() == list(range(1, 41))
    with pytest.raises(StreamError, match="within `async with`"):
        aiter(client)
