"""Deadlines and pauses of the echo engine, and the round trip that they follow (pure).

From: configuration.  To: `net.plain`, `net.numbered`.
"""

from dataclasses import dataclass

BRISK = 8
"""How many attempts are made in quick succession."""


@dataclass(frozen=True, slots=True)
class Timing:
    """All times in seconds."""

    plain_retries: int = 0
    """How often a message without id is sent again; more than 0 only where the lab says so."""
    plain_spacing_s: float = 0.02
    """The pause between messages to a peer without framing (``iblutil`` on TCP)."""
    plain_answer_s: float = 1.0
    """How long an answer without id waits for its echo before the next one goes out."""
    hello_pause_s: float = 0.1
    """How long a peer without ids is left alone after a hello: it may send its own EXPINFO in
    return, and would take a command that crosses it for a false echo."""
    late_echo_s: float = 30.0
    """How long an echo may come late."""
    bounce_s: float = 1.0
    """Within what time bytes that come again may be an echo that bounces."""
    first_repeat_s: float = 0.1
    """When an unconfirmed message is sent again, before a round trip has been measured."""
    least_repeat_s: float = 0.02
    brisk_repeat_s: float = 0.25
    """What the pauses grow to while `BRISK` attempts last: a bad network is got through within an
    echo's time."""
    most_repeat_s: float = 1.0
    """What they grow to after that: nobody may be there."""
    stream_repeat_s: float = 0.5
    """When a sealed message is repeated on a stream, which loses nothing: whoever is at its other
    end may know our session no more."""
    ask_again_s: float = 1.0
    """When a confirmed command that has no answer yet is sent once more: its answer, or the rig
    that had it, may be gone; then later and later."""
    most_ask_again_s: float = 8.0
    answer_s: float = 30.0
    """How long a reply is sent again before it is given up; it stays stored for repeats."""


class RoundTrip:
    """The smoothed round trip, and when to send again (RFC 6298, sections 2 and 5)."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._mean_s: float | None = None
        self._deviation_s = 0.0
        self._backed_off_s = 0.0

    def add(self, round_trip_s: float) -> None:
        """Take one measured round trip; never of a message that was sent twice (Karn's rule)."""
        self._backed_off_s = 0.0
        if self._mean_s is None:
            self._mean_s, self._deviation_s = round_trip_s, round_trip_s / 2
            return
        error = round_trip_s - self._mean_s
        self._deviation_s += (abs(error) - self._deviation_s) / 4
        self._mean_s += error / 8

    def missed(self, attempts: int) -> None:
        """An echo came after repeats, so it measures nothing: be as patient next time at once."""
        self._backed_off_s = self.repeat_after_s(attempts)

    def repeat_after_s(self, attempts: int) -> float:
        """Return how long to wait for the echo after the given number of attempts."""
        timing = self._timing
        first = timing.first_repeat_s
        if self._mean_s is not None:
            first = max(self._mean_s + 4 * self._deviation_s, timing.least_repeat_s)
        first = max(first, self._backed_off_s)
        most_s = timing.brisk_repeat_s if attempts <= BRISK else timing.most_repeat_s
        return min(first * 2.0 ** min(attempts - 1, 20), max(most_s, first))
