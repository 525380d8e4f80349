"""Tests of `rigctl.rda`."""
