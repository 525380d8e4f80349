"""Processes that do a rig's work: sources (device to ring) and the recorder (ring to disk).

Each is started by `peers.process`, told by orders on its standard input and tells by reports on
its standard output, both in `peers.orders`; it ends by itself when its daemon is gone.
"""
