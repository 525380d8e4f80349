"""The lab file: which rigs there are and how to reach them.

From: ``rigctl.yaml``, or the ``remote_devices.yaml`` that labs already keep.
To: the controller.
"""

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import platformdirs

from rigctl.address import Address
from rigctl.config.document import Document, suggestion
from rigctl.config.key import key_in
from rigctl.config.names import check_name
from rigctl.config.tls import TlsFiles, TlsKeys, tls_files
from rigctl.config.units import folder, seconds
from rigctl.errors import ConfigError

DIALECTS = ("auto", "iblutil", "rigctl")
_FLAT_EXAMPLE = "udp://10.0.0.5:11001"
_MOST_GO_AFTER_S = 60.0
_LONG_KEYS = (
    *("lab", "timeouts", "data_root", "rigs", "key_file", "tls"),
    *("state_dir", "stop_last", "clock_limit", "go_after"),
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the controller waits, in seconds."""

    echo_s: float = 1.0
    """For a message's echo."""
    reply_s: float = 10.0
    """For a command's result, after its echo."""


@dataclass(frozen=True, slots=True)
class RigEntry:
    """How to reach one rig."""

    name: str
    address: Address
    required: bool = True
    """Whether an experiment may not run without it."""
    dialect: str = "auto"
    retries: int = 0
    """How often a message without id is sent again; knowingly, for it may then run twice."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab's rigs."""

    name: str
    path: Path
    rigs: Mapping[str, RigEntry]
    timeouts: Timeouts = field(default_factory=Timeouts)
    data_root: Path | None = None
    """Where this computer sees the rigs' recordings, if it does."""
    key: bytes | None = field(default=None, repr=False)
    """What controller and rigs share; with it nothing unauthenticated is sent or taken."""
    tls: TlsFiles | None = None
    state_dir: Path | None = None
    """Where the controller's journal lies; None for the user's own folder of state."""
    stop_last: tuple[str, ...] = ()
    """The rigs that are stopped after all others have, in this order."""
    clock_limit_s: float = 0.05
    """By how much a rig's clock may differ, or be uncertain, before people are warned."""
    go_after_s: float = 0.5
    """How far ahead the instant lies at which armed rigs begin, or recording ones end."""


class _Timeouts(msgspec.Struct, forbid_unknown_fields=True):
    echo: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 1.0
    reply: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 10.0


class _Rig(msgspec.Struct, forbid_unknown_fields=True):
    uri: str
    required: bool = True
    dialect: str = "auto"
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0


class _LabFile(msgspec.Struct, forbid_unknown_fields=True):
    rigs: dict[str, Any]
    lab: str = ""
    timeouts: _Timeouts = msgspec.field(default_factory=_Timeouts)
    data_root: str | None = None
    key_file: str | None = None
    tls: TlsKeys | None = None
    state_dir: str | None = None
    stop_last: str | list[str] = msgspec.field(default_factory=list)
    clock_limit: float | str = 0.05
    go_after: float | str = 0.5


def load_lab(path: Path) -> Lab:
    """Read a lab file in the long form, or in the flat form name -> URI.

    Raises:
        ConfigError: with the file, the line, the key and what would be right.
    """
    document = Document.read(path)
    values = document.values
    flat = _is_flat(values)
    file = document.convert({"rigs": values} if flat else values, _LabFile)
    at = () if flat else ("rigs",)
    if not file.rigs:
        raise document.error(at, f"name one rig at least, such as eeg: {_FLAT_EXAMPLE}")
    rigs = {name: _rig(document, (*at, name), name, raw) for name, raw in file.rigs.items()}
    _refuse_shared_addresses(document, at, rigs)
    return Lab(
        name=file.lab or path.stem,
        path=path,
        rigs=rigs,
        timeouts=Timeouts(file.timeouts.echo, file.timeouts.reply),
        data_root=_folder(document, "data_root", file.data_root),
        key=key_in(document, file.key_file),
        tls=tls_files(document, file.tls),
        state_dir=_folder(document, "state_dir", file.state_dir),
        stop_last=_stop_last(document, file.stop_last, rigs),
        clock_limit_s=document.check(("clock_limit",), seconds, file.clock_limit),
        go_after_s=document.check(("go_after",), _go_after, file.go_after),
    )


def find_lab_file(given: str | None) -> Path:
    """Return the lab file: the one given, ``$RIGCTL_CONFIG``, ``./rigctl.yaml``, the user's own.

    Raises:
        ConfigError: there is none; says where it was looked for.
    """
    if given:
        return Path(given)
    if named := os.environ.get("RIGCTL_CONFIG"):
        return Path(named)
    places = [Path("rigctl.yaml"), platformdirs.user_config_path("rigctl") / "rigctl.yaml"]
    for place in places:
        if place.exists():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ConfigError(
        "no lab file", "", f"give one with --config or $RIGCTL_CONFIG; looked for {looked}"
    )


def _go_after(value: float | str) -> float:
    """Return how far ahead instants are to lie.

    Raises:
        ValueError: it is no duration, or so long that it is a mistake.
    """
    found_s = seconds(value)
    if found_s > _MOST_GO_AFTER_S:
        raise ValueError(f"{_MOST_GO_AFTER_S:g}s at the most: every start and stop waits so long")
    return found_s


def _folder(document: Document, name: str, text: str | None) -> Path | None:
    beside = functools.partial(folder, beside=document.path)
    return document.check((name,), beside, text) if text else None


def _stop_last(
    document: Document, names: str | list[str], rigs: Mapping[str, RigEntry]
) -> tuple[str, ...]:
    names = [names] if isinstance(names, str) else names
    for name in names:
        if name not in rigs:
            raise document.error(
                ("stop_last",), f"there is no rig {name!r}" + suggestion(name, rigs)
            )
    return tuple(dict.fromkeys(names))


def _is_flat(values: Mapping[str, Any]) -> bool:
    """Whether this is the flat form; there, a rig may be called as a key of the long form is."""
    if isinstance(values.get("rigs"), Mapping):
        return False
    doubtful = {key: value for key, value in values.items() if key in _LONG_KEYS}
    texts = all(isinstance(value, str | Mapping) for value in values.values())
    return not doubtful or (texts and all(map(_is_place, doubtful.values())))


def _is_place(value: str | Mapping[str, Any]) -> bool:
    """Whether a value says where a rig is, and can hardly be meant as a name or a folder."""
    if not isinstance(value, str):
        return "uri" in value
    try:
        Address.parse(value)
    except ValueError:
        return "://" in value
    return ":" in value or value.replace(".", "").isdigit()


def _rig(document: Document, at: tuple[str, ...], name: str, raw: Any) -> RigEntry:
    document.check(at, check_name, name)
    if not isinstance(raw, str | dict):
        raise document.error(at, f"write its address here, such as {_FLAT_EXAMPLE}")
    entry = document.convert({"uri": raw} if isinstance(raw, str) else raw, _Rig, at)
    uri_at = at if isinstance(raw, str) else (*at, "uri")
    address = document.check(uri_at, Address.parse, entry.uri)
    if entry.dialect not in DIALECTS:
        problem = f"no dialect {entry.dialect!r}; there are {', '.join(DIALECTS)}"
        raise document.error((*at, "dialect"), problem)
    return RigEntry(name, address, entry.required, entry.dialect, entry.retries)


def _refuse_shared_addresses(
    document: Document, at: tuple[str, ...], rigs: Mapping[str, RigEntry]
) -> None:
    seen: dict[tuple[str, int], str] = {}
    for rig in rigs.values():
        place = (rig.address.host.lower(), rig.address.port)
        if place in seen:
            problem = f"{rig.address} is the address of {seen[place]!r} already"
            raise document.error((*at, rig.name), problem)
        seen[place] = rig.name
