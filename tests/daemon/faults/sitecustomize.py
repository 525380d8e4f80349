"""A layer between a worker process and its disk: writes that fail, or take their time.

It is loaded by Python itself in processes whose path has this folder.  What it does stands in the
file that ``RIGCTL_TEST_FAULT`` names, as long as it is there: for which files, the number of an
error, and a delay in seconds.
"""

import json
import os
import time
from pathlib import Path

_write = os.write
_fault = Path(os.environ.get("RIGCTL_TEST_FAULT", "/nowhere"))


def write(fd: int, data: bytes) -> int:
    try:
        fault = json.loads(_fault.read_text())
    except OSError:
        return _write(fd, data)
    if Path(f"/proc/self/fd/{fd}").readlink().match(fault["of"]):
        time.sleep(fault.get("delay_s", 0))  # this is the slow disk
        if number := fault.get("error"):
            raise OSError(number, os.strerror(number))
    return _write(fd, data)


os.write = write
