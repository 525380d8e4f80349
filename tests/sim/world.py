"""A desk, some rigs, a bad network and a clock, all simulated, from one plan."""

import random
from collections import Counter
from collections.abc import Callable, Iterator

from rigctl.net.weather import Direction, Forecast

from .desk import Call, Desk
from .engines import Killed
from .plans import COMMANDS_S, Order, Plan
from .rig import Disk, Rig
from .timeline import Machine, Timeline

QUIET_S = 200.0
"""After the last command: by then every deadline has passed, on both sides."""
_LONGEST_DOWN_S = 2.0
_LONGEST_WORK_S = 0.5


class World:
    """One run: `live` lets it happen, then it is there to be looked at."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.notes: list[str] = []
        self.calls: list[Call] = []
        self.sent: Counter[str] = Counter()
        """How many packets each side has transmitted."""
        self.rejected = 0
        self.deaths: Counter[str] = Counter()
        self.disks = {rig: Disk() for rig in plan.rigs}
        self._timeline = Timeline(self._machines)
        self._dice = random.Random(plan.seed)
        self._steps: Counter[str] = Counter()
        self._forecasts = {
            rig: Forecast(plan.weather, f"{plan.seed} {rig}", self.time) for rig in plan.rigs
        }
        self.desk: Desk | None = Desk(self, 0)
        self.rigs: dict[str, Rig | None] = {
            rig: Rig(self, rig, 0, disk) for rig, disk in self.disks.items()
        }

    def live(self) -> None:
        """Have everything happen."""
        for order in self.plan.orders:
            self.after(order.at_s, lambda order=order: self._give(order))
        self._timeline.run(COMMANDS_S + QUIET_S)

    @property
    def time(self) -> float:
        return self._timeline.time

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        """Have something happen later; who is killed by it is made anew."""
        self._timeline.after(seconds, lambda: self._surviving(happen))

    def note(self, text: str) -> None:
        self.notes.append(f"{self.time - 1000:9.4f} {text}")

    def work_s(self) -> float:
        """Return how long a rig takes to do something."""
        return self._dice.uniform(0.0, _LONGEST_WORK_S)

    def step(self, name: str) -> None:
        """A process does one thing more, unless its plan is to be killed there."""
        self._steps[name] += 1
        if self._steps[name] in self.plan.kills.get(name, ()):
            raise Killed(name)

    def to_rig(self, desk: str, rig: str, data: bytes) -> None:
        def arrive(arriving: bytes) -> None:
            process = self.rigs[rig]
            if process:
                process.receive(desk, arriving)

        self._carry(desk, rig, Direction.TO_RIG, data, arrive)

    def to_desk(self, desk: str, rig: str, data: bytes) -> None:
        def arrive(arriving: bytes) -> None:
            # Nobody listens at the address of a desk that is gone.
            if self.desk and self.desk.name == desk:
                self.desk.receive(rig, arriving)

        self._carry(desk, rig, Direction.FROM_RIG, data, arrive)

    def _carry(
        self, desk: str, rig: str, way: Direction, data: bytes, arrive: Callable[[bytes], None]
    ) -> None:
        sender = desk if way is Direction.TO_RIG else rig
        self.sent[sender] += 1
        fate = self._forecasts[rig].packet(self.time, way)
        self.note(f"{sender} -> {rig if sender == desk else desk} {fate.delays_s}: {data.decode()}")
        arriving = fate.arriving(data)
        for delay_s in fate.delays_s:
            self.after(delay_s, lambda: arrive(arriving))

    def _give(self, order: Order) -> None:
        deadline = self.time + order.timeout_s + order.within_s
        call = Call(order.tag, order.rig, deadline, order.within_s)
        self.calls.append(call)
        if self.desk is None:
            call.outcome, call.told_at = "lost", self.time  # there is nobody to tell it to
        else:
            self.desk.call(call, order.timeout_s)

    def _machines(self) -> Iterator[Machine]:
        for process in (self.desk, *self.rigs.values()):
            if process:
                yield _Mortal(self, process)

    def _surviving(self, happen: Callable[[], None]) -> None:
        try:
            happen()
        except Killed as killed:
            self._bury(str(killed))

    def _bury(self, name: str) -> None:
        """Take a process away, and start another one after a while."""
        self.deaths[name] += 1
        self.note(f"{name} is killed")
        process = self.desk if name == "desk" else self.rigs[name]
        assert process
        process.die()
        self._place(name, None)
        life = self.deaths[name]
        made = self._dice.uniform(0.0, _LONGEST_DOWN_S)
        self._timeline.after(made, lambda: self._raise(name, life))

    def _raise(self, name: str, life: int) -> None:
        self.note(f"{name} is started anew")
        disk = self.disks.get(name)
        self._place(name, Rig(self, name, life, disk) if disk else Desk(self, life))

    def _place(self, name: str, process: Desk | Rig | None) -> None:
        if name == "desk":
            assert not isinstance(process, Rig)
            self.desk = process
        else:
            assert not isinstance(process, Desk)
            self.rigs[name] = process


class _Mortal:
    """A process whose timers may kill it."""

    def __init__(self, world: World, process: Desk | Rig) -> None:
        self._world = world
        self._process = process
        self.next_wakeup = process.next_wakeup

    def poll(self) -> None:
        self._world._surviving(self._process.poll)
