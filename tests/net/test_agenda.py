"""What is due next."""

from hypothesis import given
from hypothesis import strategies as st

from rigctl.net.agenda import Agenda

steps = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20).map(float)), max_size=60
)


@given(steps)
def test_the_next_is_the_least_of_what_was_put_last(steps):
    agenda, expected = Agenda(), {}
    for number, at in steps:
        if at is None:
            agenda.drop(("e", number))
            expected.pop(("e", number), None)
        else:
            agenda.put(("e", number), at)
            expected[("e", number)] = at
        assert agenda.next_at() == min(expected.values(), default=float("inf"))


@given(steps, st.integers(0, 20))
def test_what_is_due_is_taken_once_in_order(steps, now):
    agenda, expected = Agenda(), {}
    for number, at in steps:
        if at is not None:
            agenda.put(("e", number), at)
            expected[("e", number)] = at
    taken = list(agenda.take(now))
    assert sorted(taken) == sorted(id for id, at in expected.items() if at <= now)
    assert [expected[id] for id in taken] == sorted(expected[id] for id in taken)
    assert list(agenda.take(now)) == []


def test_outdated_entries_are_swept_out():
    agenda = Agenda()
    agenda.put(("e", 0), 1.0)
    for number in range(1, 10_000):
        agenda.put(("e", number), 100.0 + number)
        agenda.drop(("e", number))
    assert len(agenda._heap) < 200
    assert agenda.next_at() == 1.0
