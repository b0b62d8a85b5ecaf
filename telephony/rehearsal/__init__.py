"""The far ends we own: a realtime model, a caller, and the scenarios they play."""
