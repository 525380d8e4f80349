"""The dialect with ids: what one peer may cost."""

import time

import pytest

from rigctl.messages import Event, Message
from rigctl.net.codec import Envelope, Kind, decode, digest_of, encode
from rigctl.net.context import Context, Identity
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.numbered import NumberedDialect
from rigctl.net.outgoing import MAX_UNCONFIRMED_ANSWERS
from rigctl.net.outputs import Confirmed, Delivered, Transmit, Unconfirmed
from rigctl.net.packets import Packer

NOW = Now(1000.0, 1.7e9)
DONE = Message(Event.EXPSTATUS, (20,))


def rig(repeats: bool = True) -> NumberedDialect:
    return NumberedDialect(
        Context(Identity("rig")), Packer(None), datagram=1200 if repeats else None
    )


def command(seq: int) -> bytes:
    return encode(Message(Event.EXPSTATUS, (0,)), Envelope(Kind.COMMAND, "desk", seq))


def ask(dialect: NumberedDialect, seq: int, now: Now = NOW) -> list:
    """Have one command delivered and answered; return what the answer brings about."""
    data = command(seq)
    delivered = [o for o in dialect.receive(now, data, decode(data)) if isinstance(o, Delivered)]
    assert len(delivered) == 1
    return dialect.answer(now, Answer(seq, DONE, delivered[0].id, 30.0))


def test_a_peer_that_echoes_nothing_keeps_few_answers_waiting_and_the_oldest_is_given_up():
    dialect = rig()
    for seq in range(1, MAX_UNCONFIRMED_ANSWERS + 1):
        assert len(ask(dialect, seq)) == 1
    outputs = ask(dialect, 500)
    assert [o.ticket for o in outputs if isinstance(o, Unconfirmed)] == [1]
    repeats = dialect.outgoing.poll(Now(NOW.monotonic + 1.0, NOW.clock + 1.0))
    assert len(repeats) == MAX_UNCONFIRMED_ANSWERS


def test_an_answer_that_was_given_up_is_still_sent_for_a_repeat_of_its_command():
    dialect = rig()
    first = ask(dialect, 1)[0]
    for seq in range(2, 200):
        ask(dialect, seq)
    outputs = dialect.receive(NOW, command(1), decode(command(1)))
    assert first in outputs
    assert not any(isinstance(o, Delivered) for o in outputs)


def test_confirmed_answers_do_not_count():
    dialect = rig()
    for seq in range(1, 300):
        outputs = ask(dialect, seq)
        assert not any(isinstance(o, Unconfirmed) for o in outputs)
        assert isinstance(outputs[0], Transmit)
        wire = decode(outputs[0].data)
        assert wire.envelope is not None
        id = (wire.envelope.epoch, wire.envelope.seq)
        echo = encode(
            Message(Event.EXPSTATUS),
            Envelope(Kind.ECHO, answers=id, digest=digest_of(outputs[0].data)),
        )
        dialect.receive(NOW, echo, decode(echo))
    assert not dialect.outgoing.unconfirmed
    assert dialect.outgoing.next_wakeup() == float("inf")


@pytest.mark.parametrize("repeats", [True, False])
def test_many_messages_of_a_peer_that_echoes_nothing_take_linear_time(repeats):
    dialect = rig(repeats)
    began = time.perf_counter()
    for seq in range(1, 20_001):
        ask(dialect, seq)
        assert dialect.outgoing.next_wakeup() > NOW.monotonic
    assert time.perf_counter() - began < 10


def test_an_answer_whose_sender_gave_it_up_is_no_stumbling_block_for_later_ones():
    dialect = rig()
    ask(dialect, 1)
    dialect.outgoing.forget(1)
    for seq in range(2, 3 * MAX_UNCONFIRMED_ANSWERS):
        ask(dialect, seq)
    assert len(dialect.outgoing.tickets) == MAX_UNCONFIRMED_ANSWERS


def test_what_is_on_the_wire_is_confirmed_although_no_stream_could_be_opened_meanwhile():
    dialect = rig()
    sent = dialect.send(NOW, Command(1, DONE, 1.0, 10.0))[0].data
    dialect.outgoing.lack_stream()
    wire = decode(sent)
    id = (wire.envelope.epoch, wire.envelope.seq)
    echo = encode(DONE, Envelope(Kind.ECHO, "peer", answers=id, digest=digest_of(sent)))
    assert Confirmed(1) in dialect.receive(NOW, echo, decode(echo))
