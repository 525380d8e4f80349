"""Where a recording's files stand, and what `stream.json` says.

From: design of the recording.  To: every module of this package.

    <data_root>/<subject>/<yyyy-mm-dd>/<nnn>/<rig>/
        session.json  events.jsonl  log.jsonl  manifest.json  derived/
        <stream>/               and <stream>.2, <stream>.3, ... when its layout changes on the way
            stream.json  data.idx
            data.vhdr  data.vmrk  data.eeg          signals of int16 or float32
            data.bin                                anything else
            data_0002.eeg  data_0002.vhdr ...       further parts after a roll-over; one index
            data.torn  data.idx.torn  data.vmrk.torn  (-2, -3, ...)   what a recovery moved aside
    events.jsonl.torn, <stream>.torn/           (-2, -3, ...)   the same
"""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from rigctl.blocks import Channel, StreamInfo
from rigctl.errors import RecordingError
from rigctl.recording.durable import draft_of, read_document
from rigctl.recording.index import RECORD_BYTES

SESSION = "session.json"
EVENTS = "events.jsonl"
MANIFEST = "manifest.json"
LOG = "log.jsonl"
DERIVED = "derived"
STREAM = "stream.json"
INDEX = "data.idx"
TORN = ".torn"

FORMAT = "rigctl stream"
VERSION = 1

_NAME = re.compile(r"\w[\w.\-]{0,99}")
_SET_ASIDE = re.compile(r".+\.(torn(-\d+)?|abandoned-\d+)")
_DATA_FILE = re.compile(r"data(?:_(\d{4,}))?\.(eeg|bin)")
_PART_FILE = re.compile(r"data(?:_(\d{4,}))?\.(eeg|bin|vhdr|vmrk)")
_SUFFIX = re.compile(r"\.([2-9]|[1-9]\d+)")


class StreamHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What `stream.json` says; written before sample 0 and never changed."""

    format: str = FORMAT
    version: int = VERSION
    name: str
    """The stream's name; its folder may have a number behind it."""
    dtype: str
    byte_order: str = "little"
    shape: tuple[int, ...]
    frame_bytes: int
    rate_hz: str
    """Exact, as ``numerator/denominator``."""
    channels: tuple[Channel, ...] = ()
    data: str
    """The first part's file; samples lie in it one after another without a header."""
    index_record_bytes: int = RECORD_BYTES
    facts: dict[str, Any] = {}
    """What the writer was told, such as ring and block sizes."""

    @property
    def info(self) -> StreamInfo:
        """The layout of the samples."""
        return StreamInfo(self.dtype, self.shape, Fraction(self.rate_hz), self.channels)


def stream_header(info: StreamInfo, name: str, facts: dict[str, Any]) -> StreamHeader:
    """Return what `stream.json` has to say about a stream."""
    rate = info.rate_hz
    return StreamHeader(
        name=name,
        dtype=info.dtype,
        shape=info.shape,
        frame_bytes=info.frame_bytes,
        rate_hz=f"{rate.numerator}/{rate.denominator}",
        channels=info.channels,
        data=part_name("data.eeg" if info.is_signal else "data.bin", 1),
        facts=facts,
    )


def read_stream_header(folder: Path) -> StreamHeader:
    """Read a stream's `stream.json`.

    Raises:
        RecordingError: naming the file: it is not there, damaged, or of a newer version.
    """
    header = read_document(folder / STREAM, StreamHeader)
    if (header.format, header.version) != (FORMAT, VERSION):
        raise RecordingError(
            f"{folder / STREAM}: {header.format} {header.version} is not {FORMAT} {VERSION}; "
            "a newer rigctl may read it"
        )
    return header


def part_name(data: str, part: int) -> str:
    """Return the file name of a part: ``data.eeg``, ``data_0002.eeg``, ..."""
    if part == 1:
        return data
    stem, _, extension = data.rpartition(".")
    return f"{stem}_{part:04d}.{extension}"


def part_number(name: str) -> int | None:
    """Return the part that a file of samples is, from 1; None for other files."""
    match = _DATA_FILE.fullmatch(name)
    return match and int(match[1] or 1)


def header_name(data: str) -> str:
    """Return the name of the header file beside a file of samples."""
    return str(Path(data).with_suffix(".vhdr"))


def marker_name(data: str) -> str:
    """Return the name of the marker file beside a file of samples."""
    return str(Path(data).with_suffix(".vmrk"))


def part_files(folder: Path) -> dict[int, list[Path]]:
    """Return the files of each part that is there or left of one, the samples first."""
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.suffix not in (".eeg", ".bin")):
        if match := _PART_FILE.fullmatch(path.name):
            found.setdefault(int(match[1] or 1), []).append(path)
    return found


def is_data_file(relative: str) -> bool:
    """Whether a path below a session holds samples, which the index has checksums of."""
    return _DATA_FILE.fullmatch(relative.rpartition("/")[2]) is not None


def data_sizes(folder: Path) -> dict[str, int]:
    """Return the sizes of a stream's files of samples, by name."""
    files = (path for path in folder.iterdir() if is_data_file(path.name))
    return {path.name: path.stat().st_size for path in files}


def is_kept_outside_manifest(relative: str) -> bool:
    """Whether a path below a session is the manifest itself or can be rebuilt at any time.

    A draft of the manifest is what a kill in the middle of a seal leaves; the next seal uses it up.
    """
    manifests = (MANIFEST, draft_of(Path(MANIFEST)).name)
    return relative in manifests or relative.startswith(f"{DERIVED}/")


def is_set_aside(name: str) -> bool:
    """Whether a file or folder has the name of something that was moved aside."""
    return _SET_ASIDE.fullmatch(name) is not None


def check_name(what: str, name: str) -> str:
    """Return a rig's or stream's name if it can be a folder's.

    Raises:
        RecordingError: it cannot.
    """
    if not _NAME.fullmatch(name) or name == DERIVED or is_set_aside(name):
        raise RecordingError(
            f"{name!r} cannot be a {what}'s name: letters, digits, '_', '-' and '.', "
            f"beginning with a letter, a digit or '_', and not {DERIVED!r}, nor ending as what is "
            "moved aside does: '.torn', '.abandoned-1'"
        )
    return name


def next_stream_folder(session: Path, name: str) -> Path:
    """Return the first folder of a stream that is not there yet: ``name``, ``name.2``, ...

    Raises:
        RecordingError: the name cannot be a folder's.
    """
    folder, number = session / check_name("stream", name), 1
    while folder.exists():
        number += 1
        folder = session / f"{name}.{number}"
    return folder


def holds_session(folder: Path) -> bool:
    """Whether a folder holds a rig's part in a session, or what is left of one."""
    named = (SESSION, MANIFEST, EVENTS)
    return folder.is_dir() and (
        any((folder / name).exists() for name in named) or bool(stream_folders(folder))
    )


def stream_folders(session: Path) -> list[Path]:
    """Return the folders below a session that hold streams, or what is left of one."""
    return sorted(
        (path for path in session.iterdir() if path.is_dir() and _holds_stream(path)),
        key=_natural,
    )


def _holds_stream(folder: Path) -> bool:
    return not (folder.name == DERIVED or is_set_aside(folder.name)) and any(
        name in (STREAM, INDEX) or is_data_file(name) for name in map(_name, folder.iterdir())
    )


def _name(path: Path) -> str:
    return path.name


def _natural(folder: Path) -> tuple[str, int]:
    match = _SUFFIX.fullmatch(folder.suffix)
    return (folder.stem, int(match[1])) if match else (folder.name, 1)
