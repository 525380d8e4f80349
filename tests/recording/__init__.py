"""Tests of the recording on disk."""
