"""A session's folder: made once, inside its root, replaced atomically, set aside, never deleted."""

import dataclasses
from pathlib import Path

import msgspec
import pytest

from rigctl.errors import RecordingError, SessionExists, SessionNotFound
from rigctl.messages import ExpRef
from rigctl.recording import layout
from rigctl.recording.checked import encode_document
from rigctl.recording.manifest import seal
from rigctl.recording.session import ClockOffset, Episode, Session, Window, config_hash, set_aside
from tests.recording import making


def test_a_session_is_created_where_its_reference_says(tmp_path: Path) -> None:
    session = making.make_session(tmp_path / "data")
    assert session.path == tmp_path / "data/subject/2024-01-01/001/eeg"
    record = Session.open(session.path).record
    assert record == session.record
    assert (record.reference, record.rig, record.state) == (
        "2024-01-01_1_subject",
        "eeg",
        "RUNNING",
    )
    assert record.config_hash == config_hash(making.header().config)
    assert not record.sealed


def test_an_existing_session_is_refused_and_untouched(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    before = (session.path / layout.SESSION).read_bytes()
    with pytest.raises(SessionExists, match="not overwritten"):
        making.make_session(tmp_path)
    assert (session.path / layout.SESSION).read_bytes() == before


def test_another_rig_has_its_own_folder(tmp_path: Path) -> None:
    making.make_session(tmp_path, "eeg")
    assert making.make_session(tmp_path, "video").path.name == "video"


@pytest.mark.parametrize("rig", ["..", "../../x", "a/b", ".x", ""])
def test_a_rig_name_cannot_lead_elsewhere(tmp_path: Path, rig: str) -> None:
    with pytest.raises(RecordingError, match="cannot be a rig's name"):
        making.make_session(tmp_path / "data", rig)
    assert not (tmp_path / "data").exists()


def test_a_reference_cannot_lead_out_of_the_root(tmp_path: Path) -> None:
    ref = dataclasses.replace(making.REF, subject="../elsewhere")
    with pytest.raises(RecordingError, match="outside the data root"):
        making.make_session(tmp_path / "data", ref=ref)
    assert not (tmp_path / "elsewhere").exists()


def test_a_symbolic_link_cannot_lead_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "data/subject").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordingError, match="outside the data root"):
        making.make_session(tmp_path / "data")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_in_the_rigs_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "subject/2024-01-01/001").mkdir(parents=True)
    (tmp_path / "subject/2024-01-01/001/eeg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SessionExists):
        making.make_session(tmp_path)


def test_a_root_that_is_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "real")
    assert making.make_session(tmp_path / "data").path.is_dir()


def test_updates_are_on_disk_and_typed(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    session.update(
        state="STOPPED",
        conditions=("DEGRADED",),
        window=Window(start_unix_s=1.0, stop_unix_s=2.0, positions={"amp": (0.25, 10.5)}),
        clock_offsets=(ClockOffset(unix_s=1.0, reference="desk", offset_s=0.1, bound_s=0.01),),
        episodes=(Episode(condition="DEGRADED", source="amp", since_unix_s=1.0),),
    )
    record = Session.open(session.path).record
    assert record == session.record
    assert record.window is not None
    assert record.window.positions["amp"] == (0.25, 10.5)
    with pytest.raises(msgspec.ValidationError):
        session.update(state=5)
    with pytest.raises(TypeError):
        session.update(unknown=1)
    assert Session.open(session.path).record == record


def test_a_session_that_is_set_aside_frees_its_reference(tmp_path: Path) -> None:
    for number in (1, 2):
        session = making.make_session(tmp_path)
        path = session.set_aside("the amplifier did not answer")
        assert path.name == f"eeg.abandoned-{number}"
        record = Session.open(path).record
        assert (record.state, record.note) == ("ABANDONED", "the amplifier did not answer")
    assert making.make_session(tmp_path).path.name == "eeg"


def test_a_folder_whose_session_cannot_be_read_is_set_aside_too(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    (session.path / layout.SESSION).write_bytes(b"{")
    target = set_aside(session.path, "its creation was interrupted")
    assert (target / layout.SESSION).read_bytes() == b"{"
    assert making.make_session(tmp_path).path.name == "eeg"


def test_a_sealed_session_does_not_change(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    making.record(session, making.signal())
    seal(session)
    with pytest.raises(RecordingError, match="sealed"):
        session.update(state="STOPPED")
    with pytest.raises(RecordingError, match="sealed"):
        session.set_aside("by mistake")


def test_a_damaged_or_missing_session_is_told(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound):
        Session.open(tmp_path)
    session = making.make_session(tmp_path)
    file = session.path / layout.SESSION
    file.write_bytes(file.read_bytes().replace(b"RUNNING", b"STOPPED"))
    with pytest.raises(RecordingError, match="checksum does not match"):
        Session.open(session.path)


def test_the_configurations_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert config_hash({"a": 1, "b": {"c": 2, "d": 3}}) == config_hash(
        {"b": {"d": 3, "c": 2}, "a": 1}
    )
    assert config_hash({"a": 1}) != config_hash({"a": 2})


def test_references_of_the_same_day_do_not_meet(tmp_path: Path) -> None:
    one, two = ExpRef.parse("2024-01-01_1_subject"), ExpRef.parse("2024-01-01_2_subject")
    assert (
        making.make_session(tmp_path, ref=one).path != making.make_session(tmp_path, ref=two).path
    )


def test_a_session_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    session = making.make_session(tmp_path)
    newer = msgspec.structs.replace(session.record, version=2)
    (session.path / layout.SESSION).write_bytes(encode_document(newer))
    with pytest.raises(RecordingError, match="rigctl session 2 is not rigctl session 1"):
        Session.open(session.path)
