"""An amplifier in a script or a notebook, under the names of the client that labs already use.

From: `intake`, a thread that receives; `listener`.  To: scripts, notebooks.

    client = Client(buffer_size=300_000)           # waits for what it needs, in any program
    client.connect(("10.0.0.7", 51244))
    client.start_streaming()
    newest = client.poll(1000)                     # the newest 1000 samples, when more have come
    client.stop_streaming()
    client.disconnect()

    with Client(address=("10.0.0.7", 51244)) as client:                # the same, shorter
        newest = client.poll(1000)

    async with Client(address=("10.0.0.7", 51244)) as client:          # in an event loop
        async for item in client:                                      # see `rigctl.blocks`
            ...

Samples are kept from `connect` on, and counted from 0, across every STOP, START and loss of the
connection; none are kept between `stop_streaming` and the next `start_streaming`. `breaks` tells
where what follows is not continuous. When the amplifier's program starts with another layout
(channels, rate, resolutions), they are counted from 0 again. Samples are as the amplifier sent
them: sample x ``start_msg.dResolutions`` is in µV.
"""

import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from rigctl.blocks import Samples, StreamInfo
from rigctl.errors import NoServer, NotYet, Overrun, StreamError
from rigctl.rda.intake import Intake
from rigctl.rda.listener import Address, Listener, StartMessage

_TIMELOG = Path("streamer_timelog.npy")
_DEFAULT_DTYPE = "float32"
_MARGIN_S = 1.0


