"""The folder of one rig's part in one session, and its `session.json`.

From: the daemon, at every change of state.
To: disk; read back by `reader`, `verify` and after a crash.
"""

import hashlib
import math
import time
from logging import getLogger
from pathlib import Path
from typing import Any

import msgspec

from rigctl.errors import RecordingError, SessionExists, SessionNotFound
from rigctl.messages import ExpRef
from rigctl.recording import layout
from rigctl.recording.checked import encode_document
from rigctl.recording.durable import read_document, replace, sync_folder, write_new, writing

logger = getLogger(__name__)

FORMAT = "rigctl session"
VERSION = 1

ABANDONED = "ABANDONED"


class ClockPair(msgspec.Struct, frozen=True):
    """The same moment on the wall clock and on the rig's own."""

    unix_s: float
    monotonic_s: float

    @classmethod
    def now(cls) -> "ClockPair":
        """Read both clocks."""
        return cls(time.time(), time.monotonic())


def wall_s(instant_s: float | None) -> float:
    """Return the wall clock's time at an instant of the rig's clock; now for one that is none."""
    now = ClockPair.now()
    since_s = 0.0 if instant_s is None else now.monotonic_s - instant_s
    return now.unix_s - (since_s if math.isfinite(since_s) else 0.0)


class ClockOffset(msgspec.Struct, frozen=True, kw_only=True):
    """How far another clock was from this rig's wall clock."""

    unix_s: float
    """When it was measured."""
    reference: str
    """Whose clock it was compared with."""
    offset_s: float
    """What is to be added to this rig's wall clock."""
    bound_s: float
    """The truth lies within plus or minus this."""
    drift_ppm: float | None = None
    """By how much `offset_s` changes, in microseconds per second; None where it is not known."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded interval [start, stop) on the synchronised clock."""

    start_unix_s: float
    stop_unix_s: float | None = None
    positions: dict[str, tuple[float, float | None]] = {}
    """By stream folder: where start and stop fall, in samples and their fractions."""


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A condition, such as a stalled stream, while it lasted."""

    condition: str
    source: str
    since_unix_s: float
    until_unix_s: float | None = None
    detail: str = ""


class SessionStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream that is to be recorded; its folders have its name and perhaps a number."""

    required: bool = True
    device: str = ""
    failure: str = ""
    """Why not all of it was recorded; empty where nothing is known to be missing at the end."""


class SessionHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session when it is created."""

    state: str
    host: str
    clock: ClockPair
    versions: dict[str, str] = {}
    """Such as ``rigctl``, ``python``, ``protocol``."""
    config: dict[str, Any] = {}
    """The rig's configuration, plain JSON."""
    streams: dict[str, SessionStream] = {}


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What `session.json` says."""

    format: str = FORMAT
    version: int = VERSION
    reference: str
    rig: str
    state: str
    sealed: bool = False
    """Whether it was to be sealed; whether it is shows by `manifest.json`."""
    conditions: tuple[str, ...] = ()
    episodes: tuple[Episode, ...] = ()
    note: str = ""
    """Such as why it was set aside."""
    window: Window | None = None
    clock: ClockPair
    """At the creation."""
    clock_offsets: tuple[ClockOffset, ...] = ()
    host: str
    versions: dict[str, str] = {}
    streams: dict[str, SessionStream] = {}
    config_hash: str = ""
    config: dict[str, Any] = {}


class Session:
    """One rig's folder of a session; made by `create` or `open`."""

    def __init__(self, path: Path, record: SessionRecord) -> None:
        self.path = path
        self.record = record

    @classmethod
    def create(cls, data_root: Path, ref: ExpRef, rig: str, header: SessionHeader) -> "Session":
        """Make the folder and its `session.json`; both are on disk when this returns.

        Raises:
            SessionExists: it is there already; nothing in it is touched.
            RecordingError: it would lie outside the data root, or cannot be written.
        """
        folder = _make_folder(data_root, ref, rig)
        record = SessionRecord(
            reference=str(ref),
            rig=rig,
            state=header.state,
            clock=header.clock,
            host=header.host,
            versions=header.versions,
            streams=header.streams,
            config_hash=config_hash(header.config),
            config=header.config,
        )
        try:
            write_new(folder / layout.SESSION, encode_document(record))
            with writing(folder):
                sync_folder(folder)
        except RecordingError as error:
            set_aside(folder, str(error))  # or what is no session would hold its reference
            raise
        return cls(folder, record)

    @classmethod
    def open(cls, path: Path) -> "Session":
        """Open a session that is there.

        Raises:
            SessionNotFound: there is none.
            RecordingError: its `session.json` is damaged, or of a newer version.
        """
        if not (path / layout.SESSION).is_file():
            raise SessionNotFound(f"{path}: there is no {layout.SESSION} in it")
        return cls(path, read_record(path))

    @property
    def is_sealed(self) -> bool:
        """Whether it has its manifest; nothing may be changed then."""
        return is_sealed(self.path)

    def update(self, **changes: Any) -> SessionRecord:
        """Replace fields of `session.json`, on disk when this returns.

        Raises:
            RecordingError: the session is sealed, or the file cannot be written.
            msgspec.ValidationError: a value has the wrong type.
            TypeError: there is no such field.
        """
        if self.is_sealed:
            raise RecordingError(f"{self.path}: the session is sealed; nothing in it may change")
        changed = msgspec.structs.replace(self.record, **changes)
        record = msgspec.convert(msgspec.to_builtins(changed), SessionRecord)
        replace(self.path / layout.SESSION, encode_document(record))
        self.record = record
        return record

    def set_aside(self, reason: str) -> Path:
        """Rename the folder to ``<rig>.abandoned-<n>``, so that its reference is free again.

        Nothing is deleted; open files stay valid; `session.json` says why.

        Raises:
            RecordingError: the session is sealed, or it cannot be renamed.
        """
        if self.is_sealed:
            raise RecordingError(f"{self.path}: the session is sealed; it stays where it is")
        try:
            self.update(state=ABANDONED, note=reason)
        except RecordingError as error:
            logger.warning("%s cannot say why it is set aside: %s", self.path, error)
        self.path = set_aside(self.path, reason)
        return self.path


