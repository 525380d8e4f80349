"""Under a key: what is forged, replayed or of another session is rejected, and changes nothing."""

import itertools

import pytest

from rigctl.messages import Event, Message
from rigctl.net.codec import Envelope, Kind, decode, encode
from rigctl.net.context import Context, Identity
from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.memory import Memory
from rigctl.net.outputs import Answered, Delivered, Rejected, Transmit, Unconfirmed
from rigctl.net.packets import Packer
from rigctl.net.seal import Seal

KEY = b"k" * 32
START = Message(Event.EXPSTART, ("2024-01-01_1_subject", None))
END = Message(Event.EXPEND, (None,))


class Pair:
    """A desk and a rig, and what passes between them."""

    def __init__(self, desk_key=KEY, rig_key=KEY):
        self.time = 100.0
        self.names = (f"s{n}" for n in itertools.count())
        self.recorded: list[bytes] = []
        self.tickets = itertools.count(1)
        self.desk = self.engine("desk", desk_key, asks=True)
        self.rig_key = rig_key
        self.restart("rig")

    def engine(self, name, key, asks=False, memory=None):
        seal = Seal(key) if key else None
        context = Context(
            Identity(name), seal=seal, memory=memory or Memory(), new_session=self.names.__next__
        )
        return Echo(context, Dialect.AUTO, asks=asks)

    def restart(self, name, memory=None):
        """The rig's process is another one."""
        self.rig = self.engine(name, self.rig_key, memory=memory)
        self.effects = getattr(self, "effects", [])

    def now(self):
        return Now(self.time, 1.7e9 + self.time)

    def command(self, message=START, within_s=10.0):
        command = Command(next(self.tickets), message, 5.0, within_s)
        return self.settle(self.desk.send(self.now(), command), to=self.rig)

    def to_rig(self, data):
        """Bytes that anybody sends; return what the rig does about them."""
        return self.rig.receive(self.now(), data)

    def settle(self, outputs, to):
        """Carry bytes to and fro until nothing more is sent; return all other outputs."""
        told = []
        while outputs:
            following = []
            for output in outputs:
                if isinstance(output, Transmit):
                    self.recorded.append(output.data)
                    following += [(to, o) for o in to.receive(self.now(), output.data)]
                else:
                    told.append(output)
            outputs, back = [], self.desk if to is self.rig else self.rig
            for end, output in following:
                outputs.append(output)
                if isinstance(output, Delivered) and end is self.rig and output.id:
                    self.effects.append(output.message)
                    answer = Answer(next(self.tickets), output.message, output.id, 5.0)
                    outputs += self.rig.answer(self.now(), answer)
            to = back
        return told

    def poll(self, seconds):
        self.time += seconds
        return self.settle(self.desk.poll(self.now()), to=self.rig)


def rejected(outputs):
    assert all(isinstance(output, Rejected) for output in outputs), outputs
    return [output.reason for output in outputs]


def test_with_the_same_key_commands_are_answered():
    pair = Pair()
    told = pair.command()
    assert [o.message for o in told if isinstance(o, Answered)] == [START]
    assert pair.effects == [START]
    assert all(Seal(KEY).is_intact(data) for data in pair.recorded)


@pytest.mark.parametrize("keys", [(KEY, b"o" * 32), (None, KEY), (KEY, None)])
def test_with_another_key_or_none_nothing_is_done_and_the_caller_is_told(keys):
    pair = Pair(*keys)
    told = pair.command()
    assert any(isinstance(output, Rejected) for output in told)
    told += pair.poll(6.0)
    assert any(isinstance(output, Unconfirmed) for output in told)
    assert pair.effects == []


def test_a_rig_with_a_key_never_answers_who_has_none():
    pair = Pair()
    hello = encode(Message(Event.EXPINFO, (0,)), Envelope(Kind.HELLO, "stranger"))
    for data in (b"[2,null,null]", b"[16,null]", hello, b"", b"rubbish", b"[" * 50):
        assert len(rejected(pair.to_rig(data))) == 1
    assert pair.effects == []


