"""The rig file: what one rig daemon listens to, reads and records.

From: ``RIG.yaml``.  To: the daemon.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from rigctl.address import Address
from rigctl.config.document import Document, suggestion
from rigctl.config.keeping import (
    DiskKeys,
    DiskLimits,
    Roll,
    RollKeys,
    disk_in,
    pre_roll_in,
    roll_in,
)
from rigctl.config.key import key_in
from rigctl.config.names import check_name
from rigctl.config.tls import TlsFiles, TlsKeys, tls_files
from rigctl.config.units import folder, seconds

_SOURCE_KEYS = ("device", "ring", "required")


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One stream of samples: a device and what is kept of it in memory."""

    name: str
    device: str
    """The kind of device; `settings` are its own."""
    settings: Mapping[str, Any]
    ring_s: float = 60.0
    """How much of the stream the ring in shared memory holds."""
    required: bool = True
    """Whether a recording may not begin or go on without it."""


@dataclass(frozen=True, slots=True)
class Rig:
    """One rig."""

    name: str
    path: Path
    listen: Address
    data_root: Path
    sources: Mapping[str, SourceEntry] = field(default_factory=dict)
    record: tuple[str, ...] = ()
    """The sources that are recorded."""
    service: str = ""
    """``path.py:Class`` of the rig's own logic; empty for the default."""
    main_sync: bool = False
    """Whether this rig's reference stands for the experiment."""
    flush_s: float = 1.0
    """What a power cut may cost at the most."""
    roll: Roll = field(default_factory=Roll)
    """When a stream goes on in a further part."""
    pre_roll_s: float = 0.0
    """For how long before START's instant a recording begins, as far as the rings have it."""
    disk: DiskLimits = field(default_factory=DiskLimits)
    """What has to be free on the disk of the data root."""
    hook_timeout_s: float = 8.0
    """How long a hook of the rig's own logic may take."""
    key: bytes | None = field(default=None, repr=False)
    """What controller and rigs share; with it nothing unauthenticated is taken."""
    tls: TlsFiles | None = None
    """Our certificate, where `listen` is ``tls://``."""
    state_dir: Path | None = None
    """Where the daemon's journal lies; None for ``$STATE_DIRECTORY``, else below the data root."""
    document: Document | None = field(default=None, compare=False)
    """Where it was read from, for errors found later."""


class _RigFile(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    listen: str = "udp://127.0.0.1:11001"
    data_root: str = "data"
    main_sync: bool = False
    service: str = ""
    sources: dict[str, Any] = msgspec.field(default_factory=dict)
    record: list[str] | None = None
    flush: float | str = 1.0
    roll: RollKeys = msgspec.field(default_factory=RollKeys)
    pre_roll: float | str = 0.0
    disk: DiskKeys = msgspec.field(default_factory=DiskKeys)
    hook_timeout: float | str = 8.0
    allow_unauthenticated: bool = False
    key_file: str | None = None
    tls: TlsKeys | None = None
    state_dir: str | None = None


class _Source(msgspec.Struct):
    device: str
    ring: float | str = 60.0
    required: bool = True


def load_rig(path: Path) -> Rig:
    """Read a rig file; devices check their own settings later (`devices.settings_for`).

    Raises:
        ConfigError: with the file, the line, the key and what would be right.
    """
    document = Document.read(path)
    file = document.convert(document.values, _RigFile)
    sources = {name: _source(document, name, raw) for name, raw in file.sources.items()}
    beside = functools.partial(folder, beside=path)
    state = file.state_dir
    return Rig(
        name=document.check(("name",), check_name, file.name),
        path=path,
        listen=_listen(document, file),
        data_root=document.check(("data_root",), beside, file.data_root),
        key=key_in(document, file.key_file),
        tls=tls_files(document, file.tls),
        state_dir=document.check(("state_dir",), beside, state) if state else None,
        sources=sources,
        record=_record(document, file.record, sources),
        service=_service(document, file.service),
        main_sync=file.main_sync,
        flush_s=document.check(("flush",), seconds, file.flush),
        roll=roll_in(document, file.roll),
        pre_roll_s=pre_roll_in(document, file.pre_roll),
        disk=disk_in(document, file.disk),
        hook_timeout_s=document.check(("hook_timeout",), seconds, file.hook_timeout),
        document=document,
    )


def _listen(document: Document, file: _RigFile) -> Address:
    # Port 0 takes a free one, which the daemon tells.
    parse = functools.partial(Address.parse, any_port=True)
    address = document.check(("listen",), parse, file.listen)
    tls = file.tls or TlsKeys()
    if address.scheme == "tls" and not tls.cert:
        raise document.error(("listen",), _NO_CERTIFICATE)
    if file.tls and address.scheme != "tls":
        raise document.error(("tls",), f"there are certificates, but {address} {_NO_USE}")
    knows = file.key_file or tls.ca  # a client of ours shows one or the other
    if not (address.is_loopback or knows or file.allow_unauthenticated):
        raise document.error(("listen",), f"{address} {_OPEN}")
    return address


_NO_CERTIFICATE = "tls:// needs a certificate: name it and its key as tls.cert and tls.key"
_NO_USE = "makes no use of them: listen on tls://"
_OPEN = (
    "can be reached by others and there is no key: anybody there could drive this rig; make a key "
    "(rigctl key new) and name it as key_file, or ask controllers for certificates (tls:// and "
    "tls.ca), or listen on 127.0.0.1, or say allow_unauthenticated: true"
)


def _source(document: Document, name: str, raw: Any) -> SourceEntry:
    at = ("sources", name)
    document.check(at, check_name, name)
    if not isinstance(raw, dict):
        raise document.error(at, "say what it is, such as {device: simulated}")
    ours = {key: raw[key] for key in _SOURCE_KEYS if key in raw}
    source = document.convert(ours, _Source, at)
    ring_s = document.check((*at, "ring"), seconds, source.ring)
    settings = {key: value for key, value in raw.items() if key not in _SOURCE_KEYS}
    return SourceEntry(name, source.device, settings, ring_s, source.required)


def _record(
    document: Document, names: list[str] | None, sources: Mapping[str, SourceEntry]
) -> tuple[str, ...]:
    if names is None:
        return tuple(sources)
    for index, name in enumerate(names):
        at = ("record", str(index))
        if name not in sources:
            raise document.error(at, f"there is no source {name!r}" + suggestion(name, sources))
        if name in names[:index]:
            raise document.error(at, f"{name!r} stands here twice")
    return tuple(names)


def _service(document: Document, text: str) -> str:
    if text and not all(text.rpartition(":")):
        raise document.error(("service",), f"write it as path.py:Class, not {text!r}")
    return text
