"""Realtime models that cost next to nothing: just enough of a wire for the bot to hold a call."""
