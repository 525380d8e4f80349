"""Two echo engines, and a network with the weather of `rigctl.net.weather` between them."""

import itertools
import random
from collections.abc import Callable
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
from rigctl.net.weather import Direction, Forecast, Weather

from .timeline import Timeline

FAIR = Weather(delay_s=0.001)


@dataclass
class End:
    engine: Echo
    name: str
    way: Direction
    """Which way what it transmits goes."""
    poll: Callable[[], None] = field(default=lambda: None)
    clock_offset_s: float = 0.0
    delivered: list[Message] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)
    unconfirmed: list[int] = field(default_factory=list)
    mangled: list[int] = field(default_factory=list)
    answers: dict[int, Message] = field(default_factory=dict)
    sent: int = 0

    def next_wakeup(self) -> float:
        return self.engine.next_wakeup()


class Network:
    """Carries what two engines transmit; the rig answers every command with its own arguments."""

    def __init__(
        self,
        seed: int = 0,
        weather: Weather = FAIR,
        dialects: tuple[Dialect, Dialect] = (Dialect.AUTO, Dialect.AUTO),
        timing: Timing | None = None,
        streams: bool = False,
    ) -> None:
        self.forecast = Forecast(weather, seed)
        self.answer_after_s = 0.002
        self._tickets = itertools.count(1)
        self._timeline = Timeline(lambda: (self.desk, self.rig))

        def end(name: str, dialect: Dialect, way: Direction) -> End:
            context = Context(
                Identity(f"{name}-{seed}"), timing or Timing(), dice=random.Random(seed)
            )
            asks = way is Direction.TO_RIG
            made = End(Echo(context, dialect, asks=asks, streams=streams), name, way)
            made.poll = lambda: self._carry_out(made, made.engine.poll(self.now(made)))
            return made

        self.desk = end("desk", dialects[0], Direction.TO_RIG)
        self.rig = end("rig", dialects[1], Direction.FROM_RIG)

    @property
    def time(self) -> float:
        return self._timeline.time

    @property
    def weather(self) -> Weather:
        return self.forecast.weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self.forecast.weather = weather

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
        self._timeline.run(seconds)

    def _answer(self, end: End, delivered: Delivered) -> None:
        answer = Answer(next(self._tickets), delivered.message, delivered.id, 30.0)
        self._carry_out(end, end.engine.answer(self.now(end), answer))

    def _carry_out(self, end: End, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Transmit(data):
                    self._transmit(end, data)
                case Delivered(message):
                    end.delivered.append(message)
                    if end is self.rig and message.event:
                        self._timeline.after(self.answer_after_s, self._answering(end, output))
                case Confirmed(ticket):
                    end.confirmed.append(ticket)
                case Unconfirmed(ticket):
                    end.unconfirmed.append(ticket)
                case Mangled(ticket):
                    end.mangled.append(ticket)
                case Answered(ticket, message):
                    end.answers[ticket] = message

    def _answering(self, end: End, delivered: Delivered) -> Callable[[], None]:
        return lambda: self._answer(end, delivered)

    def _transmit(self, end: End, data: bytes) -> None:
        end.sent += 1
        other = self.rig if end is self.desk else self.desk
        fate = self.forecast.packet(self.time, end.way)
        arriving = fate.arriving(data)
        for delay_s in fate.delays_s:
            self._timeline.after(delay_s, lambda: self.inject(other, arriving))
