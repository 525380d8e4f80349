"""NWB 2 through pynwb, uncut: chunks are compressed with gzip and checked by Fletcher-32.

From: `export.source`.  To: a `.nwb` file, which `pynwb.validate` finds nothing wrong with.

    acquisition/<stream>        ElectricalSeries of the channels in volts, each with an electrode;
                                ImageSeries of images (frame, row, column[, colour]); TimeSeries
    acquisition/<stream>_2 ...  TimeSeries of those of its channels that have another unit
    intervals/markers           start, stop, stream, type, marker (its text), position, channel
    intervals/events            what happened beside the markers: start, source, kind, value (JSON)
    intervals/invalid_times     gaps: what stands in for lost samples, or the time that is missing
    session_start_time, notes   when the session was created; its clock's offsets and the like

All times are seconds on the synchronised clock since the session's start.  A stream has its nominal
rate where that is at no sample wrong by more than half a period, else a timestamp for each sample:
where there are gaps, and in long recordings, whose true rate is another.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from rigctl.errors import BadReference, RecordingError
from rigctl.messages import ExpRef
from rigctl.recording.export.nwb_series import Columns, columns_of, series_data, timing
from rigctl.recording.export.source import Advance, Source
from rigctl.recording.extras import library
from rigctl.recording.opened_stream import OpenStream
from rigctl.recording.to_mne import volts

_MOST_DIMENSIONS = 4
_TIME_BYTES = 8
_MEGABYTE = 1_000_000


def check(stream: OpenStream) -> None:
    """Raise unless the format can hold a stream.

    Raises:
        RecordingError: it cannot.
    """
    if 1 + len(stream.info.shape) > _MOST_DIMENSIONS or stream.info.numpy_dtype.kind not in "iuf":
        raise RecordingError(
            f"stream {stream.name} holds frames of {stream.info.dtype} {stream.info.shape}: an NWB "
            "file holds numbers of up to three dimensions a frame"
        )
    if not len(stream):
        raise RecordingError(f"stream {stream.name} has no sample yet: NWB has no empty series")


def write(source: Source, target: Path, advance: Advance) -> None:
    """Write streams, their markers, gaps and the events into one file.

    Raises:
        RecordingError: the disk may not have the space.
    """
    _check_space(source, target)
    pynwb = library("pynwb", "nwb")
    file = _file(pynwb, source)
    for stream in source.streams:
        for columns in columns_of(stream):
            file.add_acquisition(_series(pynwb, file, source, columns, advance))
    _add_markers(pynwb, file, source)
    _add_gaps(file, source)
    _add_events(pynwb, file, source)
    with pynwb.NWBHDF5IO(str(target), "w") as io:
        io.write(file)


def _check_space(source: Source, target: Path) -> None:
    """Raise unless the disk has space for all of it, however little can be compressed.

    Other formats' writers come to an orderly end on a full disk; HDF5 does not, and brings down
    the process.
    """
    needed = sum(one.samples.nbytes + _TIME_BYTES * len(one) for one in source.streams) + _MEGABYTE
    free = shutil.disk_usage(target.parent).free
    if free < needed:
        raise RecordingError(
            f"the disk of {target.parent.parent} has {free / _MEGABYTE:.1f} MB free, and an NWB "
            f"file may take {needed / _MEGABYTE:.1f} MB: choose another with --out"
        )


def _file(pynwb: Any, source: Source) -> Any:
    record = source.rig.record
    return pynwb.NWBFile(
        session_description=f"{record.reference}, recorded by rig {record.rig}",
        identifier=f"{record.reference}/{record.rig}@{source.start_unix_s:.6f}",
        session_start_time=datetime.fromtimestamp(source.start_unix_s, UTC),
        session_id=record.reference,
        subject=pynwb.file.Subject(
            subject_id=_subject(record.reference), description="as in the session's reference"
        ),
        notes=json.dumps(source.facts(), ensure_ascii=False),
    )


def _subject(reference: str) -> str:
    try:
        return ExpRef.parse(reference).subject
    except BadReference:
        return reference


def _series(pynwb: Any, file: Any, source: Source, columns: Columns, advance: Advance) -> Any:
    """Return the series of some channels, or of frames."""
    stream = columns.stream
    data = series_data(columns, advance)
    about: dict[str, Any] = {
        "name": columns.name,
        "description": f"stream {stream.name}, {stream.info.dtype}, as recorded; "
        f"nominally {stream.info.rate_hz} Hz",
        "data": data,
        **timing(stream, source.start_s),
    }
    if columns.is_image:
        return pynwb.image.ImageSeries(unit="n/a", format="raw", **about)
    if columns.unit is not None and volts(columns.unit):
        return pynwb.ecephys.ElectricalSeries(
            electrodes=_electrodes(file, columns), **about, **_conversion(columns)
        )
    comments = f"channels: {', '.join(columns.names)}" if columns.names else "no channels named"
    return pynwb.TimeSeries(
        unit=columns.unit or "n/a", conversion=columns.resolutions[0], comments=comments, **about
    )


def _conversion(columns: Columns) -> dict[str, Any]:
    """Return what turns values into volts."""
    units = [volts(unit) or 1.0 for unit in columns.units]
    factors = [r * unit for r, unit in zip(columns.resolutions, units, strict=True)]
    if len(set(factors)) == 1:
        return {"conversion": factors[0]}
    return {"conversion": 1.0, "channel_conversion": factors}


def _electrodes(file: Any, columns: Columns) -> Any:
    """Add an electrode for each channel, and return which they are."""
    stream = columns.stream
    device = file.create_device(name=stream.name, description="what the stream came from")
    group = file.create_electrode_group(
        name=stream.name, description=f"stream {stream.name}", location="unknown", device=device
    )
    if file.electrodes is None or "channel_name" not in file.electrodes.colnames:
        file.add_electrode_column(name="channel_name", description="the channel's name")
    first = len(file.electrodes)
    for name in columns.names:
        file.add_electrode(location="unknown", group=group, channel_name=name)
    return file.create_electrode_table_region(
        region=list(range(first, first + len(columns.names))),
        description=f"the channels of stream {stream.name}",
    )


def _add_markers(pynwb: Any, file: Any, source: Source) -> None:
    rows = [(stream, marker) for stream in source.streams for marker in stream.markers]
    if not rows:
        return
    table = pynwb.epoch.TimeIntervals(name="markers", description="what sources placed on samples")
    for name, description in (
        ("stream", "the stream"),
        ("type", "such as Stimulus"),
        ("marker", "its description, as it came"),
        ("position", "its sample in the stream, from 0"),
        ("channel", "the channel that it belongs to, from 0; -1 for all"),
    ):
        table.add_column(name=name, description=description)
    for stream, marker in rows:
        table.add_row(
            start_time=_at(source, stream, marker.position),
            stop_time=_at(source, stream, marker.position + max(marker.points, 0)),
            stream=stream.name,
            type=marker.type,
            marker=marker.description,
            position=marker.position,
            channel=marker.channel,
        )
    file.add_time_intervals(table)


def _add_gaps(file: Any, source: Source) -> None:
    rows = [(stream, gap) for stream in source.streams for gap in stream.gaps]
    if not rows:
        return
    for name, description in (
        ("stream", "the stream"),
        ("position", "its sample in the stream, from 0"),
        ("filled", "how many samples stand in for lost ones"),
        ("missing", "how many are known to be lost beside those"),
    ):
        file.add_invalid_times_column(name=name, description=description)
    for stream, gap in rows:
        begin = gap.position if gap.filled else max(gap.position - 1, 0)
        file.add_invalid_time_interval(
            start_time=_at(source, stream, begin),
            stop_time=_at(source, stream, gap.position + gap.filled),
            stream=stream.name,
            position=gap.position,
            filled=gap.filled,
            missing=gap.missing,
        )


def _add_events(pynwb: Any, file: Any, source: Source) -> None:
    happened = list(source.events())
    if not happened:
        return
    table = pynwb.epoch.TimeIntervals(name="events", description="what happened beside markers")
    for name, description in (
        ("source", "the device or program that it comes from"),
        ("kind", "such as state"),
        ("value", "what it was, as JSON"),
    ):
        table.add_column(name=name, description=description)
    for at, event in happened:
        since_s, value = at - source.start_unix_s, msgspec.json.encode(event.value).decode()
        table.add_row(
            start_time=since_s,
            stop_time=since_s,
            source=event.source,
            kind=event.kind,
            value=value,
        )
    file.add_time_intervals(table)


def _at(source: Source, stream: OpenStream, position: int) -> float:
    return float(stream.times.since_origin(position)) - source.start_s