def test_what_was_recorded_and_is_sent_again_has_no_second_effect():
    pair = Pair()
    pair.command(START)
    pair.command(END)
    for data in list(pair.recorded):
        told = pair.settle(pair.to_rig(data), to=pair.desk)
        assert not any(isinstance(output, Delivered) for output in told)
    assert pair.effects == [START, END]


def test_what_was_recorded_before_the_rig_was_started_anew_is_rejected():
    pair = Pair()
    pair.command(START)
    pair.command(END)
    commands = [d for d in pair.recorded if decode(d).envelope.kind is not Kind.HELLO]
    hellos = [d for d in pair.recorded if d not in commands]
    pair.restart("rig-2")
    for data in hellos:  # they are answered; nothing follows from that
        assert all(isinstance(output, Transmit | Rejected) for output in pair.to_rig(data))
    for data in commands:
        assert rejected(pair.to_rig(data))
    assert pair.effects == [START, END]


def test_messages_of_another_session_or_another_rig_are_rejected():
    one, other = Pair(), Pair()
    other.names = (f"t{n}" for n in itertools.count())
    other.desk = other.engine("desk-2", KEY, asks=True)
    other.restart("other")
    one.command(START)
    other.command(END)
    assert one.effects == [START]
    for data in other.recorded:
        for output in one.to_rig(data):
            assert isinstance(output, Rejected | Transmit)
    assert one.effects == [START]


def test_a_message_that_comes_back_to_its_sender_is_rejected():
    pair = Pair()
    pair.command(START)
    for data in pair.recorded:
        wire = decode(data)
        if wire.envelope.epoch == "desk":
            assert rejected(pair.desk.receive(pair.now(), data))


def test_a_recorded_hello_of_the_rig_leads_the_desk_nowhere():
    pair = Pair()
    pair.command(START)
    pair.restart("rig-2")
    old = [d for d in pair.recorded if decode(d).envelope.kind is Kind.HELLO]
    for data in old:
        assert rejected(pair.desk.receive(pair.now(), data))


def test_a_rig_that_was_started_anew_is_found_again_by_what_is_under_way():
    pair = Pair()
    pair.command(START)
    pair.restart("rig-2")
    told = pair.command(END)
    assert not any(isinstance(output, Answered) for output in told)
    for _ in range(20):
        told += pair.poll(0.25)
    assert [o.message for o in told if isinstance(o, Answered)] == [END]
    assert pair.effects == [START, END]


@pytest.mark.parametrize(("kept", "expected"), [(False, "UnknownOutcome:"), (True, "2024-01-01")])
def test_after_a_kill_what_was_begun_is_unknown_and_what_was_done_is_answered(kept, expected):
    pair = Pair()
    pair.command(Message(Event.EXPSTATUS, (0,)))
    id = ("desk", pair.desk._context.identity.last_seq + 1)
    about = Envelope(Kind.REPLY, "rig", 9, answers=id)
    stored = Packer(Seal(KEY)).pack(START, about).data if kept else None
    memory = Memory()
    memory.restore([(id, stored)])
    pair.restart("rig-2", memory)
    told = pair.command(START)
    for _ in range(20):
        told += pair.poll(0.25)
    (answer,) = [o.message for o in told if isinstance(o, Answered)]
    assert str(answer.args[0]).startswith(expected)
    assert START not in pair.effects


def test_many_that_only_greet_displace_nobody_who_has_spoken():
    pair = Pair()
    pair.command(START)
    packer = Packer(Seal(KEY))
    for number in range(2000):
        hello = Envelope(Kind.HELLO, f"crowd-{number}", 1)
        pair.to_rig(packer.pack(Message(Event.EXPINFO, (0,)), hello).data)
    told = pair.command(END)
    assert [o.message for o in told if isinstance(o, Answered)] == [END]
