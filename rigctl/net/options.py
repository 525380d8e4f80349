"""How a communicator speaks.

From: configuration, callers.  To: `net.communicator`.
"""

import ssl
from dataclasses import dataclass, field

from rigctl.net.codec import MAX_MESSAGE_BYTES
from rigctl.net.echo import Dialect
from rigctl.net.timing import Timing


@dataclass(frozen=True, slots=True)
class Options:
    """How a communicator speaks."""

    dialect: Dialect = Dialect.AUTO
    timing: Timing = field(default_factory=Timing)
    echo_timeout_s: float = 1.0
    """How long a message's echo is waited for."""
    reply_timeout_s: float = 10.0
    """How long a command's reply is waited for, after its echo."""
    key: bytes | None = field(default=None, repr=False)
    """What both ends share; with it nothing unauthenticated is sent or taken."""
    max_bytes: int = MAX_MESSAGE_BYTES
    """The largest message that is sent or taken."""
    tls: ssl.SSLContext | None = None
    """For ``tls://``, made by `net.secure`; without it a client trusts whom the system trusts."""

    def __post_init__(self) -> None:
        if self.key and self.dialect is Dialect.IBLUTIL:
            raise ValueError("the iblutil dialect knows no keys: leave the key out or the dialect")
