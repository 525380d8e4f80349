"""A process that forks writers and readers of rings, to be killed: a fresh Python takes long.

``writer NAME`` makes a ring and writes it at full speed, ``churner NAME`` makes and removes it
again and again, ``reader NAME`` reads it until its writer is gone. Each says what it has come
to: ``PID writes``, ``PID reads``, ``PID told``.

python -m tests.streams.nursery BASE
"""

import os
import signal
import sys
from pathlib import Path

from rigctl.errors import WriterDied
from rigctl.streams import Ring, RingWriter, folders
from tests.streams.making import block, info

FRAMES = 8192


def main() -> None:
    folders.base_folder = lambda: Path(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody is to wait for the killed
    for line in sys.stdin:
        verb, name = line.split()
        if os.fork() == 0:
            {"writer": write, "churner": churn, "reader": read}[verb](name)
            os._exit(0)


def write(name: str) -> None:
    writer = RingWriter.create(name, info(), FRAMES)
    say("writes")
    while True:
        writer.write(block(writer.head, 3))


def churn(name: str) -> None:
    while True:
        writer = RingWriter.create(name, info(), FRAMES)
        say("writes")
        writer.write(block(writer.head, 3))
        writer.unlink()


def read(name: str) -> None:
    with Ring.attach(name) as ring:
        ring.fileno()  # be woken from now on, though at full speed there is nothing to wait for
        batches = iter(ring.cursor())
        next(batches)
        say("reads")
        try:
            for _ in batches:
                pass
        except WriterDied:
            say("told")


def say(what: str) -> None:
    os.write(1, f"{os.getpid()} {what}\n".encode())


if __name__ == "__main__":
    main()
