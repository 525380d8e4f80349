"""The echo engine, as two machines back to back on a simulated network."""

import pytest

from rigctl.messages import ERROR, Event, Message
from rigctl.net.codec import encode
from rigctl.net.echo import Dialect
from rigctl.net.timing import Timing
from rigctl.net.weather import Weather
from tests.sim.pair import Network

INIT = Message(Event.EXPINIT, ({"exp_ref": "2024-01-01_1_subject"},))
START = Message(Event.EXPSTART, ("2024-01-01_1_subject", None))
NUMBERED = (Dialect.RIGCTL, Dialect.AUTO)
PLAIN = (Dialect.IBLUTIL, Dialect.AUTO)


def test_auto_finds_a_peer_that_knows_ids():
    net = Network()
    ticket = net.command(INIT)
    net.run(1)
    assert net.desk.engine.dialect is Dialect.RIGCTL
    assert net.desk.answers == {ticket: INIT}
    assert net.rig.delivered == [INIT]


def test_auto_falls_back_to_a_peer_that_only_echoes():
    net = Network(dialects=(Dialect.AUTO, Dialect.IBLUTIL))
    ticket = net.command(START)
    net.run(2)
    assert net.desk.engine.dialect is Dialect.IBLUTIL
    assert START in net.rig.delivered
    assert ticket in net.desk.confirmed


def test_auto_decides_although_the_first_hellos_are_lost():
    net = Network(weather=Weather(loss=1.0))
    ticket = net.command(INIT, timeout_s=5.0)
    net.run(0.5)
    net.weather = Weather()
    net.run(2)
    assert net.desk.engine.dialect is Dialect.RIGCTL
    assert net.desk.answers == {ticket: INIT}


def test_silent_peer_is_reported_once_at_the_deadline_and_the_engine_goes_on():
    net = Network(weather=Weather(loss=1.0))
    ticket = net.command(INIT)
    net.run(5)
    assert net.desk.unconfirmed == [ticket]
    net.weather = Weather()
    again = net.command(INIT)
    net.run(1)
    assert again in net.desk.answers


@pytest.mark.parametrize("seed", range(300))
def test_numbered_commands_take_effect_once_through_loss_duplication_and_reordering(seed):
    weather = Weather(loss=0.1 * (seed % 6), duplication=0.3, jitter_s=0.05)
    net = Network(seed, weather, NUMBERED)
    commands = [Message(Event.EXPSTART, (f"ref-{n}", None)) for n in range(8)]
    tickets = [net.command(message, timeout_s=20.0) for message in commands]
    net.run(60)
    assert net.desk.answers == dict(zip(tickets, commands, strict=True)), f"seed {seed}"
    assert sorted(m.args[0] for m in net.rig.delivered) == [f"ref-{n}" for n in range(8)]
    assert net.desk.sent + net.rig.sent < 8 * 200, "echo storm"


@pytest.mark.parametrize("seed", range(100))
def test_numbered_engine_survives_corrupted_bytes(seed):
    net = Network(seed, Weather(corruption=0.3), NUMBERED)
    ticket = net.command(INIT, timeout_s=20.0)
    net.run(60)
    told = [net.desk.confirmed, net.desk.unconfirmed, net.desk.mangled]
    assert any(ticket in where for where in told), f"seed {seed}"
    assert len(net.rig.delivered) <= 3, "one command, delivered under damaged ids at the most"


def test_repeat_of_executed_command_is_answered_not_run():
    net = Network(dialects=NUMBERED, weather=Weather(loss=0.0))
    sent = []
    original = net._transmit
    net._transmit = lambda end, data: (sent.append((end.name, data)), original(end, data))
    net.command(INIT)
    net.run(1)
    command = next(data for name, data in sent if name == "desk")
    reply = next(data for name, data in sent if name == "rig" and b'"reply"' in data)
    before = len(sent)
    net.inject(net.rig, command)
    assert net.rig.delivered == [INIT]
    assert [data for _, data in sent[before:]][1] == reply
    assert b'"echo"' in sent[before][1]


def test_repeat_of_a_command_still_running_is_only_echoed():
    net = Network(dialects=NUMBERED)
    net.answer_after_s = 5.0
    sent = []
    original = net._transmit
    net._transmit = lambda end, data: (sent.append(data), original(end, data))
    net.command(INIT)
    net.run(1)
    command, before = sent[0], len(sent)
    net.inject(net.rig, command)
    assert net.rig.delivered == [INIT]
    assert len(sent) == before + 1


def test_late_answer_to_an_earlier_command_resolves_nothing_else():
    net = Network(dialects=NUMBERED)
    net.answer_after_s = 3.0
    first = net.command(START)
    net.run(1)
    net.desk.engine.forget(first)
    net.answer_after_s = 10.0
    second = net.command(Message(Event.EXPSTART, ("2024-01-01_2_subject", None)))
    net.run(5)
    assert second not in net.desk.answers
    assert net.desk.delivered == []


