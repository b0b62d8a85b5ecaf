from __future__ import annotations

import os

from hypothesis import settings

# Shared machines pause a test at any place: an example that took long says nothing. In CI the
# same examples run every time; elsewhere new ones are looked for.
settings.register_profile("telephony", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("telephony")
