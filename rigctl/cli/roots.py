"""Where the commands look for sessions: the same places as `rigctl.open_session`.

From: `recording.places`.  To: `cli.sessions`.
"""

from rigctl.recording.places import Places, data_roots, rig_folders

__all__ = ["Places", "data_roots", "rig_folders"]