def test_memory_of_ids_is_bounded_and_old_ids_still_count_as_seen():
    net = Network(dialects=NUMBERED)
    sent = []
    original = net._transmit
    net._transmit = lambda end, data: (sent.append((end.name, data)), original(end, data))
    for _ in range(700):
        net.command(INIT)
        net.run(0.1)
    first = next(data for name, data in sent if name == "desk")
    net.inject(net.rig, first)
    net.run(1)
    assert len(net.rig.delivered) == 700
    assert b"Unknown" in sent[-1][1] or b"Unknown" in sent[-2][1]


def test_echoes_tell_the_peers_clock_within_the_stated_bound():
    from rigctl.net.offset import OffsetEstimate
    from rigctl.net.outputs import Probed

    net = Network(dialects=NUMBERED, weather=Weather(jitter_s=0.03))
    net.rig.clock_offset_s = 12.5
    estimate = OffsetEstimate()
    original = net._carry_out
    net._carry_out = lambda end, outs: (
        [estimate.add(o) for o in outs if isinstance(o, Probed) and end is net.desk],
        original(end, outs),
    )
    for _ in range(20):
        net.command(INIT)
        net.run(0.5)
    best = estimate.at(net.now(net.desk).clock)
    assert best is not None
    assert abs(best.offset_s - 12.5) <= best.bound_s < 0.03


def test_plain_peers_confirm_and_reply():
    net = Network(dialects=PLAIN)
    ticket = net.command(INIT)
    net.run(1)
    assert net.desk.confirmed == [ticket]
    assert net.desk.answers == {ticket: INIT}
    assert net.rig.delivered == [INIT]


def test_plain_messages_to_one_peer_queue_and_all_arrive_in_order():
    net = Network(dialects=PLAIN)
    messages = [Message(Event.EXPSTART, (f"ref-{n}", None)) for n in range(5)]
    tickets = [net.command(m) for m in messages]
    net.run(3)
    assert net.desk.confirmed == tickets
    assert net.rig.delivered == messages


def test_plain_crossing_messages_are_both_confirmed():
    net = Network(dialects=PLAIN)
    ticket = net.command(INIT, within_s=None)
    from rigctl.net.inputs import Command

    crossing = Command(999, Message(Event.EXPSTATUS, (20,)), 1.0)
    net._carry_out(net.rig, net.rig.engine.send(net.now(net.rig), crossing))
    net.run(0.5)
    assert net.desk.confirmed == [ticket]
    assert 999 in net.rig.confirmed
    assert Message(Event.EXPSTATUS, (20,)) in net.desk.delivered


def test_plain_late_echo_starts_no_storm():
    net = Network(dialects=PLAIN, weather=Weather(delay_s=0.8))
    ticket = net.command(START, within_s=None)
    net.run(30)
    assert net.desk.unconfirmed == [ticket]
    assert net.rig.delivered == [START]
    assert net.desk.sent + net.rig.sent < 10


def test_plain_lost_datagram_fails_one_send_and_the_next_gets_through():
    net = Network(dialects=PLAIN, weather=Weather(loss=1.0))
    first = net.command(START)
    net.run(2)
    net.weather = Weather()
    second = net.command(Message(Event.EXPSTATUS, (0,)))
    net.run(2)
    assert net.desk.unconfirmed == [first]
    assert second in net.desk.confirmed


def test_plain_retries_are_off_unless_turned_on():
    for retries, expected in ((0, 1), (2, 3)):
        net = Network(
            dialects=PLAIN, weather=Weather(loss=1.0), timing=Timing(plain_retries=retries)
        )
        net.command(START)
        net.run(5)
        assert net.desk.sent == expected


@pytest.mark.parametrize("seed", range(100))
def test_plain_peers_never_storm_whatever_the_network_does(seed):
    weather = Weather(loss=0.2, duplication=0.2, jitter_s=0.4)
    net = Network(seed, weather, PLAIN, Timing(plain_retries=seed % 3))
    for _ in range(5):
        net.command(INIT)
        net.run(3)
    net.run(60)
    assert net.desk.sent + net.rig.sent < 150, f"seed {seed}"


def test_plain_error_answers_the_waiting_command_and_is_not_echoed():
    net = Network(dialects=PLAIN)
    net.answer_after_s = 100.0
    ticket = net.command(START)
    net.run(0.5)
    sent = net.desk.sent
    net.inject(net.desk, encode(Message(ERROR, ("ValueError: no amplifier", 2))))
    assert net.desk.answers[ticket].event is ERROR
    assert net.desk.sent == sent


def test_plain_echo_and_reply_keep_their_distance_on_a_stream():
    net = Network(dialects=PLAIN, streams=True)
    times = []
    original = net._transmit
    net._transmit = lambda end, data: (times.append((end.name, net.time)), original(end, data))
    net.command(INIT)
    net.run(1)
    rig = [t for name, t in times if name == "rig"]
    assert len(rig) == 2
    assert rig[1] - rig[0] == pytest.approx(0.02)


def test_rubbish_is_ignored():
    net = Network(dialects=NUMBERED)
    for data in (b"", b"[", b"[]", b"{}", b"\xff\xfe", b'["x"]', b"[3]", b"[1e99]", b"[" * 10000):
        net.inject(net.rig, data)
    assert net.rig.delivered == []
    assert net.rig.sent == 0
