"""Configuration: read once, checked at once, handed down as one frozen tree."""

from rigctl.config.lab import Lab, RigEntry, find_lab_file, load_lab
from rigctl.config.rig import Rig, SourceEntry, load_rig

__all__ = ["Lab", "Rig", "RigEntry", "SourceEntry", "find_lab_file", "load_lab", "load_rig"]
