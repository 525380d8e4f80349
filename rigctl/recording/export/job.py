"""One export: which format, what of a session, into which file.

From: `cli.exporting`, scripts.  To: the format's module, through a draft (`export.draft`).

An export lies in the rig's folder of `derived/` unless told otherwise: it is outside the manifest
and can be made again at any time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rigctl.errors import RecordingError
from rigctl.recording import layout
from rigctl.recording.export import brainvision, nwb, xdf, zarr
from rigctl.recording.export.draft import check_free, whole
from rigctl.recording.export.source import Advance, Source
from rigctl.recording.extras import library
from rigctl.recording.opened import OpenRig
from rigctl.recording.opened_stream import OpenStream
from rigctl.recording.verify import Progress


@dataclass(frozen=True, slots=True)
class Format:
    """How sessions are exported to one format."""

    ending: str
    """Of the file's or folder's name."""
    check: Callable[[OpenStream], None]
    """Raises if it cannot hold a stream."""
    write: Callable[[Source, Path, Advance], None]
    needs: tuple[str, str] | None = None
    """The library, and the extra that it comes with."""


FORMATS: Mapping[str, Format] = {
    "brainvision": Format(
        "_brainvision", brainvision.check, brainvision.write, ("pybv", "brainvision")
    ),
    "nwb": Format(".nwb", nwb.check, nwb.write, ("pynwb", "nwb")),
    "zarr": Format(".zarr", zarr.check, zarr.write, ("zarr", "zarr")),
    "xdf": Format(".xdf", xdf.check, xdf.write),
}


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an export."""

    rig: str
    to: str
    streams: list[str]
    already: list[str]
    """Headers of streams that are recorded in that format: nothing had to be done."""
    path: str | None
    """What was written; None where nothing had to be."""


class Job:
    """An export that can be done, as far as can be told beforehand.

    Args:
        rig: the rig's part in a session.
        to: the format; one of `FORMATS`.
        streams: which streams' folders; all if empty.
        out: the folder to write into; the rig's `derived` if left out.
        force: whether an export that is there is replaced.

    Raises:
        RecordingError: the format cannot hold a stream, its library is not installed, or an
            export is there.
    """

    def __init__(
        self,
        rig: OpenRig,
        to: str,
        *,
        streams: Sequence[str] = (),
        out: Path | None = None,
        force: bool = False,
    ) -> None:
        self.rig = rig
        self.to = to
        self._format, self._force = FORMATS[to], force
        self._chosen = [rig[name] for name in dict.fromkeys(streams or rig)]
        if not self._chosen:
            raise RecordingError(f"{rig.path}: there is no stream in it to export")
        self._todo = [one for one in self._chosen if not self._is_already(one)]
        for stream in self._todo:
            self._check(stream)
        name = "_".join([rig.reference, rig.path.name, *streams])
        self._target = (out or rig.path / layout.DERIVED) / f"{name}{self._format.ending}"
        if self._todo:
            check_free(self._target, force=force)
            if self._format.needs:
                library(*self._format.needs)

    def run(self, progress: Progress) -> Exported:
        """Write it; it is there as a whole or not at all.

        Raises:
            RecordingError: it cannot be written.
        """
        if self._todo:
            source = Source(self.rig, tuple(self._todo))
            with whole(self._target, force=self._force) as draft:
                self._format.write(source, draft, _counted(self._todo, progress))
        return Exported(
            rig=self.rig.name,
            to=self.to,
            streams=[stream.name for stream in self._chosen],
            already=list(self._already()),
            path=str(self._target) if self._todo else None,
        )

    def _check(self, stream: OpenStream) -> None:
        """Raise if the format cannot hold a stream, and say what can be exported without it."""
        try:
            self._format.check(stream)
        except RecordingError as error:
            others = [one.name for one in self._chosen if one is not stream]
            rest = " ".join(f"--stream {name}" for name in others)
            advice = f"; leave it out with {rest}" if rest else ""
            raise RecordingError(f"{error}{advice}") from error

    def _is_already(self, stream: OpenStream) -> bool:
        return self.to == "brainvision" and stream.info.is_signal

    def _already(self) -> Iterator[str]:
        for stream in self._chosen:
            if self._is_already(stream):
                yield from map(str, stream.part_headers())


def _counted(streams: Sequence[OpenStream], progress: Progress) -> Advance:
    """Return what turns bytes done at a time into bytes done of all."""
    total = sum(stream.samples.nbytes for stream in streams)
    done = 0

    def advance(size: int) -> None:
        nonlocal done
        done += size
        progress(min(done, total), total)

    return advance
