"""Load a lab's service class from its file.

From: ``service: path.py:Class`` in a rig file.  To: the daemon.
"""

import importlib.util
import inspect
import sys
from pathlib import Path

from rigctl.config import Rig
from rigctl.daemon.service import Service
from rigctl.errors import ConfigError


def load_service(rig: Rig) -> Service:
    """Return the rig's service; the default one if it names none.

    The path is relative to the rig file or to the folder above it.

    Raises:
        ConfigError: there is no such file or class, or it cannot be loaded.
    """
    if not rig.service:
        return Service(rig)
    file, _, name = rig.service.rpartition(":")
    path = _find(rig, file)
    found = _load(rig, path, name)
    try:
        return found(rig)
    except Exception as error:  # the lab's own code; whatever it raises is told with its place
        raise _error(rig, f"{name} in {path} cannot be made: {error!r}") from error


def _find(rig: Rig, file: str) -> Path:
    here = rig.path.resolve().parent
    for folder in (here, here.parent):
        if (path := folder / file).is_file():
            return path
    raise _error(rig, f"no file {file} in {here} or {here.parent}")


def _load(rig: Rig, path: Path, name: str) -> type[Service]:
    spec = importlib.util.spec_from_file_location(f"rigctl_service_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise _error(rig, f"{path} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickle look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # as above
        raise _error(rig, f"{path} cannot be loaded: {error!r}") from error
    found = getattr(module, name, None)
    if not (inspect.isclass(found) and issubclass(found, Service)):
        raise _error(rig, f"{path} has no class {name} that is a rigctl.daemon.Service")
    for hook in ("on_init", "on_start", "on_stop", "on_cleanup"):
        if not inspect.iscoroutinefunction(getattr(found, hook)):
            raise _error(rig, f"{name}.{hook} in {path} must be an `async def`")
    return found


def _error(rig: Rig, problem: str) -> ConfigError:
    if rig.document:
        return rig.document.error(("service",), problem)
    return ConfigError(str(rig.path), "service", problem)
