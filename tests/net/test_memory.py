"""The memory of executed commands."""

from rigctl.net.memory import Memory, Seen


def test_the_lowest_ids_go_first_and_stay_known_as_seen():
    memory = Memory(answers=3)
    for seq in (5, 2, 9, 7):
        assert memory.meet(("e", seq)) is Seen.NEW
    assert memory.meet(("e", 2)) is Seen.FORGOTTEN
    assert memory.meet(("e", 5)) is Seen.RUNNING


def test_an_answer_that_comes_after_its_command_was_forgotten_makes_it_no_larger():
    memory = Memory(answers=3)
    for seq in range(1, 1000):
        memory.meet(("e", seq))
        memory.store(("e", max(seq - 5, 0)), b"late")
    assert len(memory._epochs["e"].answers) <= 4
