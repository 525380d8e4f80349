"""Tests of `rigctl.config`."""
