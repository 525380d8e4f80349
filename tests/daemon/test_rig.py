"""The rig in this process: arming, instants, the journal's part in its steps, and its comeback."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from rigctl.config import load_rig
from rigctl.daemon import Service
from rigctl.daemon.actions import Actions
from rigctl.daemon.command import Command
from rigctl.daemon.place import Place
from rigctl.daemon.rig import Rig
from rigctl.daemon.standing import Standing
from rigctl.daemon.states import CLEANUP, END, INIT, INTERRUPT, START, State
from rigctl.database import Database
from rigctl.errors import JournalError, Refused, SessionExists, StreamError
from rigctl.messages import ExpRef, Json, Status
from rigctl.net.clock import RigClock
from rigctl.recording.manifest import seal
from rigctl.recording.session import ClockPair, Session, SessionHeader
from rigctl.recording.verify import verify

REF = ExpRef.parse("2024-01-01_1_subject")
SIMULATED = {"device": "simulated", "channels": 2, "rate": 1000}
NOBODY = {"device": "rda", "host": "127.0.0.1", "port": 1}
SAMPLE = {"reference": "desk", "offset_s": 0.0, "bound_s": 0.001}


class Logged(Service):
    def __init__(self, rig: Any) -> None:
        super().__init__(rig)
        self.calls: list[tuple[str, Json]] = []
        self.fails = ""

    def log(self, hook: str, data: Json) -> None:
        self.calls.append((hook, data))
        if self.fails == hook:
            raise RuntimeError(f"{hook} is stuck")

    async def on_init(self, exp_ref: str, data: Json) -> None:
        self.log("on_init", data)

    async def on_start(self, exp_ref: str, data: Json) -> None:
        self.log("on_start", data)

    async def on_stop(self, data: Json, immediately: bool) -> None:
        self.log("on_stop", data)

    async def on_cleanup(self, data: Json) -> None:
        self.log("on_cleanup", data)


class Made:
    """Rigs of one folder, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session = folder / "data/subject/2024-01-01/001/eeg"
        self.clock = RigClock()
        self.place: Place | None = None

    async def rig(self, **sources: dict[str, Any]) -> Rig:
        """Make the rig, and the daemon's folder of state its own."""
        path = self.folder / "eeg.yaml"
        path.write_text(yaml.safe_dump({"name": "eeg", "sources": sources}))
        config = load_rig(path)
        self.place = Place.take(config)
        self.service = Logged(config)
        self.actions = Actions(config, self.service, [self.place.workers.fileno()])
        self.made = Rig(config, self.actions, self.place.journal, self.clock)
        return self.made

    @property
    def written(self) -> Standing:
        assert self.place
        return self.place.journal.standing()

    @property
    def hooks(self) -> list[str]:
        return [name for name, _ in self.service.calls]

    def make_session(self) -> Path:
        """Leave a session behind as a daemon that was killed does."""
        header = SessionHeader(state="RUNNING", host="here", clock=ClockPair.now())
        return Session.create(self.folder / "data", REF, "eeg", header).path

    async def back(self, **standing: Any) -> Rig:
        """Make a rig come back from where another one was killed."""
        assert self.place
        state = standing.pop("state", State(Status.RUNNING, REF))
        await self.made.come_back(Standing(state, **standing), self.place.wait_for_workers)
        return self.made


@pytest_asyncio.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    one = Made(tmp_path)
    yield one
    if one.place:
        await one.made.shut_down("the test is over")
        one.place.close()


def init(within_s: float | None = None, **data: Any) -> Command:
    return Command(INIT, REF, data, within_s)


def reasons(rig: Rig, condition: str = "RECOVERED") -> list[str]:
    return [one.reason for one in rig.report().conditions if one.condition == condition]


# --- arming


async def test_an_armed_rig_has_samples_in_the_rings_of_all_that_it_cannot_do_without(
    made: Made,
) -> None:
    rig = await made.rig(amp=SIMULATED, spare=NOBODY | {"required": False})
    await rig.command(init(arm=True))
    report = rig.report()
    assert (report.status, report.armed) == ("INITIALIZED", True)
    assert report.streams["amp"].received > 0
    await rig.command(Command(START, REF))
    assert not rig.report().armed


async def test_a_rig_that_cannot_be_armed_names_the_stream_and_undoes_its_init(made: Made) -> None:
    rig = await made.rig(amp=SIMULATED, probe=NOBODY)
    with pytest.raises(StreamError, match="not armed: no samples .* probe: cannot connect"):
        await rig.command(init(2.0, arm=True))
    assert (rig.state, rig.report().armed) == (State(), False)
    assert made.hooks == ["on_init", "on_cleanup"]
    assert {stream.situation for stream in rig.report().streams.values()} == {"not started"}
    assert dataclasses.replace(made.written, owner="") == Standing()


