"""The text of systemd units: a template of ``services/systemd`` with a rig's or a lab's own values.

From: templates, configurations.  To: ``rigctl service install``.

A template is a unit that is right as it stands.  The values of some of its keys are put in place
of those that are there; paragraphs that begin with ``# System only`` are left out for a user's
systemd.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rigctl.config import Lab, Rig

RIG_TEMPLATE = "rigctl@.service"
CONTROLLER = "rigctl-controller.service"
WRITTEN = "# Written by rigctl service install"
"""How every unit begins that is ours to overwrite."""

_OWN_CHANGES = (
    "# Called again, it writes this anew: own changes belong in a drop-in (systemctl edit)."
)
_SYSTEM_ONLY = "# System only"
_STOP_S = 160
"""What closing and sealing takes at the most, beside the two hooks of a rig's own logic."""

_PLAIN = re.compile(r"[A-Za-z0-9_./@:+,=-]+")
_LINE = re.compile(r"(?m)^(\w+)=.*$")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108  (nothing is written there)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a unit runs.

    Args:
        program: the command that is ``rigctl``, with an absolute path.
        user: as whom the system's systemd runs it; None for a user's own systemd.
    """

    program: Sequence[str]
    user: str | None


def rig_unit(template: str, rig: Rig, setting: Setting) -> str:
    """Return the unit of a rig's daemon."""
    path = rig.path.absolute()
    own = [rig.data_root, *([rig.state_dir] if rig.state_dir else [])]
    values = {
        "ExecStart": _command(*setting.program, "serve", str(path)),
        # With a minus: the daemon itself says it best that a folder is not there.
        "ReadWritePaths": " ".join(word(f"-{folder}") for folder in own),
        "TimeoutStopSec": f"{_STOP_S + 2 * rig.hook_timeout_s:.0f}",
        **_places(setting, [path, *own]),
    }
    return _filled(template, path, values, setting)


def controller_unit(template: str, lab: Lab, setting: Setting) -> str:
    """Return the unit that resumes a lab's experiment."""
    path = lab.path.absolute()
    own = [lab.state_dir] if lab.state_dir else []
    values = {
        "Environment": word(f"RIGCTL_CONFIG={path}"),
        "ExecStart": _command(*setting.program, "resume"),
        **_places(setting, [path, *own]),
    }
    return _filled(template, path, values, setting)


def word(text: str) -> str:
    """Return text as one word of a unit's value (systemd.syntax(7))."""
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " else f"\\x{ord(c):02x}" for c in quoted) + '"'


def _command(*words: str) -> str:
    """Return a command line; a dollar would begin a variable."""
    return " ".join(word(part.replace("$", "$$")) for part in words)


def _places(setting: Setting, paths: Iterable[Path]) -> dict[str, str]:
    """Return what depends on who runs it and where its files are."""
    if setting.user is None:
        return {"WantedBy": "default.target"}
    used = [*paths, Path(setting.program[0])]
    hidden = any(path.is_relative_to(folder) for path in used for folder in _TEMPORARY)
    return {"User": setting.user, "PrivateTmp": "no" if hidden else "yes"}


def _filled(template: str, source: Path, values: Mapping[str, str], setting: Setting) -> str:
    """Put values in place of those of a template.

    Raises:
        KeyError: the template has no such key.
    """
    _, *paragraphs = template.split("\n\n")  # the first tells of the template itself
    if setting.user is None:
        paragraphs = [text for text in paragraphs if not text.startswith(_SYSTEM_ONLY)]
        values = {key: value for key, value in values.items() if key != "ReadWritePaths"}
    text = "\n\n".join([_head(source), *paragraphs])
    if missing := set(values) - set(_LINE.findall(text)):
        raise KeyError(f"the template has no {', '.join(sorted(missing))}")
    return _LINE.sub(
        lambda line: f"{line[1]}={values[line[1]]}" if line[1] in values else line[0], text
    )


def _head(source: Path) -> str:
    name = ascii(str(source))  # on one line, whatever it is
    return f"{WRITTEN}, for {name}.\n{_OWN_CHANGES}"
