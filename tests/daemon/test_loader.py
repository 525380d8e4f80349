"""A lab's own service: found by path, checked, and every mistake told with file and line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rigctl.config import Rig, load_rig
from rigctl.daemon import Service
from rigctl.daemon.loader import load_service
from rigctl.errors import ConfigError

Rigs = Callable[[str], Rig]

GOOD = """
from rigctl.daemon import Service

class Shutter(Service):
    async def on_start(self, exp_ref, data):
        return {"open": exp_ref}
"""


@pytest.fixture
def rig(tmp_path: Path) -> Rigs:
    """Write a rig file into `lab/configs` that names a service."""

    def write(service: str) -> Rig:
        path = tmp_path / "lab/configs/rig.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"name: eeg\nmain_sync: false\nservice: {service}\n")
        return load_rig(path)

    return write


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_one_the_default_service_is_taken(rig: Rigs) -> None:
    service = load_service(rig("''"))
    assert type(service) is Service
    assert service.rig.name == "eeg"


async def test_the_hooks_of_the_default_service_do_nothing(rig: Rigs) -> None:
    service = load_service(rig("''"))
    assert await service.on_init("", None) is None
    assert await service.on_start("", None) is None
    assert await service.on_stop(None, immediately=True) is None
    assert await service.on_cleanup(None) is None


@pytest.mark.parametrize("folder", ["lab/configs/services", "lab/services"])
async def test_it_lies_beside_the_rig_file_or_in_the_folder_above(
    rig: Rigs, tmp_path: Path, folder: str
) -> None:
    _write(tmp_path / folder / "shutter.py", GOOD)
    service = load_service(rig("services/shutter.py:Shutter"))
    assert await service.on_start("ref", None) == {"open": "ref"}
    assert service.rig.name == "eeg"


def test_its_path_may_be_absolute(rig: Rigs, tmp_path: Path) -> None:
    _write(tmp_path / "elsewhere/a:b/shutter.py", GOOD)
    service = load_service(rig(f"'{tmp_path}/elsewhere/a:b/shutter.py:Shutter'"))
    assert type(service).__name__ == "Shutter"


def test_dataclasses_in_it_work(rig: Rigs, tmp_path: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    _write(tmp_path / "lab/s.py", f"{text}{GOOD}\n@dataclass\nclass Opening:\n    width: int = 1\n")
    assert load_service(rig("s.py:Shutter")).rig.name == "eeg"


def _refused(rig: Rig) -> str:
    with pytest.raises(ConfigError) as caught:
        load_service(rig)
    assert caught.value.where == f"{rig.path}:3"
    assert caught.value.key == "service"
    return caught.value.problem


def test_a_file_that_is_missing_is_told_with_where_it_was_looked_for(
    rig: Rigs, tmp_path: Path
) -> None:
    problem = _refused(rig("services/none.py:Shutter"))
    assert f"no file services/none.py in {tmp_path}/lab/configs or {tmp_path}/lab" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = 1", "has no class Shutter that is a rigctl.daemon.Service"),
        ("class Shutter: pass", "has no class Shutter that is a rigctl.daemon.Service"),
        ("Shutter = 5", "has no class Shutter that is a rigctl.daemon.Service"),
        ("class Shutter(", "cannot be loaded: SyntaxError"),
        ("import nothing_like_this", "cannot be loaded: ModuleNotFoundError"),
        ("raise OSError('no such port')", "cannot be loaded: OSError('no such port')"),
        (f"{GOOD}\n    def on_stop(self, data, immediately): ...\n", "must be an `async def`"),
        (
            f"{GOOD}\n    def __init__(self, rig):\n        raise KeyError('port')\n",
            "cannot be made: KeyError('port')",
        ),
        (f"{GOOD}\n    def __init__(self):\n        pass\n", "cannot be made: TypeError"),
    ],
)
def test_a_mistake_in_it_is_told_with_its_file(
    rig: Rigs, tmp_path: Path, text: str, problem: str
) -> None:
    path = tmp_path / "lab/shutter.py"
    _write(path, text)
    found = _refused(rig("shutter.py:Shutter"))
    assert problem in found
    assert str(path) in found


def test_a_file_that_is_no_python_is_refused(rig: Rigs, tmp_path: Path) -> None:
    _write(tmp_path / "lab/shutter.txt", GOOD)
    assert "must end in .py" in _refused(rig("shutter.txt:Shutter"))
