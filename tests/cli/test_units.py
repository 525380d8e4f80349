"""The texts of systemd units: what is put into a template, and how it is written there."""

from dataclasses import replace
from pathlib import Path

import pytest

from rigctl.address import Address
from rigctl.cli.units import RIG_TEMPLATE, WRITTEN, Setting, controller_unit, rig_unit, word
from rigctl.config import Lab, Rig

SYSTEM = Setting(["/opt/rigctl/bin/rigctl"], "lab")
USER = Setting(["/opt/rigctl/bin/rigctl"], None)
RIG = Rig("eeg", Path("/etc/rigctl/eeg.yaml"), Address("udp", "127.0.0.1", 11001), Path("/data"))
LAB = Lab("demo", Path("/etc/rigctl/lab.yaml"), {})
TEMPLATES = Path(__file__).parents[2] / "services/systemd"
TEMPLATE = (TEMPLATES / RIG_TEMPLATE).read_text()


def values(text: str) -> dict[str, str]:
    """Return what a unit says; each key once."""
    lines = [line.split("=", 1) for line in text.splitlines() if line and line[0] not in "#["]
    assert len({key for key, _ in lines}) == len(lines)
    return dict(lines)  # type: ignore[arg-type]


def test_a_rigs_own_values_are_put_into_the_template() -> None:
    text = rig_unit(TEMPLATE, RIG, SYSTEM)
    assert text.startswith(f"{WRITTEN}, for '/etc/rigctl/eeg.yaml'.\n")
    found = values(text)
    assert found["ExecStart"] == "/opt/rigctl/bin/rigctl serve /etc/rigctl/eeg.yaml"
    assert (found["User"], found["ReadWritePaths"]) == ("lab", "-/data")
    assert (found["ProtectHome"], found["PrivateTmp"]) == ("read-only", "yes")
    assert found["WantedBy"] == "multi-user.target"
    untouched = {"Type": "notify", "WatchdogSec": "20", "StateDirectory": "rigctl/%i"}
    assert untouched.items() <= found.items()


def test_a_user_gets_only_what_a_users_systemd_can_do() -> None:
    found = values(rig_unit(TEMPLATE, RIG, USER))
    assert found["WantedBy"] == "default.target"
    assert found["NoNewPrivileges"] == "yes"
    privileged = {"User", "CapabilityBoundingSet", "ProtectSystem", "PrivateTmp", "After"}
    assert not privileged & set(found)


def test_stopping_may_take_as_long_as_the_hooks_of_the_rig() -> None:
    patient = replace(RIG, hook_timeout_s=60.0)
    seconds = [int(values(rig_unit(TEMPLATE, r, USER))["TimeoutStopSec"]) for r in (RIG, patient)]
    assert seconds == [176, 280]


def test_a_state_folder_of_its_own_is_writable() -> None:
    found = values(rig_unit(TEMPLATE, replace(RIG, state_dir=Path("/srv/state")), SYSTEM))
    assert found["ReadWritePaths"] == "-/data -/srv/state"


def test_workers_of_a_daemon_that_is_killed_are_left_to_close_their_files() -> None:
    # The next daemon waits for them; every other mode kills them (systemd.kill(5)).
    assert values(TEMPLATE)["KillMode"] == "process"


@pytest.mark.parametrize("path", ["/tmp/eeg.yaml", "/var/tmp/a/eeg.yaml"])
def test_what_lies_in_a_folder_for_temporary_files_stays_visible(path: str) -> None:
    found = values(rig_unit(TEMPLATE, replace(RIG, path=Path(path)), SYSTEM))
    assert found["PrivateTmp"] == "no"


def test_a_controller_resumes_its_lab() -> None:
    template = (TEMPLATES / "rigctl-controller.service").read_text()
    found = values(controller_unit(template, LAB, SYSTEM))
    assert found["ExecStart"] == "/opt/rigctl/bin/rigctl resume"
    assert found["Environment"] == "RIGCTL_CONFIG=/etc/rigctl/lab.yaml"
    assert (found["Type"], found["RemainAfterExit"], found["User"]) == ("oneshot", "no", "lab")
    assert found["WantedBy"] == "multi-user.target"
    assert "User" not in values(controller_unit(template, LAB, USER))


def test_a_template_without_a_key_that_is_to_be_set_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="has no ExecStart"):
        rig_unit(TEMPLATE.replace("ExecStart=", "# ExecStart="), RIG, SYSTEM)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("/a/b-c_d.yaml", "/a/b-c_d.yaml"),
        ("/a b", '"/a b"'),
        ("/100%", '"/100%%"'),
        ('/a"b', '"/a\\"b"'),
        ("/a\\b", '"/a\\\\b"'),
        ("/a\nExecStart=evil", '"/a\\x0aExecStart=evil"'),
        ("/größe", '"/größe"'),
        ("", '""'),
    ],
)
def test_any_path_is_one_word_on_one_line(text: str, written: str) -> None:
    assert word(text) == written
    assert "\n" not in word(text)


def test_a_dollar_in_a_command_is_no_variable() -> None:
    found = values(rig_unit(TEMPLATE, replace(RIG, path=Path("/$HOME/eeg.yaml")), SYSTEM))
    assert found["ExecStart"].endswith('serve "/$$HOME/eeg.yaml"')


def test_a_name_of_several_lines_stays_a_comment() -> None:
    text = rig_unit(TEMPLATE, replace(RIG, path=Path("/a\nUser=root")), SYSTEM)
    assert text.splitlines()[1].startswith("# ")
