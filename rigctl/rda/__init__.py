"""BrainVision Remote Data Access: the protocol (pure), a client and a simulated server."""
