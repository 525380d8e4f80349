"""Be one of the worker processes: ``python -m rigctl.peers recorder``.

From: `peers.process`.  To: the module of that name.

A module that is run itself is called ``__main__``, and so would be its log.
"""

import sys

from rigctl.peers import recorder, source

_WORKERS = {"recorder": recorder.main, "source": source.main}

if __name__ == "__main__":
    raise SystemExit(_WORKERS[sys.argv[1]]())
