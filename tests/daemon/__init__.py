"""Tests of `rigctl.daemon`."""
