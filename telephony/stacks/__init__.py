"""Signalling stacks behind one interface; the native one is ours."""
