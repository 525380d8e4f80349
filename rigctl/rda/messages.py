"""What an RDA server says, one frozen value per message (pure).

From: `decode`, or a server that makes them.  To: `assembly`, or `encode`.

What a message has wrong with it without being useless is told in its `faults`, for people to read.
"""

from dataclasses import dataclass
from enum import IntEnum

from rigctl.blocks import Marker, Samples


class MessageType(IntEnum):
    """The number in a message's header."""

    START = 1
    DATA16 = 2
    STOP = 3
    DATA32 = 4
    NEW_STATE = 5
    IMPEDANCE_START = 6
    IMPEDANCE_DATA = 7
    IMPEDANCE_STOP = 8
    INFO = 9
    KEEP_ALIVE = 10_000


class State(IntEnum):
    """What the amplifier's program is doing; other numbers occur."""

    IDLE = 0
    MONITORING = 1
    CALIBRATION = 2
    IMPEDANCE = 3
    RECORDING = 4
    RECORDING_CALIBRATION = 5
    PAUSED = 6
    CALIBRATION_PAUSED = 7
    IMPEDANCE_PAUSED = 8


@dataclass(frozen=True, slots=True)
class Start:
    """The layout of the data that follow."""

    interval_us: float
    """Between two points, in microseconds; checked to be usable when it was decoded."""
    resolutions: tuple[float, ...]
    """Physical value of one unit, per channel; never 0 or NaN when it was decoded."""
    names: tuple[str, ...]
    """One per channel, not empty and unique when it was decoded."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """One block of samples with its markers; int16 is type 2, float32 type 4."""

    block: int
    """The server's 32-bit block number."""
    samples: Samples
    """Shape (points, channels), as they came; a view of the bytes that were parsed."""
    markers: tuple[Marker, ...] = ()
    """Positions as they came: they may lie outside the block."""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DataRow:
    """Data messages in a row, equal in size and type, without markers, numbered one by one."""

    block: int
    """The server's 32-bit number of the first block."""
    samples: Samples
    """Shape (blocks, points, channels), as they came; a strided view of the bytes."""


@dataclass(frozen=True, slots=True)
class StrayData:
    """Data that no START explains, so that nobody knows how many channels there are."""

    block: int
    points: int


@dataclass(frozen=True, slots=True)
class Stop:
    """No data until the next START."""


@dataclass(frozen=True, slots=True)
class NewState:
    """What the amplifier's program does from now on."""

    state: int

    @property
    def label(self) -> str:
        """The state's name, or its number where it has none."""
        known = self.state in State._value2member_map_
        return State(self.state).name.lower().replace("_", " ") if known else str(self.state)


@dataclass(frozen=True, slots=True)
class ImpedanceStart:
    """An impedance measurement begins."""


@dataclass(frozen=True, slots=True)
class Electrode:
    """The impedance of one electrode."""

    name: str
    kohm: int
    """-1 when there is no valid value."""
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class ImpedanceData:
    """Impedances as measured at one time."""

    electrodes: tuple[Electrode, ...]


@dataclass(frozen=True, slots=True)
class ImpedanceStop:
    """The impedance measurement ends."""


@dataclass(frozen=True, slots=True)
class Info:
    """What START leaves out; may come before it, or never."""

    recorder_version: float
    interval_us: float
    resolutions: tuple[float, ...]
    names: tuple[str, ...]
    units: tuple[str, ...]
    """One per channel; empty where the message ended early."""


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The server lives, and has nothing to say."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a type that nobody has described; passed over by its size."""

    type: int
    size: int
    """In bytes, header included."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that is whole but says something that cannot be used."""

    type: MessageType
    reason: str


Message = (
    Start
    | Data
    | DataRow
    | StrayData
    | Stop
    | NewState
    | ImpedanceStart
    | ImpedanceData
    | ImpedanceStop
    | Info
    | KeepAlive
    | Unknown
    | Rejected
)