def read_record(path: Path) -> SessionRecord:
    """Read the `session.json` of a session's folder.

    Raises:
        RecordingError: naming the file: it is not there, damaged, or of a newer version.
    """
    record = read_document(path / layout.SESSION, SessionRecord)
    if (record.format, record.version) != (FORMAT, VERSION):
        # Replacing it would lose what this version does not know of it.
        raise RecordingError(
            f"{path / layout.SESSION}: {record.format} {record.version} is not {FORMAT} "
            f"{VERSION}; a newer rigctl may read it"
        )
    return record


def is_sealed(path: Path) -> bool:
    """Whether a session's folder has its manifest."""
    return (path / layout.MANIFEST).exists()


def open_unsealed(path: Path) -> Session:
    """Open a session that is to be written to.

    Raises:
        RecordingError: it is sealed, or as `Session.open`.
    """
    session = Session.open(path)
    if session.is_sealed:
        raise RecordingError(f"{path} is sealed: nothing is added to it")
    return session


def set_aside(path: Path, reason: str) -> Path:
    """Rename a session's folder to ``<rig>.abandoned-<n>``; `session.json` need not be readable.

    Raises:
        RecordingError: it cannot be renamed.
    """
    number = 1
    while (target := path.with_name(f"{path.name}.abandoned-{number}")).exists():
        number += 1
    with writing(path):
        path.rename(target)
        sync_folder(target.parent)
    logger.warning("session %s is set aside as %s: %s", path, target.name, reason)
    return target


def config_hash(config: dict[str, Any]) -> str:
    """Return the BLAKE2b of a configuration, whatever the order of its keys."""
    return hashlib.blake2b(
        msgspec.json.encode(config, order="deterministic"), digest_size=32
    ).hexdigest()


def _make_folder(data_root: Path, ref: ExpRef, rig: str) -> Path:
    folder = data_root / ref.folder / layout.check_name("rig", rig)
    with writing(folder):
        data_root.mkdir(parents=True, exist_ok=True)
        _check_inside(data_root, folder.parent)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError as error:
            raise SessionExists(
                f"{folder} is there already and is not overwritten: use another session number"
            ) from error
        for parent in (folder.parent, *folder.parent.parents[:3]):
            sync_folder(parent)
    return folder


def _check_inside(data_root: Path, folder: Path) -> None:
    """Refuse a folder that a ``..`` or a symbolic link leads out of the data root."""
    if not folder.resolve().is_relative_to(data_root.resolve()):
        raise RecordingError(f"{folder} leads outside the data root {data_root.resolve()}")