async def test_an_initialised_rig_is_armed_by_a_repeat_and_stays_initialised_if_not(
    made: Made,
) -> None:
    rig = await made.rig(amp=SIMULATED)
    await rig.command(init())
    assert not rig.report().armed
    await rig.command(init(arm=True))
    assert rig.report().armed
    made.session.mkdir(parents=True)
    with pytest.raises(SessionExists):
        await rig.command(init(arm=True))
    assert (rig.state.status, rig.report().armed) == (Status.INITIALIZED, False)
    assert made.hooks == ["on_init"]


async def test_an_interrupt_ends_the_wait_for_samples(made: Made) -> None:
    rig = await made.rig(probe=NOBODY)
    arming = asyncio.create_task(rig.command(init(60, arm=True)))
    while "on_init" not in (made.hooks if hasattr(made, "service") else []):
        await asyncio.sleep(0.01)
    await rig.command(Command(INTERRUPT))
    with pytest.raises(Refused, match="EXPINIT was interrupted"):
        await arming
    assert rig.state == State()
    assert made.hooks == ["on_init", "on_cleanup"]


# --- instants and clocks


async def test_instants_reach_the_recording_on_the_monotonic_clock(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await made.rig()
    recording = made.actions.recording
    seen: list[float | None] = []
    begin, end = recording.begin, recording.end

    async def begun(exp_ref: ExpRef, within_s: float | None, start_s: float | None) -> None:
        seen.append(start_s)
        await begin(exp_ref, within_s, start_s)

    async def ended(within_s: float | None = None, stop_s: float | None = None) -> None:
        seen.append(stop_s)
        await end(within_s, stop_s)

    monkeypatch.setattr(recording, "begin", begun)
    monkeypatch.setattr(recording, "end", ended)
    now = made.clock.now()
    await rig.command(Command(START, REF, {"at": now.clock - 2.0}))
    await rig.command(Command(END, data={"at": now.clock + 0.1}))
    assert seen == [pytest.approx(now.monotonic - 2.0), pytest.approx(now.monotonic + 0.1)]


async def stopping_at(made: Made, ahead_s: float) -> "asyncio.Task[Json]":
    """Have a rig that records stop at an instant; return once that is waited for."""
    rig = await made.rig(amp=SIMULATED)
    await rig.command(Command(START, REF))
    stop = Command(END, data={"at": made.clock.now().clock + ahead_s})
    stopping = asyncio.create_task(rig.command(stop))
    while not rig._doing.is_under_way:
        await asyncio.sleep(0)
    return stopping


async def test_an_interrupt_overtakes_a_stop_whose_instant_lies_ahead(made: Made) -> None:
    stopping = await stopping_at(made, 50)
    began_s = time.monotonic()
    await made.made.command(Command(INTERRUPT))
    assert time.monotonic() - began_s < 20
    with pytest.raises(Refused, match="was interrupted"):
        await stopping
    assert made.made.state.status is Status.STOPPED


async def test_the_end_of_the_daemon_overtakes_a_stop_whose_instant_lies_ahead(made: Made) -> None:
    stopping = await stopping_at(made, 50)
    began_s = time.monotonic()
    await made.made.shut_down("the test is over")
    assert time.monotonic() - began_s < 20
    with pytest.raises(Refused, match="was interrupted"):
        await stopping
    assert Session.open(made.session).is_sealed


async def test_a_rig_that_is_killed_before_the_instant_of_a_stop_goes_on(made: Made) -> None:
    stopping = await stopping_at(made, 50)
    assert (made.written.state.status, made.written.doing) == (Status.RUNNING, None)
    stopping.cancel()


async def test_a_stop_ends_at_its_instant(made: Made) -> None:
    stopping = await stopping_at(made, 1.5)
    began_s = time.monotonic()
    await stopping
    assert time.monotonic() - began_s > 1
    assert made.made.state.status is Status.STOPPED
    window = Session.open(made.session).record.window
    assert window and window.positions["amp"][1] is not None


@pytest.mark.parametrize("event", [START, INTERRUPT])
async def test_an_absurd_instant_is_refused_before_anything_is_changed(
    made: Made, event: Any
) -> None:
    rig = await made.rig()
    await rig.command(init())
    with pytest.raises(Refused, match="ahead of this rig's clock"):
        await rig.command(Command(event, REF, {"at": time.time() + 1e6}))
    assert rig.state.status is Status.INITIALIZED
    assert not made.session.exists()


async def test_clock_samples_of_commands_are_handed_to_the_recording(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await made.rig()
    noted: list[str] = []
    keep = rig.clock_notes._keep
    monkeypatch.setattr(
        rig.clock_notes, "_keep", lambda one: (noted.append(one.reference), keep(one))
    )
    for event in (INIT, START, END):
        await rig.command(Command(event, REF, {"clock": SAMPLE | {"reference": event.label}}))
    assert noted == ["EXPINIT", "EXPSTART", "EXPEND"]
    record = Session.open(made.session).record
    # The first and the last are kept; those between them at most every ten seconds.
    assert [one.reference for one in record.clock_offsets] == ["EXPSTART", "EXPEND"]


# --- the journal


def broken(self: Database, *statements: Any) -> int:
    raise JournalError("the journal eeg.db cannot be written: disk full")


async def test_nothing_is_begun_that_the_journal_cannot_know_of(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await made.rig()
    monkeypatch.setattr(Database, "write", broken)
    with pytest.raises(JournalError, match="disk full"):
        await rig.command(init())
    assert rig.state == State()
    assert made.hooks == []


async def test_what_runs_is_stopped_and_sealed_without_a_journal_and_that_is_said(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await made.rig()
    await rig.command(Command(START, REF))
    monkeypatch.setattr(Database, "write", broken)
    await rig.command(Command(END))
    assert any("would not know of STOPPED" in one for one in reasons(rig, "DEGRADED"))
    await rig.command(Command(CLEANUP))
    assert Session.open(made.session).is_sealed


async def test_a_failed_start_leaves_no_session_in_the_journal(made: Made) -> None:
    rig = await made.rig()
    await rig.command(init())
    made.service.fails = "on_start"
    with pytest.raises(RuntimeError):
        await rig.command(Command(START, REF))
    written = made.written
    assert (written.state, written.doing) == (State(Status.INITIALIZED, REF), None)
    assert written.path is None


# --- the comeback


async def test_a_rig_that_was_initialised_is_so_again_with_what_came_with_its_init(
    made: Made,
) -> None:
    await made.rig()
    rig = await made.back(
        state=State(Status.INITIALIZED, REF), owner="desk", init_data={"light": 5}
    )
    assert rig.state == State(Status.INITIALIZED, REF)
    assert made.service.calls == [("on_init", {"light": 5, "resumed": True})]
    assert "initialised again" in reasons(rig)[0]
    roll_back = {"abandon": "another desk failed", "by": "another"}
    with pytest.raises(Refused, match="begun by another controller"):
        await rig.command(Command(INTERRUPT, data=roll_back))


async def test_a_rig_that_cannot_be_initialised_again_says_so(made: Made) -> None:
    await made.rig()
    made.service.fails = "on_init"
    rig = await made.back(state=State(Status.INITIALIZED, REF))
    assert rig.state == State()
    assert "RuntimeError: on_init is stuck" in reasons(rig)[0]
    assert made.written == Standing()


async def test_a_hook_that_fails_keeps_no_samples_from_being_recorded_again(made: Made) -> None:
    await made.rig(amp=SIMULATED)
    path = made.make_session()
    made.service.fails = "on_start"
    rig = await made.back(path=path, start_data=[1])
    assert rig.state == State(Status.RUNNING, REF)
    assert made.service.calls[1] == ("on_start", {"data": [1], "resumed": True})
    assert any("own on_start: RuntimeError" in one for one in reasons(rig, "DEGRADED"))
    await rig.command(Command(END))
    await rig.command(Command(CLEANUP))
    assert Session.open(path).is_sealed


async def test_a_session_that_does_not_go_on_is_stopped(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made.rig()

    async def resume(path: Path, since_unix_s: float | None) -> None:
        raise OSError("no room")

    monkeypatch.setattr(made.actions.recording, "resume", resume)
    path = made.make_session()
    rig = await made.back(path=path)
    assert rig.state == State(Status.STOPPED, REF)
    assert "does not go on: no room" in reasons(rig)[0]
    assert made.written.state == rig.state
    await rig.command(Command(CLEANUP))
    assert Session.open(path).is_sealed


async def test_an_interrupt_while_it_comes_back_stops_the_session(made: Made) -> None:
    await made.rig(amp=SIMULATED)
    path = made.make_session()
    coming = asyncio.create_task(made.back(path=path))
    while not made.made._doing.is_under_way:
        await asyncio.sleep(0.01)
    assert "coming back" in reasons(made.made, "DEGRADED")[0]
    await made.made.command(Command(INTERRUPT))
    rig = await coming
    assert rig.state == State(Status.STOPPED, REF)
    assert reasons(rig, "DEGRADED") == []


async def test_while_others_still_write_the_rig_says_what_it_comes_back_to(made: Made) -> None:
    rig = await made.rig(amp=SIMULATED)
    found = Standing(State(Status.RUNNING, REF), path=made.make_session(), owner="desk")
    free = asyncio.Event()

    async def freed() -> None:
        await free.wait()

    coming = asyncio.create_task(rig.come_back(found, freed))
    await asyncio.sleep(0)
    report = rig.report()
    assert (report.status, report.exp_ref, report.path) == ("RUNNING", str(REF), str(made.session))
    assert ["coming back" in one.reason for one in report.conditions] == [True]
    another = {"abandon": "another desk failed", "by": "another"}
    for event in (INTERRUPT, END, CLEANUP):
        with pytest.raises(Refused, match="begun by another controller"):
            await rig.command(Command(event, data=another))
    free.set()
    await coming
    assert rig.state == State(Status.RUNNING, REF)
    assert "coming back" not in str(reasons(rig, "DEGRADED"))


async def test_what_cannot_be_taken_up_is_left_to_the_next_daemon(made: Made) -> None:
    rig = await made.rig()
    found = Standing(State(Status.RUNNING, REF), path=made.make_session())
    assert made.place
    made.place.journal.stand(found)

    async def held() -> None:
        raise JournalError("workers have not ended")

    with pytest.raises(JournalError, match="have not ended"):
        await rig.come_back(found, held)
    assert rig.state == State()
    await rig.shut_down("it is left")
    assert made.written == found
    assert not Session.open(made.session).is_sealed


async def test_a_roll_back_leaves_alone_what_another_began_before_its_turn_came(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await made.rig()
    go_on = asyncio.Event()

    async def slow(data: Json) -> None:
        await go_on.wait()

    monkeypatch.setattr(made.service, "on_cleanup", slow)
    told = [
        asyncio.create_task(rig.command(command))
        for command in (
            Command(CLEANUP),
            Command(START, REF, {"by": "desk"}),
            Command(END, data={"abandon": "another desk failed", "by": "another"}),
        )
    ]
    await asyncio.sleep(0)
    go_on.set()
    *_, refused = await asyncio.gather(*told, return_exceptions=True)
    assert isinstance(refused, Refused) and "begun by another controller" in str(refused)
    assert rig.state == State(Status.RUNNING, REF)


async def test_a_session_that_is_gone_is_told(made: Made) -> None:
    await made.rig()
    rig = await made.back(path=made.session)
    assert rig.state == State()
    assert f"its session {made.session} is gone" in reasons(rig)[0]


@pytest.mark.parametrize("aside_already", [False, True])
async def test_a_roll_back_that_was_cut_short_is_carried_through(
    made: Made, aside_already: bool
) -> None:
    await made.rig()
    path = made.make_session()
    aside = path.with_name("eeg.abandoned-1")
    if aside_already:
        path.rename(aside)
    rig = await made.back(path=path, doing=INTERRUPT, abandon="a rig failed")
    assert rig.state == State(Status.STOPPED, REF)
    assert aside.exists() and not path.exists()
    await rig.command(Command(CLEANUP))
    assert not path.exists()


async def test_a_clean_up_that_was_cut_short_after_the_seal_leaves_it_as_it_is(
    made: Made,
) -> None:
    await made.rig()
    rig = await made.back(path=made.make_session(), doing=END)
    await rig.command(Command(CLEANUP))
    manifest = (made.session / "manifest.json").read_bytes()
    rig = await made.back(state=State(Status.STOPPED, REF), path=made.session, doing=CLEANUP)
    assert rig.state == State()
    assert (made.session / "manifest.json").read_bytes() == manifest


@pytest.mark.parametrize("doing", [None, START, END])
async def test_a_session_that_somebody_else_has_sealed_is_left_as_it_is(
    made: Made, doing: Any
) -> None:
    await made.rig(amp=SIMULATED)
    path = made.make_session()
    seal(Session.open(path))
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    rig = await made.back(path=path, doing=doing)
    assert rig.state == State()
    assert "is sealed already" in reasons(rig)[0]
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before
    assert verify(path, full=True).problems == []
