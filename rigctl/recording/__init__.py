"""The recording on disk: its format, written, read, sealed and verified."""
