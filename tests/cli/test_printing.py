"""Rows of cells, for pipes and for terminals."""

import io

import pytest

from rigctl.cli.printing import plain_lines, show_grid

HEADINGS = ("name", "count")
ROWS = [("[bold]a", "1"), (":smile:", "1000000")]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_and_lines_have_no_trailing_blanks() -> None:
    assert list(plain_lines(HEADINGS, ROWS, ("count",))) == [
        "name       count",
        "[bold]a        1",
        ":smile:  1000000",
    ]
    assert list(plain_lines(HEADINGS, [("a", "")])) == ["name  count", "a"]


def test_headings_stand_alone_where_there_are_no_rows() -> None:
    assert list(plain_lines(HEADINGS, [])) == ["name  count"]


def test_on_a_terminal_cells_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stdout", terminal := Terminal())
    show_grid(HEADINGS, [*ROWS, ("x" * 60, "2")], ("count",))
    shown = terminal.getvalue()
    assert "[bold]a" in shown
    assert ":smile:" in shown
    assert shown.count("x") == 60, "a long cell is folded, never cut"
