"""One damaged stream: what is intact of it, and that written anew.

From: a stream's folder, which is only read.  To: a folder of the new session.
"""

import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from rigctl.blocks import Marker, Samples
from rigctl.errors import RecordingError
from rigctl.recording import index, layout
from rigctl.recording.durable import naming
from rigctl.recording.events import EventLog
from rigctl.recording.markers import COMMENT
from rigctl.recording.salvage_blocks import Block, Extent, extents_of, intact, read_anyway, read_at
from rigctl.recording.salvage_header import known_header
from rigctl.recording.salvage_index import Entry, Proof, Scan, scan
from rigctl.recording.salvage_order import arranged, end_of
from rigctl.recording.salvage_plan import Keep, Lost, Plan, Raw, RawFrames, Step, plan
from rigctl.recording.salvage_report import StreamSalvage
from rigctl.recording.stream_writer import StreamWriter

FILL_LIMIT_S = 10.0
"""The longest loss that is filled, as the recorder does; a longer one begins a segment."""

_RAW_BYTES = 1 << 20
_FOLDER = re.compile(r"(.+?)(?:\.\d+)?(?:\.torn(?:-\d+)?)?")

Advance = Callable[[int], None]
When = Callable[[int, float], datetime]
"""Tells the wall clock where a segment begins, from its first sample and its time of arrival."""


@dataclass(frozen=True, slots=True)
class StreamSurvey:
    """What is intact of one stream, and what is to be made of it; nothing is written yet."""

    folder: Path
    name: str
    header: layout.StreamHeader | None
    plan: Plan
    found: StreamSalvage


def survey(folder: Path, advance: Advance, *, unverified: bool = False) -> StreamSurvey:
    """Find what is intact of a stream.

    Args:
        folder: the stream's.
        advance: told the number of bytes after each piece of samples that was checked.
        unverified: whether samples without a checksum are to be taken as well.

    Raises:
        RecordingError: the folder cannot be read.
    """
    match = _FOLDER.fullmatch(folder.name)
    name = match[1] if match else folder.name
    known = known_header(folder, name)
    if known.header is None:
        size = sum(layout.data_sizes(folder).values())
        found = StreamSalvage(bytes_not_understood=size, problems=known.problems)
        return StreamSurvey(folder, name, None, Plan(), found)
    return _survey(folder, known.header, known.problems, advance, unverified)


def write(
    found: StreamSurvey, target: Path, events: EventLog, when: When, advance: Advance
) -> StreamWriter:
    """Write what is intact of a stream into a new folder, and return its closed writer.

    Args:
        found: what `survey` found.
        target: the new folder.
        events: where gaps are logged that were not before.
        when: tells the wall clock.
        advance: told the number of bytes after each block.

    Raises:
        RecordingError: a file cannot be written, or reads otherwise than before.
    """
    header = found.header
    if header is None:
        raise RecordingError(f"{found.folder}: nothing describes its samples")
    with StreamWriter.create(
        target, header.info, name=header.name, facts=header.facts, events=events
    ) as writer:
        if found.plan.steps and header.info.is_signal:
            writer.new_segment(when(0, _arrival_s(found.plan.steps[0])))
        for step in found.plan.steps:
            match step:
                case Keep():
                    _keep(writer, header, step, when)
                    advance(step.record.count * header.frame_bytes)
                case Lost():
                    _lose(writer, step, when)
                case Raw():
                    _take_raw(writer, header, step)
    return writer


def _survey(
    folder: Path,
    header: layout.StreamHeader,
    problems: tuple[str, ...],
    advance: Advance,
    unverified: bool,
) -> StreamSurvey:
    main = scan(read_anyway(folder / layout.INDEX))
    torn = _torn_scans(folder, main)
    with naming(folder):
        cuts = [each.entries[0] for each in torn if each.entries]
        extents = extents_of(folder, header, cuts)
    blocks = intact(main.entries, extents, header, advance)
    aside = [intact(each.entries, extents, header, advance, aside=True) for each in torn]
    ordered, others = arranged(blocks, aside, header.frame_bytes)
    limit = int(FILL_LIMIT_S * header.info.rate_hz)
    raw = RawFrames(extents, header.frame_bytes) if unverified else None
    planned = plan(ordered, others, limit, raw)
    scans = (main, *torn)
    found = _found(header, planned, scans, extents, problems)
    return StreamSurvey(folder, header.name, header, planned, found)


def _torn_scans(folder: Path, main: Scan) -> list[Scan]:
    """Return what the indices hold that a recovery moved aside; each goes on with the one before.

    Which of its records it goes on with is not known where the recording went on as well.
    """
    scans: list[Scan] = []
    starts = [*(entry.crc for entry in reversed(main.entries)), 0]
    for path in sorted(folder.glob(f"{layout.INDEX}.torn*")):
        scans.append(scan(read_anyway(path), starts))
        starts = [*(entry.crc for entry in reversed(scans[-1].entries)), *starts]
    return scans


