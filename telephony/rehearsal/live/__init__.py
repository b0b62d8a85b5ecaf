"""A rehearsal model that speaks OpenAI Live: full duplex, on a port of this machine."""
