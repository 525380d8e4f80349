"""A simulated network with a simulated clock: two echo engines and what lies between them."""

import heapq
import itertools
import random
from dataclasses import dataclass, field

from rigctl.messages import Message
from rigctl.net.context import Context, Identity
from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Answer, Command, Now
from rigctl.net.outputs import (
    Answered,
    Confirmed,
    Delivered,
    Mangled,
    Output,
    Transmit,
    Unconfirmed,
)
from rigctl.net.timing import Timing


@dataclass
class Weather:
    loss: float = 0.0
    duplication: float = 0.0
    delay_s: tuple[float, float] = (0.001, 0.001)
    corruption: float = 0.0


@dataclass
class End:
    engine: Echo
    name: str
    clock_offset_s: float = 0.0
    delivered: list[Message] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    unconfirmed: list[int] = field(default_factory=list)
    mangled: list[int] = field(default_factory=list)
    answers: dict[int, Message] = field(default_factory=dict)
    sent: int = 0


class Network:
    """Carries what two engines transmit; the rig answers every command with its own arguments."""

    def __init__(
        self,
        seed: int = 0,
        weather: Weather | None = None,
        dialects: tuple[Dialect, Dialect] = (Dialect.AUTO, Dialect.AUTO),
        timing: Timing | None = None,
        streams: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.weather = weather or Weather()
        self.time = 1000.0
        self.answer_after_s = 0.002
        self._order = itertools.count()
        self._tickets = itertools.count(1)
        self._events: list[tuple[float, int, str, End, object]] = []

        def end(name: str, dialect: Dialect, asks: bool) -> End:
            context = Context(
                Identity(f"{name}-{seed}"), timing or Timing(), dice=random.Random(seed)
            )
            return End(Echo(context, dialect, asks=asks, streams=streams), name)

        self.desk = end("desk", dialects[0], True)
        self.rig = end("rig", dialects[1], False)

    def now(self, end: End) -> Now:
        return Now(self.time, 1.7e9 + self.time + end.clock_offset_s)

    def command(
        self, message: Message, *, timeout_s: float = 1.0, within_s: float | None = 10.0
    ) -> int:
        ticket = next(self._tickets)
        command = Command(ticket, message, timeout_s, within_s)
        self._carry_out(self.desk, self.desk.engine.send(self.now(self.desk), command))
        return ticket

    def inject(self, end: End, data: bytes) -> None:
        self._carry_out(end, end.engine.receive(self.now(end), data))

    def run(self, seconds: float) -> None:
        """Let simulated time pass."""
        until = self.time + seconds
        while True:
            timers = {e.name: max(e.engine.next_wakeup(), self.time) for e in (self.desk, self.rig)}
            next_event = self._events[0][0] if self._events else float("inf")
            self.time = min(until, next_event, *timers.values())
            if self.time >= until:
                return
            if next_event <= self.time:
                _, _, kind, end, what = heapq.heappop(self._events)
                self._happen(kind, end, what)
            for end in (self.desk, self.rig):
                if timers[end.name] <= self.time:
                    self._carry_out(end, end.engine.poll(self.now(end)))

    def _happen(self, kind: str, end: End, what: object) -> None:
        if kind == "arrive":
            assert isinstance(what, bytes)
            self._carry_out(end, end.engine.receive(self.now(end), what))
        else:
            assert isinstance(what, Delivered)
            answer = Answer(next(self._tickets), what.message, what.id, 30.0)
            self._carry_out(end, end.engine.answer(self.now(end), answer))

    def _carry_out(self, end: End, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Transmit(data):
                    self._transmit(end, data)
                case Delivered(message):
                    end.delivered.append(message)
                    if end is self.rig and message.event:
                        self._at(self.time + self.answer_after_s, "answer", end, output)
                case Confirmed(ticket):
                    end.confirmed.append(ticket)
                case Unconfirmed(ticket):
                    end.unconfirmed.append(ticket)
                case Mangled(ticket):
                    end.mangled.append(ticket)
                case Answered(ticket, message):
                    end.answers[ticket] = message

    def _transmit(self, end: End, data: bytes) -> None:
        end.sent += 1
        other = self.rig if end is self.desk else self.desk
        if self.random.random() < self.weather.corruption:
            at = self.random.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        copies = 2 if self.random.random() < self.weather.duplication else 1
        for _ in range(copies):
            if self.random.random() >= self.weather.loss:
                delay = self.random.uniform(*self.weather.delay_s)
                self._at(self.time + delay, "arrive", other, data)

    def _at(self, when: float, kind: str, end: End, what: object) -> None:
        heapq.heappush(self._events, (when, next(self._order), kind, end, what))
