"""Measurements against a peer or a limit of the same run, as ratios; `scripts/bench` runs them."""
