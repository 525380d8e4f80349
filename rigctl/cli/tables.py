"""Reports as tables for people.

From: `reports`.  To: the terminal.
"""

from rich.markup import escape
from rich.table import Table

from rigctl.config.units import duration_text, rate_text, size_text
from rigctl.controller.survey import is_silent
from rigctl.reports import LabReport, RigReport, StreamReport

_COLOURS = {"RUNNING": "green", "INITIALIZED": "cyan", "STOPPED": "yellow", "CONNECTED": "white"}
_OPEN = ("INITIALIZED", "RUNNING")
"""In which states a rig's sources are to deliver samples."""

_FIGURES = ("rate", "on disk", "age", "lost", "clock", "disk free")
"""The columns that are aligned to the right."""

_RECORDS = {"INITIALIZED": "will record to", "STOPPED": "recorded to", "CONNECTED": "recorded to"}
"""What a rig does with its path, where it does not record at present."""


def rigs_table(report: LabReport) -> Table:
    """Return a line for every rig and every stream: who, how, how fast, how far, where to."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("rig", "status", "stream", *_FIGURES):
        right = name in _FIGURES
        table.add_column(name, justify="right" if right else "left", no_wrap=True)
    for name, rig in report.rigs.items():
        rows = [_stream_cells(s, f) for s, f in rig.streams.items()] or [("", "", "", "", "")]
        for index, cells in enumerate(rows):
            first = index == 0
            who = (escape(name), _status(rig)) if first else ("", "")
            rest = (_clock(rig), _disk(rig)) if first else ("", "")
            table.add_row(*who, *cells, *rest)
    return table


def notes(report: LabReport) -> list[str]:
    """Return what is to be said below the table, ready for a rich console."""
    lines = []
    for name, rig in report.rigs.items():
        if rig.path:
            does = _RECORDS.get(rig.status or "", "records to")
            lines.append(f"{escape(name)} {does} {escape(rig.path)}")
        if is_silent(rig):
            lines.append(f"[yellow]{escape(name)}: it does not tell whether it runs[/]")
        if rig.error:
            lines.append(f"[red]{escape(name)}: {escape(rig.error)}[/]")
        for fault in rig.conditions:
            parts = (name, fault.condition, fault.stream, fault.reason)
            text = ": ".join(part for part in parts if part)
            lines.append(f"[red]{escape(text)}[/]")
        lines += [*clock_warnings(name, rig), *_waiting(name, rig)]
    return lines


def clock_warnings(name: str, rig: RigReport) -> list[str]:
    """Return what is to be said of a rig's clock that is over the lab's limit."""
    clock = rig.clock
    if clock is None or clock.limit_s is None or not clock.over_limit:
        return []
    if abs(clock.offset_s) > clock.limit_s:
        fact = f"its clock is {_clock(rig)} from this computer's"
    else:
        fact = f"its clock is known to ± {clock.bound_s * 1e3:.2f} ms only"
    text = f"{name}: {fact}; clock_limit is {clock.limit_s * 1e3:g} ms"
    return [f"[yellow]{escape(text)}[/]"]


def seconds(value: float | None) -> str:
    """Return a duration for people."""
    if value is None:
        return "-"
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"


def _waiting(name: str, rig: RigReport) -> list[str]:
    """Return why streams do not flow, where no fault says so already."""
    if rig.status not in _OPEN:
        return []
    said = {fault.stream for fault in rig.conditions}
    return [
        f"[dim]{escape(f'{name}: {stream}: {facts.situation}')}[/]"
        for stream, facts in rig.streams.items()
        if stream not in said and not facts.flowing and not facts.samples
    ]


def _status(rig: RigReport) -> str:
    if not rig.reachable:
        return "[red]unreachable[/]" if rig.required else "unreachable"
    status = rig.status or "not told"
    if rig.conditions:
        return f"[red]{status} {' '.join(sorted({c.condition for c in rig.conditions}))}[/]"
    return f"[{_COLOURS.get(status, 'white')}]{escape(status)}[/]"


def _stream_cells(name: str, stream: StreamReport) -> tuple[str, ...]:
    rate = f"{rate_text(stream.rate_hz)} Hz x {stream.channels}" if stream.rate_hz else "-"
    if stream.rate_hz and stream.measured_hz is not None:
        rate = f"{rate_text(stream.measured_hz)} of {rate}"
    lost = f"{stream.missing_samples} in {stream.gaps}" if stream.gaps else "0"
    if stream.overruns:
        lost += f" ({stream.overruns} overrun{'s' if stream.overruns > 1 else ''})"
    on_disk = str(stream.durable_samples) if stream.recorded else "not recorded"
    return escape(name), rate, on_disk, seconds(stream.age_s), lost


def _disk(rig: RigReport) -> str:
    """Return what is free, and for how long that lasts."""
    if not rig.disk:
        return "-"
    lasts_s = rig.disk.lasts_s
    return size_text(rig.disk.free_bytes) + (
        "" if lasts_s is None else f" ({duration_text(lasts_s)})"
    )


def _clock(rig: RigReport) -> str:
    if not rig.clock:
        return "-"
    return f"{rig.clock.offset_s * 1e3:+.2f} ± {rig.clock.bound_s * 1e3:.2f} ms"
