"""When a stream goes on in a further part, and when that part began.

From: the configuration, and the times of the blocks.  To: `stream_files`.
"""

from datetime import UTC, datetime

from rigctl.blocks import StreamInfo
from rigctl.config.keeping import Roll
from rigctl.recording.index import Record
from rigctl.recording.session import wall_s


def most_bytes(roll: Roll | None, info: StreamInfo) -> int | None:
    """Return how large a part may become, in whole samples; None: without a limit.

    The time is that of the samples at their nominal rate. At least one sample fits.
    """
    if roll is None:
        return None
    points = min(roll.size_bytes // info.frame_bytes, int(roll.time_s * float(info.rate_hz)))
    return max(points, 1) * info.frame_bytes


def began_at(record: Record, info: StreamInfo) -> datetime:
    """Return the wall clock's time at an append's first sample."""
    began_s = record.arrival_s - record.count / float(info.rate_hz)
    try:
        return datetime.fromtimestamp(wall_s(began_s), UTC)
    except (ValueError, OverflowError):  # the source's clock says nothing
        return datetime.fromtimestamp(wall_s(None), UTC)
