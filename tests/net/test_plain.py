"""The dialect without ids: what one peer may cost, and the pauses that it needs."""

from rigctl.messages import ERROR, Event, Message
from rigctl.net.codec import Wire, encode
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.outputs import Delivered, Ignored, Transmit, Unconfirmed
from rigctl.net.plain import PlainDialect
from rigctl.net.timing import Timing
from tests.sim.pair import Network

from .test_echo import PLAIN, START


def at(seconds: float) -> Now:
    return Now(1000.0 + seconds, 1.7e9 + seconds)


def answer(n: int) -> Command:
    return Command(n, Message(Event.EXPSTATUS, (n,)), 1.0)


def failure(n: int) -> Command:
    return Command(n, Message(ERROR, (f"Refused: {n}", 2)), 1.0)


def receive(dialect: PlainDialect, now: Now, n: int) -> list:
    message = Message(Event.EXPINIT, (n,))
    return dialect.receive(now, encode(message), Wire(message))


def test_an_error_keeps_its_distance_from_the_echo_before_it_on_a_stream():
    dialect = PlainDialect(Timing(), spacing_s=0.02)
    assert any(isinstance(o, Transmit) for o in receive(dialect, at(0), 1))
    assert dialect.answer(at(0), failure(1)) == []
    assert dialect.next_wakeup() == at(0.02).monotonic
    assert dialect.poll(at(0.02)) == [Transmit(encode(failure(1).message))]
    assert dialect.next_wakeup() == float("inf"), "no echo of an error is awaited"


def test_an_error_goes_out_at_once_in_datagrams():
    dialect = PlainDialect(Timing(), spacing_s=0.0)
    receive(dialect, at(0), 1)
    assert dialect.answer(at(0), failure(1)) == [Transmit(encode(failure(1).message))]


def test_a_peer_that_echoes_no_answer_gets_one_after_the_other():
    dialect = PlainDialect(Timing(), spacing_s=0.0)
    assert len(dialect.answer(at(0), answer(1))) == 1
    assert dialect.answer(at(0), answer(2)) == []
    outputs = dialect.poll(at(1.0))
    assert outputs == [Unconfirmed(1, 1), Transmit(encode(answer(2).message))]


def test_answers_that_wait_are_bounded_and_the_oldest_is_given_up():
    dialect = PlainDialect(Timing(), spacing_s=0.0)
    given_up = []
    for n in range(100):
        outputs = dialect.answer(at(0), answer(n))
        given_up += [o.ticket for o in outputs if isinstance(o, Unconfirmed)]
    assert given_up == list(range(1, 36)), "the first is under way, 64 wait"


def test_our_own_commands_are_not_given_up_for_answers():
    dialect = PlainDialect(Timing(), spacing_s=0.0)
    for n in range(3):
        dialect.send(at(0), answer(1000 + n))
    given_up = []
    for n in range(100):
        outputs = dialect.answer(at(0), answer(n))
        given_up += [o.ticket for o in outputs if isinstance(o, Unconfirmed)]
    assert given_up == list(range(36))


def test_what_cannot_be_confirmed_in_time_is_not_delivered():
    dialect = PlainDialect(Timing(), spacing_s=0.02)
    outputs = [output for n in range(20_000) for output in receive(dialect, at(0), n)]
    assert len([o for o in outputs if isinstance(o, Delivered)]) == 257
    assert outputs[-1] == Ignored("more than can be confirmed")


def test_an_echo_and_the_error_after_it_come_apart_through_the_whole_engine():
    net = Network(dialects=PLAIN, streams=True)
    net.answer_after_s = 100.0
    times = []
    original = net._transmit
    net._transmit = lambda end, data: (times.append((end.name, net.time)), original(end, data))
    net.command(START)
    net.run(0.0015)
    outputs = net.rig.engine.answer(net.now(net.rig), Answer(99, failure(1).message, None, 1.0))
    net._carry_out(net.rig, outputs)
    net.run(1)
    rig = [t for name, t in times if name == "rig"]
    assert len(rig) == 2
    assert rig[1] - rig[0] > 0.0199