def _found(
    header: layout.StreamHeader,
    planned: Plan,
    scans: Sequence[Scan],
    extents: Sequence[Extent],
    problems: tuple[str, ...],
) -> StreamSalvage:
    kept = [step for step in planned.steps if isinstance(step, Keep)]
    lost = [step for step in planned.steps if isinstance(step, Lost)]
    raw = sum(step.samples for step in planned.steps if isinstance(step, Raw))
    blocks = [step.block for step in kept]
    left_out = _left_out(scans, blocks)
    behind = _behind(left_out, blocks)
    samples = sum(block.record.count for block in blocks)
    size = sum({extent.path: extent.size for extent in extents}.values())
    unread = sum(each.unread_bytes for each in scans)
    return StreamSalvage(
        samples=samples + raw + sum(step.samples for step in lost if step.filled),
        blocks=len(blocks),
        blocks_put_right=sum(block.proof is Proof.PUT_RIGHT for block in blocks),
        blocks_loose=sum(block.proof is Proof.LOOSE for block in blocks),
        blocks_from_torn=sum(block.aside for block in blocks),
        blocks_left_out=len(left_out),
        samples_lost=sum(step.samples for step in lost) + behind,
        samples_unverified=raw,
        bytes_not_understood=max(0, size - (samples + raw) * header.frame_bytes) + unread,
        places=tuple(_places(lost, blocks, behind)),
        problems=problems,
    )


def _left_out(scans: Sequence[Scan], blocks: Sequence[Block]) -> list[Entry]:
    kept = {_identity(block.record) for block in blocks}
    entries = {_identity(e.record): e for each in scans for e in each.entries}
    return [entry for identity, entry in entries.items() if identity not in kept]


def _identity(record: index.Record) -> tuple[int, int, int, int]:
    return record.first, record.count, record.payload_crc, record.offset


def _behind(left_out: Sequence[Entry], blocks: Sequence[Block]) -> int:
    """Return how many samples proven records tell of behind the last intact block."""
    end = max(map(end_of, blocks), default=0)
    told = (e.record.first + e.record.count for e in left_out if e.proof is not Proof.LOOSE)
    return max(0, max(told, default=0) - end)


def _places(lost: Sequence[Lost], blocks: Sequence[Block], behind: int) -> Iterator[str]:
    for step in lost:
        last = step.first + step.samples - 1
        what = "filled" if step.filled else "a new segment begins behind them"
        yield f"samples {step.first} to {last}: {what}"
    if behind:
        end = max(map(end_of, blocks), default=0)
        yield f"samples {end} to {end + behind - 1}: the recording ends before them"


def _keep(writer: StreamWriter, header: layout.StreamHeader, step: Keep, when: When) -> None:
    block, record = step.block, step.record
    payload = read_at(block.path, block.at, record.count * header.frame_bytes)
    if payload is None or zlib.crc32(payload) != record.payload_crc:
        raise RecordingError(f"{block.path}: it reads otherwise than a moment ago; salvage again")
    if step.begins_segment:
        _segment(writer, record.arrival_s, record.missing, when)
    samples = _frames(payload, header)
    writer.append(samples, counter=record.counter, arrival_s=record.arrival_s, flags=record.flags)


def _lose(writer: StreamWriter, step: Lost, when: When) -> None:
    if step.filled:
        writer.fill(step.samples, counter=step.counter, arrival_s=step.arrival_s)
    else:
        _segment(writer, step.arrival_s, step.samples, when)


def _segment(writer: StreamWriter, arrival_s: float, missing: int, when: When) -> None:
    writer.new_segment(when(writer.samples, arrival_s), lost=True, missing=missing)


def _arrival_s(step: Step) -> float:
    return step.record.arrival_s if isinstance(step, Keep) else step.arrival_s


def _take_raw(writer: StreamWriter, header: layout.StreamHeader, step: Raw) -> None:
    text = f"UNVERIFIED {step.samples}"
    writer.mark(Marker(writer.samples, COMMENT, text, points=step.samples))
    at_once = max(1, _RAW_BYTES // header.frame_bytes)
    for done in range(0, step.samples, at_once):
        count = min(at_once, step.samples - done)
        size = count * header.frame_bytes
        payload = read_at(step.path, step.at + done * header.frame_bytes, size)
        if payload is None:
            raise RecordingError(f"{step.path}: the disk cannot read it; leave --unverified out")
        samples = _frames(payload, header)
        writer.append(samples, counter=step.counter, arrival_s=step.arrival_s)


def _frames(payload: bytes, header: layout.StreamHeader) -> Samples:
    return np.frombuffer(payload, header.info.numpy_dtype).reshape(-1, *header.shape)
