"""A minute of random bytes and damaged messages, at codec, framing and engine."""

import random
import time

from benchmarks.table import Row
from rigctl.errors import ProtocolError
from rigctl.messages import Event, Message
from rigctl.net.codec import ArrayReader, Envelope, Kind, decode
from rigctl.net.context import Context, Identity
from rigctl.net.echo import Dialect, Echo
from rigctl.net.inputs import Command, Now
from rigctl.net.outputs import Delivered
from rigctl.net.packets import Packer
from rigctl.net.seal import Seal

SECONDS = 60.0
KEY = b"k" * 32
START = Message(Event.EXPSTART, ("2024-01-01_1_subject", {"a": [1, 2.5, None, "µ"]}))


def _seeds() -> list[bytes]:
    """Return messages as they cross the wire, sealed and not."""
    envelopes = [Envelope(kind, "desk", 7, answers=("rig", 3), clock=1.7e9) for kind in Kind]
    packers = [Packer(None), Packer(Seal(KEY))]
    return [packer.pack(START, envelope).data for packer in packers for envelope in envelopes]


def _damaged(dice: random.Random, seeds: list[bytes]) -> bytes:
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.randint(0, 4)):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(4):
            case 0 if data:
                data[at % len(data)] = dice.randrange(256)
            case 1:
                data[at:at] = dice.randbytes(dice.randint(1, 8))
            case 2:
                del data[at : at + dice.randint(1, 20)]
            case _:
                other = dice.choice(seeds)
                data[at:] = other[dice.randrange(len(other)) :]
    return bytes(data)


def _engines() -> list[tuple[Echo, bool]]:
    found = []
    for key in (None, KEY):
        for asks in (False, True):
            seal = Seal(key) if key else None
            engine = Echo(Context(Identity("own"), seal=seal), Dialect.AUTO, asks=asks)
            if asks:
                engine.send(Now(0.0, 1.7e9), Command(1, START, 1e6, 1e6))
            found.append((engine, key is not None))
    return found


def _once(data: bytes, now: Now, engines: list[tuple[Echo, bool]], dice: random.Random) -> int:
    """Hand bytes to everything that takes bytes; return how many sealed deliveries there were."""
    reader, cut = ArrayReader(4096), dice.randrange(len(data) + 1)
    try:
        reader.feed(data[:cut])
        reader.feed(data[cut:])
        decode(data)
    except ProtocolError:
        pass
    delivered = 0
    for engine, sealed in engines:
        outputs = engine.receive(now, data) + engine.poll(now)
        delivered += sum(sealed and isinstance(output, Delivered) for output in outputs)
    return delivered


def run(quick: bool = False) -> list[Row]:
    """Return the row; whatever crashes does so with its bytes in the traceback."""
    dice, seeds = random.Random(1), _seeds()
    engines, count, delivered = _engines(), 0, 0
    until = time.monotonic() + (SECONDS / 20 if quick else SECONDS)
    while time.monotonic() < until:
        count += 1
        data = _damaged(dice, seeds) if dice.random() < 0.9 else dice.randbytes(dice.randint(0, 99))
        try:
            delivered += _once(data, Now(count * 1e-3, 1.7e9 + count * 1e-3), engines, dice)
        except Exception as error:
            raise RuntimeError(f"input {count}: {data!r}") from error
    return [
        Row(
            "random and damaged messages at codec, framing and engine",
            f"{count} inputs, no crash, {delivered} taken without the session's seal",
            f"{SECONDS / 20 if quick else SECONDS:.0f} s",
            "-",
            "no crash, none taken",
        )
    ]
