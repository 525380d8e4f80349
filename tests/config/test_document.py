"""YAML as plain values: every text gives a document or one error that says where."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigctl.config.document import Document, suggestion
from rigctl.errors import ConfigError
from tests.config.refusing import Refusals

_PIECES = [
    *("a", "1", "b: ", "- ", "? ", ": ", "[", "]", "{", "}", ",", "\n", "  ", "\t", "'", '"', "#"),
    *("|", ">", "&x ", "*x", "<<: ", "!!int ", "!!bool ", "!!float ", "!!set ", "!!omap "),
    *("!!binary ", "!!null ", "!!timestamp ", "!!python/name:os.system ", "!a ", "%YAML 1.1"),
    *("---", "...", "1e999", "0x", "0b", "1:60", "2024-13-45", "2024-01-01", "~", "\\", "@"),
    *("`", "\0", "\x85", "\ufeff", "é", "="),
]


@pytest.fixture
def refusals(tmp_path: Path) -> Refusals:
    return Refusals(Document.read, tmp_path / "some.yaml")


def test_values_and_the_line_of_every_key(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# first\na: 1\nb:\n  c: [x, y]\n  d:\n  - 1\n  - 2\n")
    document = Document.read(path)
    assert document.values == {"a": 1, "b": {"c": ["x", "y"], "d": [1, 2]}}
    assert document.lines[("a",)] == 2
    assert document.lines[("b", "c")] == document.lines[("b", "c", "1")] == 4
    assert document.lines[("b", "d", "1")] == 7


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert Document.read(path).values == {"a": 1}


def test_keys_can_be_merged_from_another_place(tmp_path: Path) -> None:
    document = Document.parse("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n", tmp_path / "a.yaml")
    assert document.values["b"] == {"x": 1, "y": 3}
    assert document.error(("b", "y"), "").where.endswith(":4")
    assert document.error(("b", "x"), "").where.endswith(":2")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: there is no such file"):
        Document.read(tmp_path / "nowhere.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: .*directory"):
        Document.read(tmp_path)


def test_a_key_that_stands_twice_names_both_lines(refusals: Refusals) -> None:
    refusals.check("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", 5, "b.c", "twice, first in line 3")


def test_what_is_no_yaml_is_told_with_its_line(refusals: Refusals) -> None:
    refusals.check("a: 1\nb: 'x\n", 3, "", "is not YAML", "quoted scalar")
    refusals.check("a: 1\n\tb: 2\n", 2, "", "is not YAML")
    refusals.check("a: 1\nb: \x07\n", 2, "", "special characters")
    refusals.check("a: 1\n---\nb: 1\n", 2, "", "single document")
    refusals.check("a: 1\nb: *a\n", 2, "", "undefined alias")
    refusals.check("a: 1\nb: !!python/name:os.system\n", 2, "", "constructor")


@pytest.mark.parametrize("value", ["!!bool maybe", "!!int ''", "!!float ''", "2024-13-45"])
def test_a_value_that_is_not_what_its_tag_says_is_refused(refusals: Refusals, value: str) -> None:
    assert "is not YAML" in refusals.of(f"a: {value}\n").problem


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "word\n", "{}\n", "~\n"])
def test_what_holds_no_keys_is_refused(refusals: Refusals, text: str) -> None:
    assert "key: value" in refusals.of(text).problem


@pytest.mark.parametrize("key", ["5", "on", "~", "2024-01-01", "[a, b]", "1.5"])
def test_a_key_that_yaml_takes_for_something_else_is_to_be_quoted(
    refusals: Refusals, key: str
) -> None:
    assert "quote it" in refusals.of(f"a: 1\n? {key}\n: b\n").problem


def test_text_in_another_encoding_is_refused_with_its_line(refusals: Refusals) -> None:
    error = refusals.of("a: 1\nb: caf\xe9\n".encode("latin-1"))
    assert (error.where, error.problem[:15]) == (f"{refusals.path}:2", "is not UTF-8: i")


def test_a_huge_file_is_not_read(refusals: Refusals) -> None:
    with refusals.path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: reading it whole would take all memory
    with pytest.raises(ConfigError, match="is larger than 1000000 bytes"):
        Document.read(refusals.path)


def test_aliases_of_aliases_do_not_multiply_for_ever(refusals: Refusals) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)]
    assert "aliases included" in refusals.of("a0: &a0 [x]\n" + "".join(levels)).problem
    merges = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 30)]
    assert "aliases included" in refusals.of("a0: &a0 {x: 1}\n" + "".join(merges)).problem


def test_an_alias_of_itself_is_refused(refusals: Refusals) -> None:
    assert "deep" in refusals.of("a: &a [*a]\n").problem


@pytest.mark.parametrize(
    "text", ["a: " + "[" * 10_000, "a: " + "{a: " * 50 + "1" + "}" * 50, "- " * 5000 + "a"]
)
def test_deep_nesting_is_refused(refusals: Refusals, text: str) -> None:
    assert "deep" in refusals.of(text).problem


@given(st.lists(st.sampled_from(_PIECES), max_size=12).map("".join) | st.text(max_size=30))
def test_any_text_is_a_document_or_one_config_error(text: str) -> None:
    try:
        document = Document.parse(text, Path("fuzz.yaml"))
    except ConfigError as error:
        assert str(error).startswith("fuzz.yaml")
    else:
        assert all(isinstance(key, str) for key in document.values)


def test_an_error_of_a_key_that_is_not_there_has_the_line_of_what_holds_it(tmp_path: Path) -> None:
    document = Document.parse("a:\n  b: 1\n", tmp_path / "x.yaml")
    assert str(document.error(("a", "c"), "is missing")) == f"{document.path}:1: a.c: is missing"


def test_suggestions() -> None:
    assert suggestion("prot", ["port", "host"]) == "; did you mean 'port'?"
    assert suggestion("zzz", ["port", "host"]) == "; there are host, port"
    assert suggestion("zzz", []) == ""
