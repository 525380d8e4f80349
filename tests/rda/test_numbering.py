"""What a block's number says about the blocks before it."""

import pytest

from rigctl.rda.numbering import Numbered, Step, number

TOP = 2**32


@pytest.mark.parametrize(
    ("last", "block", "expected"),
    [
        (None, 17, Numbered(Step.FIRST, 17)),
        (17, 18, Numbered(Step.NEXT, 18)),
        (17, 17, Numbered(Step.REPEAT, 17)),
        (17, 20, Numbered(Step.JUMP, 20, lost=2)),
        (17, 3, Numbered(Step.FALL, 3)),
        (17, 0, Numbered(Step.FALL, 0)),
        (TOP - 1, 0, Numbered(Step.NEXT, TOP)),
        (TOP - 1, 4, Numbered(Step.JUMP, TOP + 4, lost=4)),
        (TOP, 1, Numbered(Step.NEXT, TOP + 1)),
        (TOP, 0, Numbered(Step.REPEAT, TOP)),
    ],
)
def test_numbers_follow_on_each_other_and_are_carried_on(last, block, expected):
    assert number(last, block) == expected
