"""Recordings in the formats of other programs; never beside a recording's hot path."""
