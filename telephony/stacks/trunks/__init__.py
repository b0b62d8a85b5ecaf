"""Trunks at run time: who calls, whom we reach, and how they are doing."""
