"""A rig's sources: what their devices refuse is said with its place in the file."""

from pathlib import Path

import pytest

from rigctl.address import Address
from rigctl.config import Rig, SourceEntry, load_rig
from rigctl.devices.checks import check_sources, source_settings
from rigctl.errors import ConfigError


def rig_of(folder: Path, *lines: str) -> Rig:
    path = folder / "rig.yaml"
    path.write_text("\n".join(["name: eeg", "sources:", *lines, ""]))
    return load_rig(path)


def test_settings_have_the_defaults_of_their_device(tmp_path: Path) -> None:
    rig = rig_of(tmp_path, "  amp: {device: rda, host: there}", "  test: {device: simulated}")
    check_sources(rig)
    settings = source_settings(rig)
    assert list(settings) == ["amp", "test"]
    assert (settings["amp"].host, settings["amp"].port) == ("there", 51244)


@pytest.mark.parametrize(
    ("line", "where", "key"),
    [
        ("  amp: {device: rda}", "rig.yaml:3", "sources.amp.host"),
        ("  amp:\n    device: rda\n    host: a\n    port: 0", "rig.yaml:6", "sources.amp.port"),
        ("  amp:\n    device: nothing", "rig.yaml:4", "sources.amp.device"),
        ("  amp:\n    device: simulated\n    shape: [1, 0]", "rig.yaml:5", "sources.amp.shape.1"),
    ],
)
def test_a_refusal_names_file_line_and_key(tmp_path: Path, line: str, where: str, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_sources(rig_of(tmp_path, line))
    assert refused.value.where == str(tmp_path / where)
    assert refused.value.key == key
    assert refused.value.problem


def test_a_rig_that_was_read_from_no_file_is_named_all_the_same() -> None:
    source = SourceEntry("amp", "rda", {"host": ""})
    rig = Rig("eeg", Path("made"), Address("udp", "127.0.0.1", 1), Path("data"), {"amp": source})
    with pytest.raises(ConfigError, match=r"^made: sources\.amp\.host: "):
        check_sources(rig)
