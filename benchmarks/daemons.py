"""Real rig daemons for measurements, in processes of their own.

From: the other benchmarks, which write the rig files.  To: the same: the daemons' addresses.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rigctl.address import Address


@contextlib.contextmanager
def served(files: Sequence[Path]) -> Iterator[list[Address]]:
    """Serve rigs; they stop and seal what they record with the block."""
    processes, addresses = [], []
    try:
        for file in files:
            command = [sys.executable, "-m", "rigctl", "serve", str(file), "--json"]
            process = subprocess.Popen(
                [*command, "--log-level", "warning"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            processes.append(process)
            assert process.stdout
            port = json.loads(process.stdout.readline())["port"]
            addresses.append(Address("udp", "127.0.0.1", port))
        yield addresses
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.communicate(timeout=60)
