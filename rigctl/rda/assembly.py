"""The messages of one connection become the items of a stream (pure).

From: `client`.  To: `client`, which yields them. One per connection, so that nothing of a lost
connection is mixed into the next.

    waiting --START--> running --STOP or a START that cannot be used--> waiting
    running --NEW STATE paused--> running, silence allowed, until the next data

A run begins with its first data, since only these tell the type of the samples.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from rigctl.blocks import Block, BlockFlags, Burst, Item, Lull, Marker, Notice, Run, StreamInfo
from rigctl.rda.layout import layout
from rigctl.rda.messages import (
    Data,
    DataRow,
    ImpedanceData,
    ImpedanceStart,
    ImpedanceStop,
    Info,
    KeepAlive,
    Message,
    MessageType,
    NewState,
    Rejected,
    Start,
    State,
    Stop,
    StrayData,
    Unknown,
)
from rigctl.rda.numbering import Numbered, Step, number
from rigctl.rda.tally import Tally

_PAUSES = (State.PAUSED, State.CALIBRATION_PAUSED, State.IMPEDANCE_PAUSED)
_STRAY_TEXT = "data before START are dropped: {count} blocks so far"
_REPEAT_TEXT = "a block with the number of the one before is dropped: {count} so far"


class Assembler:
    """Follows one connection's messages and says what they mean for the stream."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._info: Info | None = None
        self._run: StreamInfo | None = None
        self._dtype: np.dtype[Any] | None = None
        self._counter: int | None = None
        self._paused = False
        self._impedances: ImpedanceData | None = None
        self._tally = Tally()

    @property
    def expects_data(self) -> bool:
        """Whether silence means that something is wrong."""
        return self._start is not None and not self._paused

    def take(self, message: Message, arrival_s: float) -> list[Item]:
        """Return what this message means for the stream, in order.

        Args:
            message: the next one of the connection.
            arrival_s: when its last byte arrived.
        """
        if isinstance(message, Data):
            return self._data(message, arrival_s)
        if isinstance(message, DataRow):
            return self._row(message, arrival_s)
        return self._RULES[type(message)](self, message)

    def _data(self, data: Data, arrival_s: float) -> list[Item]:
        place = number(self._counter, data.block)
        if place.step is Step.REPEAT:
            return self._tally.count("repeat", _REPEAT_TEXT)
        self._counter, self._paused = place.counter, False
        begun = self._run_for(data.samples.dtype, place)
        flags = _flags(begun, place)
        if not data.markers and not data.faults:  # nearly always
            return [*begun, Block(data.samples, place.counter, arrival_s, (), flags)]
        markers, moved = _clamped(data)
        block = Block(data.samples, place.counter, arrival_s, markers, flags)
        return [*begun, *_faults("bad_markers", data.faults), *moved, block]

    def _row(self, row: DataRow, arrival_s: float) -> list[Item]:
        if number(self._counter, row.block).step is Step.REPEAT:
            repeated, rest = (
                Data(row.block, row.samples[0]),
                DataRow(row.block + 1, row.samples[1:]),
            )
            return [*self._data(repeated, arrival_s), *self._row(rest, arrival_s)]
        place = number(self._counter, row.block)
        self._counter, self._paused = place.counter + len(row.samples) - 1, False
        begun = self._run_for(row.samples.dtype, place)
        return [*begun, Burst(row.samples, place.counter, arrival_s, _flags(begun, place))]

    def _run_for(self, dtype: np.dtype[Any], place: Numbered) -> list[Item]:
        """Return a new run where this block cannot go on in the one before."""
        if self._run is not None and self._dtype == dtype and place.step is not Step.FALL:
            return []
        assert self._start is not None  # the parser gives no Data without a START
        self._dtype = dtype
        self._run = layout(self._start, self._info, dtype.name)
        return [Run(self._run)]

    def _on_start(self, start: Start) -> list[Item]:
        self._start, self._run, self._counter, self._paused = start, None, None, False
        self._tally = Tally()
        return _faults("protocol", start.faults)

    def _on_stop(self, _: Stop) -> list[Item]:
        was_running = self._start is not None
        self._start = None
        return [Lull("STOP received; waiting for the next START")] if was_running else []

    def _on_rejected(self, rejected: Rejected) -> list[Item]:
        text = f"{rejected.type.name} cannot be used: {rejected.reason}"
        items: list[Item] = [Notice("protocol", text)]
        if rejected.type is MessageType.START:
            self._start = None
            items.append(Lull(f"waiting for a START that can be used: {rejected.reason}"))
        return items

    def _on_stray(self, _: StrayData) -> list[Item]:
        return self._tally.count("stray", _STRAY_TEXT)

    def _on_info(self, info: Info) -> list[Item]:
        self._info = info
        if self._run is None or self._start is None:
            return []
        changed = layout(self._start, info, self._run.dtype)
        if changed == self._run:
            return []
        self._run = changed
        return [Run(changed)]  # other units: what follows is another physical signal

    def _on_state(self, new: NewState) -> list[Item]:
        items: list[Item] = [
            Notice("state", f"the amplifier's program is {new.label}", {"state": new.state})
        ]
        self._paused = new.state in _PAUSES
        if self._paused and self._start is not None:
            items.append(Lull("the amplifier's program is paused"))
        return items

    def _on_impedance_start(self, _: ImpedanceStart) -> list[Item]:
        return [Notice("impedance", "an impedance measurement begins")]

    def _on_impedances(self, data: ImpedanceData) -> list[Item]:
        if data == self._impedances:
            return []  # sent many times a second, changed rarely
        self._impedances = data
        facts = {electrode.name: electrode.kohm for electrode in data.electrodes}
        return [Notice("impedance", f"impedances of {len(facts)} electrodes", {"kohm": facts})]

    def _on_impedance_stop(self, _: ImpedanceStop) -> list[Item]:
        return [Notice("impedance", "the impedance measurement ends")]

    def _on_unknown(self, unknown: Unknown) -> list[Item]:
        text = f"messages of the unknown type {unknown.type} are passed over: {{count}} so far"
        return self._tally.count(f"type {unknown.type}", text)

    def _on_keep_alive(self, _: KeepAlive) -> list[Item]:
        return []

    _RULES: ClassVar[dict[type, Callable[["Assembler", Any], list[Item]]]] = {
        Start: _on_start,
        Stop: _on_stop,
        Rejected: _on_rejected,
        StrayData: _on_stray,
        Info: _on_info,
        NewState: _on_state,
        ImpedanceStart: _on_impedance_start,
        ImpedanceData: _on_impedances,
        ImpedanceStop: _on_impedance_stop,
        Unknown: _on_unknown,
        KeepAlive: _on_keep_alive,
    }


def _faults(kind: str, faults: tuple[str, ...]) -> list[Item]:
    return [Notice(kind, fault) for fault in faults]


def _flags(begun: list[Item], place: Numbered) -> BlockFlags:
    if not begun:
        return BlockFlags.GAP_BEFORE if place.lost else BlockFlags.NONE
    return BlockFlags.NEW_RUN | (BlockFlags.GAP_BEFORE if place.lost else BlockFlags.NONE)


def _clamped(data: Data) -> tuple[tuple[Marker, ...], list[Item]]:
    """Return the markers moved into their block, and a notice where that was needed."""
    last = max(len(data.samples) - 1, 0)
    outside = [marker for marker in data.markers if not 0 <= marker.position <= last]
    if not outside:
        return data.markers, []
    moved = tuple(replace(one, position=min(max(one.position, 0), last)) for one in data.markers)
    text = f"{len(outside)} markers lie outside their block of {len(data.samples)} points: moved"
    facts = {"block": data.block, "positions": [marker.position for marker in outside]}
    return moved, [Notice("bad_markers", text, facts)]
