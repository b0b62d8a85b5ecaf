"""A transcriber and a voice in this process: they know the prompts that ship, and need no model."""
