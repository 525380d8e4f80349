"""Streams of samples between processes: rings in shared memory.

From: the process that runs a device.  To: recorders, processing and views in other processes.

    with RingWriter.create("amp", info, frames=60_000) as ring:      # in one process
        ring.write(block)

    with RingReader.attach("amp") as ring:                           # in any other
        cursor = ring.cursor()
        while cursor.wait(timeout_s=1.0):
            batch = cursor.read(max_frames=10_000)
"""

from rigctl.streams.blocktable import BlockRecord
from rigctl.streams.cursor import Batch, Cursor
from rigctl.streams.folders import sweep
from rigctl.streams.reader import RingReader
from rigctl.streams.writer import RingWriter

__all__ = ["Batch", "BlockRecord", "Cursor", "RingReader", "RingWriter", "sweep"]
