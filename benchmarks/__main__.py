"""Run measurements and print their tables.

python -m benchmarks [NAME ...] [--quick]
"""

import argparse
import sys
from collections.abc import Callable

from benchmarks import (
    damage,
    fan_out,
    fuzz,
    rda,
    recording,
    ring,
    round_trips,
    sessions,
    survival,
    verifying,
    windows,
)
from benchmarks.table import as_markdown

_TABLES: dict[str, Callable[[bool], str]] = {
    "control": lambda quick: as_markdown([*round_trips.run(quick), *fan_out.run(quick)]),
    "windows": lambda quick: as_markdown(windows.run(quick)),
    "sessions": lambda quick: as_markdown(sessions.run(quick)),
    "rda": lambda quick: as_markdown(rda.run(quick)),
    "recording": lambda quick: as_markdown(recording.run(quick)),
    "survival": survival.table,
    "damage": lambda quick: as_markdown(damage.run(quick)),
    "fuzz": lambda quick: as_markdown(fuzz.run(quick)),
    "verify": lambda quick: as_markdown(verifying.run(quick)),
    "ring": lambda quick: as_markdown(ring.run(quick)),
}


def main() -> None:
    """Run what is named, or all."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("names", nargs="*", choices=[[], *_TABLES], default=[], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="few rounds: whether it runs at all")
    args = parser.parse_args()
    for name in args.names or _TABLES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        print(_TABLES[name](args.quick), flush=True)


if __name__ == "__main__":
    main()
