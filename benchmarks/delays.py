"""Proxies that delay, one before each rig, in a process of their own.

From: the other benchmarks.  To: the same: the proxies' addresses.

    python -m benchmarks.delays SECONDS URI ...

It prints the proxies' URIs as one JSON line and ends when standard input does.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

from rigctl.address import Address
from rigctl.net.chaos import ChaosProxy
from rigctl.net.weather import Forecast, Weather


@contextlib.contextmanager
def delayed(uris: Sequence[str], delay_s: float) -> Iterator[list[str]]:
    """Put a proxy that delays each way before each rig; none where there is nothing to delay."""
    if not delay_s:
        yield list(uris)
        return
    command = [sys.executable, "-m", "benchmarks.delays", str(delay_s), *uris]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout and process.stdin
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()


async def _serve(delay_s: float, uris: Sequence[str]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for seed, uri in enumerate(uris):
            proxy = ChaosProxy(Address.parse(uri), Forecast(Weather(delay_s=delay_s), seed))
            await stack.enter_async_context(proxy)
            found.append(str(proxy.address))
        print(json.dumps(found), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), sys.argv[2:]))
