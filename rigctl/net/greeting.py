"""How a conversation is opened: hello, hello (pure).

From: `net.echo`.  To: the same, as bytes for the wire.

    client                                     rig
      |--- hello (its epoch, a number) --------->|   to a peer that knows no ids: a harmless EXPINFO
      |<-- hello (answers that number) ----------|   with a key: it also gives the session, to which
      |                                          |   all that follows belongs, both ways

A hello may be recorded and sent again by anybody; what it brings about is a hello, and of that the
client takes only one that answers its latest.
"""

from rigctl.messages import Event, Message
from rigctl.net.codec import Envelope, Kind
from rigctl.net.context import Context
from rigctl.net.inputs import Now
from rigctl.net.outputs import Output, Transmit
from rigctl.net.packets import Packer

DIALECT_VERSION = "1"
"""Of the ``rigctl`` dialect, told in hellos."""

_MESSAGE = Message(Event.EXPINFO, (0,))


class Greeting:
    """Our hellos to one peer.

    Args:
        context: our epoch.
        packer: packs them.
        repeats: whether they are sent again; on a stream a second could only come on top.
    """

    def __init__(self, context: Context, packer: Packer, *, repeats: bool) -> None:
        self._context = context
        self._packer = packer
        self._repeats = repeats
        self._answered = 0
        self.count = 0
        """How many were sent since somebody waited for an answer to one."""
        self.due_at = float("inf")
        """When the next one is due; monotonic time."""
        envelope = Envelope(Kind.HELLO, context.identity.epoch, version=DIALECT_VERSION)
        self.plain = packer.pack(_MESSAGE, envelope).data
        """The same every time, without a key: it comes back from who only echoes."""

    def send(self, now: Now) -> list[Output]:
        """Greet the peer, and again later on."""
        self.count += 1
        timing = self._context.timing
        if self._repeats:
            pause_s = timing.first_repeat_s * 2.0 ** min(self.count - 1, 1)
            self.due_at = now.monotonic + min(pause_s, timing.most_repeat_s)
        return [Transmit(self._hello())]

    def again(self) -> Transmit:
        """Return a hello to a peer that may have been started anew."""
        return Transmit(self._hello())

    def answer(self, hello: Envelope) -> Transmit:
        """Return our answer to a hello."""
        # What is answered so is no question: two servers never greet each other to and fro.
        id = self._context.identity.next_id()
        answers = (hello.epoch, hello.seq)
        envelope = Envelope(Kind.HELLO, *id, answers=answers, version=DIALECT_VERSION)
        session = ""
        if self._context.seal is not None:
            session = self._context.memory.grant(hello.epoch, self._context.new_session())
        return Transmit(self._packer.pack(_MESSAGE, envelope, session).data)

    def is_answer(self, hello: Envelope) -> bool:
        """Whether a sealed hello answers one of ours, and later than any before."""
        if hello.answers is None or not hello.session:
            return False
        epoch, seq = hello.answers
        if epoch != self._context.identity.epoch or seq <= self._answered:
            return False
        self._answered = seq
        return True

    def end(self) -> None:
        """Nobody waits any more."""
        self.count, self.due_at = 0, float("inf")

    def _hello(self) -> bytes:
        if self._context.seal is None:
            return self.plain
        id = self._context.identity.next_id()
        envelope = Envelope(Kind.HELLO, *id, version=DIALECT_VERSION)
        return self._packer.pack(_MESSAGE, envelope).data
