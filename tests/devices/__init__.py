"""Tests of `rigctl.devices`."""
