"""The root package: the names that users need, and nothing imported before it is used."""

import subprocess
import sys

import pytest

import rigctl


def test_every_name_that_is_promised_is_there() -> None:
    for name in rigctl.__all__:
        assert getattr(rigctl, name) is not None
        assert name in dir(rigctl)
    assert rigctl.ExpStatus is rigctl.Status
    assert rigctl.ExpMessage is rigctl.Event


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="rigctl.*nothing_such"):
        _ = rigctl.nothing_such  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", ["rigctl.peers.source", "rigctl.peers.recorder", "rigctl.cli"])
def test_a_worker_or_command_loads_no_controller(module: str) -> None:
    code = f"import sys, {module}; sys.exit('rigctl.controller' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
