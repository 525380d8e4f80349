"""What a salvage found and did, in figures.

From: `salvage`.  To: the command line, and the episodes of the new session.
"""

from collections.abc import Iterator

import msgspec


class StreamSalvage(msgspec.Struct, frozen=True, kw_only=True):
    """One stream's folder."""

    samples: int = 0
    """In the new session, those that stand in for lost ones included."""
    blocks: int = 0
    """How many appends were intact, and are kept."""
    blocks_put_right: int = 0
    """How many of these had one flipped bit in their index record."""
    blocks_loose: int = 0
    """How many of these have samples that match their checksum, but times that are not proven."""
    blocks_from_torn: int = 0
    """How many of these were moved aside by a recovery."""
    blocks_left_out: int = 0
    """How many records speak of samples that are damaged or not there."""
    samples_lost: int = 0
    """Recorded, but not intact; known from what stands around them."""
    samples_unverified: int = 0
    """Taken without a checksum, because that was asked for."""
    bytes_not_understood: int = 0
    """Of samples and index, what belongs to no block that is kept."""
    places: tuple[str, ...] = ()
    """Where something was left out."""
    problems: tuple[str, ...] = ()
    """What else is wrong, or had to be made up for."""

    @property
    def is_complete(self) -> bool:
        """Whether all that was recorded is in the new session, and proven."""
        left_out = self.blocks_left_out or self.samples_lost or self.bytes_not_understood
        return not (left_out or self.samples_unverified or self.problems)


class SalvageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rig's part in a session."""

    path: str
    """The damaged session, which stays as it is."""
    ref: str
    rig: str
    target: str | None
    """The new session; None where there was nothing to salvage, since all is intact."""
    complete: bool
    """Whether everything in it was intact or put right."""
    verified: bool
    """Whether the new session verifies; for an intact one, that it does."""
    streams: dict[str, StreamSalvage] = {}
    """By folder of the new session."""
    events: int = 0
    """How many are kept."""
    events_put_right: int = 0
    events_left_out: int = 0
    """How many lines are damaged or known to be missing."""
    problems: tuple[str, ...] = ()
    """What is wrong beside the streams, each with the file that it is about."""

    @property
    def ok(self) -> bool:
        """Whether everything was intact or salvaged, and the result verifies."""
        return self.complete and self.verified


def details(stream: StreamSalvage) -> Iterator[str]:
    """Yield in words what is remarkable about a salvaged stream."""
    figures = (
        (stream.blocks_put_right, "blocks with one flipped bit in their record, put right"),
        (stream.blocks_loose, "blocks whose time and number are not proven"),
        (stream.blocks_from_torn, "blocks from a torn end"),
        (stream.blocks_left_out, "blocks left out"),
        (stream.samples_lost, "samples lost"),
        (stream.samples_unverified, "samples taken without a checksum"),
        (stream.bytes_not_understood, "bytes not understood"),
    )
    yield from (f"{number} {what}" for number, what in figures if number)
    yield from stream.problems
