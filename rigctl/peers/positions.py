"""Where the instants of a session's window fall among the samples of one stream.

From: `peers.tape`, the index of what is recorded.  To: the recorder's reports, ``session.json``.
"""

from rigctl.peers.window import arrivals_in
from rigctl.recording.stream_writer import StreamWriter
from rigctl.streams.instants import locate


class Positions:
    """The positions of start and stop by folder, in samples and fractions, as far as known."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[float | None, float | None]] = {}
        self._start: float | None = None
        self._start_s: float | None = None

    def start_at(self, position: float) -> None:
        """The recording, and a window without pre-roll, begins there: in samples from the first."""
        if self._start_s is None:
            self._start = position

    def seek_start(self, instant_s: float) -> None:
        """The window begins with an instant that is to be found behind its pre-roll."""
        self._start_s = instant_s

    def open(self, writer: StreamWriter) -> None:
        """The first folder of the session was made."""
        if self._start is not None:
            self.known[writer.folder.name] = (self._start, None)

    def look(self, writer: StreamWriter, arrival_s: float, *, is_first: bool) -> None:
        """Look for the start once samples of that time are recorded.

        Args:
            writer: of the folder that they were written to.
            arrival_s: when the last of them arrived.
            is_first: whether nothing was recorded before that folder.
        """
        if self._start_s is None or arrival_s < self._start_s:
            return
        arrivals = arrivals_in(writer.records, self._start_s)
        position = locate(arrivals, writer.info.rate_hz, self._start_s)
        if position is not None:
            self._start_s = None
            if is_first or position >= 0:
                self.known[writer.folder.name] = (position, None)

    def stop_at(self, writer: StreamWriter, position: float) -> None:
        """The window ends there, in samples of the folder."""
        start, _ = self.known.get(writer.folder.name, (None, None))
        self.known[writer.folder.name] = (start, position)
