"""Tests of `rigctl.peers`: the processes that do a rig's work."""
