"""A bad network for rehearsals: a proxy between a controller and a rig, true to a forecast."""

from rigctl.net.chaos.crossing import Counts
from rigctl.net.chaos.proxy import ChaosProxy

__all__ = ["ChaosProxy", "Counts"]
