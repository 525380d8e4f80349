"""Messages become the items of a stream."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from rigctl.blocks import Block, BlockFlags, Channel, Item, Lull, Marker, Notice, Run
from rigctl.rda.assembly import Assembler
from rigctl.rda.messages import (
    Data,
    Electrode,
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

from .serving import blocks, lulls, notices, runs

START = Start(1000.0, (0.5, 0.1), ("Fp1", "Cz"))
INFO = Info(1.0, 1000.0, (0.5, 0.1), ("Fp1", "Cz"), ("µV", "mV"))


def data(block: int, dtype: str = "float32", points: int = 2, markers=(), faults=()) -> Data:
    return Data(block, np.zeros((points, 2), dtype), tuple(markers), tuple(faults))


def items_of(*messages: Message) -> list[Item]:
    assembler = Assembler()
    return [item for message in messages for item in assembler.take(message, 7.5)]


def test_a_run_begins_with_the_first_data_which_tell_the_type():
    run, block = items_of(START, data(4))
    assert isinstance(run, Run)
    assert (run.info.dtype, run.info.shape, run.info.rate_hz) == ("float32", (2,), Fraction(1000))
    assert run.info.channels == (Channel("Fp1", "µV", 0.5), Channel("Cz", "µV", 0.1))
    assert isinstance(block, Block)
    assert (block.counter, block.arrival_s, block.flags) == (4, 7.5, BlockFlags.NEW_RUN)


@pytest.mark.parametrize("order", [(INFO, START), (START, INFO)])
def test_units_of_info_are_merged_whether_it_comes_before_or_behind_start(order):
    (run,) = runs(items_of(*order, data(1)))
    assert [channel.unit for channel in run.info.channels] == ["µV", "mV"]


def test_info_about_another_number_of_channels_is_ignored():
    (run,) = runs(items_of(replace(INFO, units=("mV",)), START, data(1)))
    assert {channel.unit for channel in run.info.channels} == {"µV"}


def test_other_units_in_mid_run_are_a_new_run_and_the_same_ones_are_not():
    assert len(runs(items_of(START, data(1), INFO, data(2), INFO, data(3)))) == 2


def test_start_in_mid_stream_is_a_new_run():
    items = items_of(START, data(8), START, data(1), data(2))
    assert len(runs(items)) == 2
    new = BlockFlags.NEW_RUN
    assert [block.flags for block in blocks(items)] == [new, new, BlockFlags.NONE]


def test_a_jump_of_the_number_is_a_gap():
    items = items_of(START, data(1), data(5))
    assert len(runs(items)) == 1
    assert [block.counter for block in blocks(items)] == [1, 5]
    assert blocks(items)[1].flags == BlockFlags.GAP_BEFORE


def test_a_repeat_is_dropped_and_counted():
    items = items_of(START, data(1), data(1), data(2))
    assert [block.counter for block in blocks(items)] == [1, 2]
    assert notices(items, "protocol")[0].facts == {"count": 1}


def test_a_fall_of_the_number_is_a_new_run_with_the_same_layout():
    items = items_of(START, data(900), data(0))
    first, second = runs(items)
    assert first == second
    assert [block.counter for block in blocks(items)] == [900, 0]


def test_another_type_of_samples_is_a_new_run():
    items = items_of(START, data(1), data(2, "int16"))
    assert [run.info.dtype for run in runs(items)] == ["float32", "int16"]


def test_markers_outside_of_their_block_are_moved_in_and_told():
    markers = [Marker(-3, "a"), Marker(1, "b"), Marker(9, "c")]
    items = items_of(START, data(1, markers=markers))
    (block,) = blocks(items)
    assert [marker.position for marker in block.markers] == [0, 1, 1]
    assert notices(items, "bad_markers")[0].facts["positions"] == [-3, 9]


def test_a_marker_at_the_beginning_of_an_empty_block_is_in_its_place():
    items = items_of(START, data(1, points=0, markers=[Marker(0, "a")]))
    assert blocks(items)[0].markers == (Marker(0, "a"),)
    assert not notices(items, "bad_markers")


def test_faults_become_notices_and_cost_no_samples():
    items = items_of(
        replace(START, faults=("names",)), data(1, faults=["2 markers are impossible: dropped"])
    )
    assert notices(items, "protocol")[0].text == "names"
    assert len(notices(items, "bad_markers")) == len(blocks(items)) == 1


def test_stop_is_a_lull_once():
    assert len(lulls(items_of(START, data(1), Stop(), Stop()))) == 1
    assert items_of(Stop()) == []


def test_stray_data_are_counted_and_told_in_powers_of_ten():
    told = notices(items_of(*[StrayData(n, 5) for n in range(150)]), "protocol")
    assert [notice.facts["count"] for notice in told] == [1, 10, 100]


def test_unknown_types_are_counted_apart():
    told = notices(items_of(Unknown(77, 24), Unknown(78, 24), Unknown(77, 24)), "protocol")
    assert len(told) == 2


def test_a_start_that_cannot_be_used_is_told_and_ends_the_run():
    assembler = Assembler()
    assembler.take(START, 0.0)
    notice, lull = assembler.take(Rejected(MessageType.START, "it states 0 channels"), 0.0)
    assert isinstance(notice, Notice)
    assert isinstance(lull, Lull)
    assert "0 channels" in lull.reason
    assert not assembler.expects_data


def test_an_info_that_cannot_be_used_costs_itself_only():
    items = items_of(START, Rejected(MessageType.INFO, "why"), data(1))
    assert len(blocks(items)) == 1
    assert not lulls(items)


def test_states_are_events_and_never_reset_the_run():
    items = items_of(START, data(1), NewState(State.RECORDING), data(2))
    assert notices(items, "state")[0].facts == {"state": 4}
    assert len(runs(items)) == 1


def test_silence_is_allowed_before_start_behind_stop_and_in_a_pause():
    assembler = Assembler()
    expected = [assembler.expects_data]
    for message in (
        START,
        NewState(State.PAUSED),
        data(1),
        NewState(State.PAUSED),
        NewState(State.RECORDING),
        Stop(),
    ):
        assembler.take(message, 0.0)
        expected.append(assembler.expects_data)
    assert expected == [False, True, False, True, False, True, False]


def test_a_pause_is_a_lull():
    assert "paused" in lulls(items_of(START, data(1), NewState(State.PAUSED)))[0].reason


def test_impedances_are_told_when_they_change():
    first = ImpedanceData((Electrode("Fp1", 12), Electrode("GND", -1)))
    second = ImpedanceData((Electrode("Fp1", 9),))
    told = notices(
        items_of(ImpedanceStart(), first, first, second, ImpedanceStop(), KeepAlive()), "impedance"
    )
    assert [notice.facts.get("kohm") for notice in told] == [
        None,
        {"Fp1": 12, "GND": -1},
        {"Fp1": 9},
        None,
    ]