class Client(Listener):
    """Receives in the background what an amplifier's program sends, and keeps the newest of it.

    Args:
        buffer_size: how many samples are kept at least.
        buffer_window: without effect: any window is returned whole.
        address: where to connect within ``with`` and ``async with``.
        stall_s: silence while samples are expected, after which it connects anew.
    """

    def __init__(
        self,
        buffer_size: int = 300_000,
        buffer_window: int = 1,
        *,
        address: Address | None = None,
        stall_s: float = 5.0,
    ) -> None:
        if buffer_size < 1:
            raise ValueError(f"a buffer of {buffer_size} samples holds nothing; take 1 at least")
        super().__init__(address, stall_s)
        self.buffer_size = buffer_size
        self.buffer_window = buffer_window
        self._streams = False
        self._intake: Intake | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def connect(self, address: Address) -> None:
        """Connect; from then on every loss of the connection is made good in the background.

        Raises:
            NoServer: nothing answers there.
            DeviceError: the host's name can never be one.
            StreamError: it is connected already.
        """
        if self._finalizer is not None and self._finalizer.alive:
            raise StreamError("the client is connected already: call disconnect first")
        settings = self._settings(address)
        intake = self._intake = Intake(settings, self.buffer_size)
        # Also when the client is forgotten, or the program ends, nothing is left behind.
        self._finalizer = weakref.finalize(self, intake.stop)
        intake.start()
        try:
            intake.await_change(lambda: intake.is_decided, settings.connect_s + _MARGIN_S)
            if not intake.is_connected:
                raise NoServer(intake.status)
        except BaseException:
            self.disconnect()
            raise

    def start_streaming(self, timeout: float = 10) -> None:
        """Have samples kept, and wait for the first.

        Args:
            timeout: how many seconds to wait at most for START and the samples behind it, which
                come only while the amplifier's program monitors or records.

        Raises:
            StreamError: none came in time, it streams already, or it is not connected.
        """
        intake = self._connected()
        if self._streams:
            raise StreamError("already streaming")
        intake.keep(True)
        if not self._await(lambda: bool(intake.times), timeout):
            before = f" (before: {intake.trouble})" if intake.trouble else ""
            raise StreamError(f"no samples within {timeout} s: {intake.status}{before}")
        self._streams = True

    def stop_streaming(self, write_timelog: bool = False) -> None:
        """Cease to keep samples; those that were kept can still be read.

        Args:
            write_timelog: save when each block arrived, the newest 100 000 of them, in seconds of
                the wall clock, as ``streamer_timelog.npy`` in the current folder.

        Raises:
            StreamError: it does not stream.
        """
        intake = self._streaming("already stopped")
        intake.keep(False)
        self._streams = False
        if write_timelog:
            np.save(_TIMELOG, np.array(intake.times))

    def disconnect(self) -> None:
        """Stop and disconnect; samples that were kept can still be read until it connects anew."""
        if self._intake is not None and self._finalizer is not None:
            self._streams = False
            self._finalizer()

    @property
    def is_streaming(self) -> bool:
        """Whether it was told to stream and can; whether samples come, `is_flowing` tells."""
        intake = self._intake
        return self._streams and intake is not None and intake.failure is None

    @property
    def is_flowing(self) -> bool:
        """Whether samples come at present."""
        return self._intake is not None and self._intake.is_flowing

    @property
    def status(self) -> str:
        """What the connection is about, for people."""
        if self._intake is None:
            return "not connected"
        return "samples come" if self._intake.is_flowing else self._intake.status

    @property
    def start_msg(self) -> StartMessage | None:
        """What the amplifier's program said about its samples; None before the first."""
        return StartMessage.of(self._layout) if self._layout else None

    @property
    def data_dtype(self) -> str:
        """The type of the samples: float32, or int16 from the other port."""
        return self._layout.dtype if self._layout else _DEFAULT_DTYPE

    @property
    def last_sample(self) -> int:
        """How many samples were received: the index after the newest."""
        reader = self._intake.reader if self._intake else None
        return reader.head if reader else 0

    @property
    def first_sample(self) -> int:
        """The index of the oldest sample that is still kept."""
        reader = self._intake.reader if self._intake else None
        return reader.tail if reader else 0

    @property
    def breaks(self) -> list[int]:
        """The samples that do not follow on the one before.

        Before them samples were lost or, while it did not stream, left out; or a run begins.
        """
        return list(self._intake.breaks) if self._intake else []

    @property
    def ring(self) -> str | None:
        """The name under which other processes attach, see `rigctl.streams`; None before one is."""
        reader = self._intake.reader if self._intake else None
        return reader.name if reader else None

    def get_data(self, sampleStart: int, sampleEnd: int) -> Samples | None:  # noqa: N803
        """Return samples [start, end), shape (samples, channels): a copy that nobody changes.

        None if some are not there yet, or not any more: those before `first_sample` have been
        overwritten.

        Raises:
            ValueError: the end lies before the start.
        """
        if sampleEnd < sampleStart:
            raise ValueError(f"[{sampleStart}, {sampleEnd}) is no range of samples")
        reader = self._intake.reader if self._intake else None
        if reader is None or sampleStart < 0:
            return None
        try:
            return reader.read(sampleStart, sampleEnd)
        except (NotYet, Overrun):
            return None

    def wait(
        self,
        sampleStart: int,  # noqa: N803
        sampleEnd: int,  # noqa: N803
        timeout: float = 1,
        sleep: float = 0.0,
    ) -> Samples | None:
        """Return samples [start, end) as soon as they are there.

        None if they are not in time, or if some are overwritten.

        Args:
            sampleStart: the first.
            sampleEnd: the one after the last.
            timeout: how many seconds to wait at most.
            sleep: without effect: the wait ends with the sample.

        Raises:
            StreamError: it does not stream, or never will again.
            ValueError: the end lies before the start.
        """
        self._streaming("nothing to wait for, start streaming first")
        self._await(
            lambda: self.last_sample >= sampleEnd or self.first_sample > sampleStart, timeout
        )
        return self.get_data(sampleStart, sampleEnd)

    def poll(self, nSamples: int, timeout: float = 10, sleep: float = 0.0) -> Samples | None:  # noqa: N803
        """Return the newest samples, once more have come than there were.

        None if none came in time, or if there are not so many.

        Args:
            nSamples: how many.
            timeout: how many seconds to wait at most.
            sleep: without effect: the wait ends with the sample.

        Raises:
            StreamError: it does not stream, or never will again.
        """
        self._streaming("nothing to wait for, start streaming first")
        ring, last = self.ring, self.last_sample
        if not self._await(lambda: (self.ring, self.last_sample) != (ring, last), timeout):
            return None
        last = self.last_sample
        return self.get_data(last - nSamples, last)

    def __enter__(self) -> Self:
        self.connect(self._own_address())
        try:
            self.start_streaming()
        except BaseException:
            self.disconnect()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disconnect()

    @property
    def _layout(self) -> StreamInfo | None:
        return self._intake.layout if self._intake else None

    def _connected(self) -> Intake:
        if self._intake is None or self._finalizer is None or not self._finalizer.alive:
            raise StreamError("not connected: call connect first")
        return self._intake

    def _streaming(self, otherwise: str) -> Intake:
        if self._intake is None or not self._streams:
            raise StreamError(otherwise)
        return self._intake

    def _await(self, ready: Callable[[], bool], timeout_s: float) -> bool:
        assert self._intake is not None
        return self._intake.await_change(ready, timeout_s)
