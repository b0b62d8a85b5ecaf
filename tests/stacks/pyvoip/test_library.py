from __future__ import annotations

import subprocess
import sys

from tests.support.pyvoip import require_pyvoip

require_pyvoip()


def test_pyvoip_can_be_imported_from_here_first() -> None:
    code = "from telephony.stacks.pyvoip import library; print(library.VERSION)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("1.6.")
