"""Worker processes as the daemon runs them, for measurements: told by orders, heard by reports.

From: the other benchmarks.  To: the same: what a worker reports, with the time at which it came.

    python -m benchmarks.workers recorder FILE

is the recorder itself, which notes how long each append takes and what processor time it costs from
the first to the last, and writes that to FILE as it ends.
"""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from rigctl.peers import recorder
from rigctl.peers.orders import Order, Report
from rigctl.recording.stream_writer import StreamWriter


class Worker:
    """A worker process.

    Args:
        module: and its arguments, as after ``python -m``.
        setup: its first order.
    """

    def __init__(self, module: list[str], setup: Order) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", *module]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self.reports: list[tuple[float, Report]] = []
        """All that came, with the time on the computer's monotonic clock."""
        self._came = threading.Condition()
        self._listening = threading.Thread(target=self._listen, name=module[-1])
        self._listening.start()
        self.tell(setup)

    def tell(self, order: Order) -> None:
        """Give an order."""
        assert self.process.stdin
        self.process.stdin.write(msgspec.json.encode(order) + b"\n")
        self.process.stdin.flush()

    def wait_for(self, kind: Any, within_s: float = 60.0) -> Any:
        """Return the last report of a kind, once there is one."""
        with self._came:
            assert self._came.wait_for(lambda: self._last(kind), within_s), f"no {kind}"
            return self._last(kind)

    def close(self) -> None:
        """Have it put its things in order and end."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)
        self._listening.join()

    def _last(self, kind: Any) -> Any:
        return next((r for _, r in reversed(self.reports) if isinstance(r, kind)), None)

    def _listen(self) -> None:
        assert self.process.stdout
        decoder = msgspec.json.Decoder(Report)
        for line in self.process.stdout:
            now_s = time.monotonic()
            with self._came:
                self.reports.append((now_s, decoder.decode(line)))
                self._came.notify_all()


@contextlib.contextmanager
def worker(module: list[str], setup: Order) -> Iterator[Worker]:
    """Run a worker; it ends with the block."""
    running = Worker(module, setup)
    try:
        yield running
    finally:
        running.close()


def _timed_recorder(file: Path) -> None:
    times_s: list[float] = []
    marks: list[tuple[float, float]] = []
    append = StreamWriter.append

    def timed(self: StreamWriter, *args: Any, **more: Any) -> None:
        begin_s = time.perf_counter()
        append(self, *args, **more)
        times_s.append(time.perf_counter() - begin_s)
        now = time.monotonic(), time.process_time()
        marks[min(len(marks), 1) :] = [now]

    StreamWriter.append = timed  # type: ignore[method-assign]
    recorder.main()
    wall_s, cpu_s = (end - begin for begin, end in zip(marks[0], marks[-1], strict=True))
    file.write_text(json.dumps({"append_s": times_s, "wall_s": wall_s, "cpu_s": cpu_s}))


if __name__ == "__main__":
    _timed_recorder(Path(sys.argv[2]))
