"""rigctl: run one experiment on several computers."""

__version__ = "0.1.0"
