"""The vocabulary: events, statuses and references as protocol 1.0.0 has them, and nothing else."""

import datetime
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.errors import BadReference
from rigctl.messages import ANY_EVENT, ERROR, Event, ExpRef, Status

# --- events


def test_the_numbers_are_those_of_protocol_1_0_0() -> None:
    assert {event.name: int(event) for event in Event} == {
        "EXPINIT": 1,
        "EXPSTART": 2,
        "EXPEND": 4,
        "EXPCLEANUP": 8,
        "EXPINTERRUPT": 16,
        "EXPSTATUS": 32,
        "EXPINFO": 64,
        "ALYX": 128,
    }


@pytest.mark.parametrize(
    "value", ["EXPSTART", "expstart", "start", " Start ", 2, Event.EXPSTART], ids=repr
)
def test_an_event_is_known_by_name_short_name_and_number(value: str | int) -> None:
    assert Event.parse(value) is Event.EXPSTART


def test_events_can_be_combined() -> None:
    both = Event.parse(20)
    assert both == Event.EXPEND | Event.EXPINTERRUPT
    assert not both.is_single
    assert both.label == "EXPEND|EXPINTERRUPT"
    assert Event.parse(255) == ANY_EVENT


def test_zero_is_the_error_event() -> None:
    assert Event.parse(0) == ERROR
    assert not ERROR.is_single
    assert ERROR.label == "ERROR"


@pytest.mark.parametrize("value", ["", "EXP", "STARTED", -1, 256, 10**30])
def test_there_is_no_other_event(value: str | int) -> None:
    with pytest.raises(ValueError, match="no event"):
        Event.parse(value)


@pytest.mark.parametrize("value", [True, 2.0, None, [2]])
def test_what_is_neither_name_nor_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="an event is a name or a number"):
        Event.parse(value)  # type: ignore[arg-type]


@given(st.text() | st.integers())
def test_whatever_is_parsed_is_an_event_or_refused(value: str | int) -> None:
    try:
        event = Event.parse(value)
    except ValueError:
        return
    assert 0 <= event <= ANY_EVENT


# --- statuses


def test_the_statuses_are_those_of_protocol_1_0_0() -> None:
    assert {status.name: int(status) for status in Status} == {
        "CONNECTED": 0,
        "INITIALIZED": 10,
        "RUNNING": 20,
        "STOPPED": 30,
    }


@pytest.mark.parametrize("value", ["RUNNING", " running", 20, Status.RUNNING], ids=repr)
def test_a_status_is_known_by_name_and_number(value: str | int) -> None:
    assert Status.parse(value) is Status.RUNNING


@pytest.mark.parametrize("value", ["", "RUN", 21])
def test_there_is_no_other_status(value: str | int) -> None:
    with pytest.raises(ValueError):
        Status.parse(value)


# --- references


def test_a_reference_reads_as_it_is_written() -> None:
    ref = ExpRef.parse("2024-01-02_3_mouse-7.b")
    assert ref == ExpRef(datetime.date(2024, 1, 2), 3, "mouse-7.b")
    assert str(ref) == "2024-01-02_3_mouse-7.b"
    assert ref.folder == "mouse-7.b/2024-01-02/003"
    assert ExpRef.parse(ref) is ref


def test_leading_zeros_of_the_number_mean_nothing() -> None:
    assert str(ExpRef.parse("2024-01-02_003_a")) == "2024-01-02_3_a"


def test_a_subject_may_have_underscores_and_letters_of_all_languages() -> None:
    assert ExpRef.parse("2024-01-02_1_my_subject").subject == "my_subject"
    assert ExpRef.parse("2024-01-02_1_Mu\u0308ller").subject == "M\u00fcller"  # one form of ü


@pytest.mark.parametrize(
    "value",
    [
        {"date": "2024-01-02", "sequence": 3, "subject": "a"},
        {"subject": "a", "sequence": "3", "date": datetime.date(2024, 1, 2), "more": None},
    ],
)
def test_a_mapping_says_the_same(value: dict[str, object]) -> None:
    assert str(ExpRef.parse(value)) == "2024-01-02_3_a"


def test_references_sort_by_date_and_number() -> None:
    texts = ["2024-01-02_10_a", "2024-01-01_2_z", "2024-01-02_9_b"]
    assert list(map(str, sorted(map(ExpRef.parse, texts)))) == [texts[1], texts[2], texts[0]]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "does not have that form"),
        ("2024-01-02", "does not have that form"),
        ("2024-1-2_1_a", "does not have that form"),
        ("2024-01-02_a_1", "does not have that form"),
        ("2024-01-02_1_", "does not have that form"),
        (" 2024-01-02_1_a", "does not have that form"),
        ("2024-01-02_1_a\n", "letters, digits"),
        ("2024-02-30_1_a", "2024-02-30 is not a date"),
        ("0000-01-01_1_a", "is not a date"),
        ("2024-01-02_0_a", "between 1 and 99999"),
        ("2024-01-02_100000_a", "between 1 and 99999"),
        ("2024-01-02_1234567_a", "does not have that form"),
        ("2024-01-02_1_..", "no leading '.'"),
        ("2024-01-02_1_.hidden", "no leading '.'"),
        ("2024-01-02_1_-a", "letters, digits"),
        ("2024-01-02_1_a b", "letters, digits"),
        ("2024-01-02_1_a\0", "letters, digits"),
        ("2024-01-02_1_a/b", "does not have that form"),
        ("2024-01-02_1_../../etc", "does not have that form"),
        ("2024-01-02_1_a\\b", "does not have that form"),
        ("2024-01-02_1_" + "ü" * 51, "longer than 100 bytes"),
        (None, "it is not text"),
        (20240102, "it is not text"),
        ({"date": "2024-01-02", "sequence": 1}, "does not have that form"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_reason_and_an_example(
    value: object, why: str
) -> None:
    with pytest.raises(BadReference, match=r"2024-01-01_1_subject") as caught:
        ExpRef.parse(value)  # type: ignore[arg-type]
    assert why in str(caught.value)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d_\d{1,6}_.*", fullmatch=True))
def test_whatever_is_accepted_is_a_folder_of_three_names_and_reads_back(text: str) -> None:
    try:
        ref = ExpRef.parse(text)
    except BadReference:
        return
    assert ExpRef.parse(str(ref)) == ref
    parts = PurePosixPath(ref.folder).parts
    assert len(parts) == 3
    assert not {".", "..", ""} & set(parts)
    assert all(len(part.encode()) <= 100 for part in parts)
    assert str(ref).isprintable()
