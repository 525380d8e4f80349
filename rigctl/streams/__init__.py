"""Streams of samples between processes: rings in shared memory.

From: the process that runs a device.  To: recorders, processing and views in other processes.

    with Ring.create("amp", "float32", 60_000, shape=(64,), rate_hz=1000) as ring:
        ring.append(samples)                          # in one process

    with Ring.attach("amp") as ring:                  # in any other
        newest = ring[-1000:, :8]
        for batch in ring.cursor():
            ...
"""

from rigctl.streams.blocktable import BlockRecord
from rigctl.streams.cursor import Batch, Cursor
from rigctl.streams.folders import sweep
from rigctl.streams.reader import RingReader
from rigctl.streams.ring import Ring
from rigctl.streams.writer import RingWriter

__all__ = ["Batch", "BlockRecord", "Cursor", "Ring", "RingReader", "RingWriter", "sweep"]
