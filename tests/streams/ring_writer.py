"""A process that writes a ring as its standard input says.

``write N [TEXT]`` publishes a block of N frames, with a marker if there is a text; ``flood N``
publishes blocks of N frames until it is killed; ``close REASON``; ``unlink``.
"""

import sys
from itertools import count
from pathlib import Path

from rigctl.blocks import Block, Marker
from rigctl.streams import RingWriter, folders, layout
from tests.streams.making import block, frames, info


def main() -> None:
    name, base, capacity, mirrored, locked = sys.argv[1:]
    layout.TOTAL_STORE_ORDER = locked == "0"
    folders.base_folder = lambda: Path(base)
    writer = RingWriter.create(name, info(), int(capacity), mirrored=mirrored == "1")
    answer("ready")
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        obey(writer, verb, rest)
        answer(str(writer.head))


def answer(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def obey(writer: RingWriter, verb: str, rest: str) -> None:
    if verb == "write":
        points, _, text = rest.partition(" ")
        markers = (Marker(0, "Comment", text),) if text else ()
        writer.write(block(writer.head, int(points), counter=7, markers=markers))
    elif verb == "flood":
        flood(writer, int(rest))
    elif verb == "close":
        writer.close(rest)
    elif verb == "unlink":
        writer.unlink()


def flood(writer: RingWriter, points: int) -> None:
    ahead = 1000 * points
    answer("flooding")
    for lap in count():
        frame = frames(lap * ahead, (lap + 1) * ahead)
        for start in range(0, ahead, points):
            writer.write(Block(frame[start : start + points], 0, 1.0))


if __name__ == "__main__":
    main()
