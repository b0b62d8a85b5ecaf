"""Speech models without I/O: one vocabulary of events, dialects, tools and history."""
