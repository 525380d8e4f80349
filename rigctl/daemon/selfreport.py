"""What a rig says of itself, put together from its parts.

From: `daemon.rig` (where it stands), its streams, recorder and journal, notes of others.
To: `reports`; what is wrong with a session goes on its record, too.
"""

from rigctl.config import Rig as RigConfig
from rigctl.daemon.actions import Actions
from rigctl.daemon.health import RecorderLife, conditions, disk_conditions
from rigctl.daemon.pulse import Pulse
from rigctl.daemon.standing import Standing
from rigctl.messages import Status
from rigctl.reports import Condition, HostClock, RigReport


class SelfReport:
    """Makes the reports of one rig.

    Args:
        config: the rig's configuration.
        actions: its streams and its recording.
        pulse: knows what is wrong with the journal.
    """

    def __init__(self, config: RigConfig, actions: Actions, pulse: Pulse) -> None:
        self._config = config
        self._actions = actions
        self._pulse = pulse
        self.coming = ""
        """What the rig is coming back to; empty once it is there."""
        self.notes: list[Condition] = []
        """What else is to be told."""
        self.host_clock: HostClock | None = None
        """How the clock of its computer is kept."""

    def make(self, standing: Standing, *, armed: bool, rejected: int) -> RigReport:
        """Return the report of now.

        Args:
            standing: where the rig stands.
            armed: whether it said that a START could be carried out at once.
            rejected: how many messages its sockets have rejected.
        """
        config, session, state = self._config, self._actions.recording.session, standing.state
        path = session.path if session else standing.path
        return RigReport(
            name=config.name,
            status=state.status.name,
            exp_ref=str(state.exp_ref) if state.exp_ref else None,
            path=str(path) if path else None,
            main_sync=config.main_sync,
            armed=armed,
            conditions=self._conditions(state.status),
            streams=self._actions.stream_reports(),
            host_clock=self.host_clock,
            disk=self._actions.disk.report(),
            rejected=rejected,
        )

    def _conditions(self, status: Status) -> tuple[Condition, ...]:
        recording = self._actions.recording
        life = RecorderLife(self._config.flush_s, recording.recorder.silent_s)
        # What comes back is not recorded yet, and that is said already.
        recorded = Status.CONNECTED if self.coming else status
        disk = self._actions.disk
        found = [
            *conditions(recorded, self._actions.stream_reports(), life),
            *disk_conditions(recorded, disk.warning, disk.ended),
        ]
        # What is shown of a session goes on its record, however briefly it was the case.
        recording.see([*found, *([Condition("ENDED", "disk", disk.ended)] if disk.ended else ())])
        own = (text for text in (self.coming, self._pulse.fault) if text)
        return (*found, *(Condition("DEGRADED", "", text) for text in own), *self.notes)
