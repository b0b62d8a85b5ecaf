from __future__ import annotations

import pytest

from telephony.base.ids import Ids
from telephony.sip.config import UserAgentConfig
from tests.support.pyvoip import require_pyvoip

require_pyvoip()

from telephony.stacks.pyvoip.core import Core  # noqa: E402


def test_what_pyvoip_raises_is_counted_by_its_name() -> None:
    core = Core(UserAgentConfig(), Ids.seeded(1))
    assert core.enter(lambda: 7) == 7
    assert core.enter(lambda: {}["x"]) is None
    assert core.enter(lambda: [][0]) is None
    assert core.enter(lambda: [][0]) is None
    assert core.pyvoip_stats.faults == {"KeyError": 1, "IndexError": 2}


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_is_no_fault_of_pyvoip(ending: type[BaseException]) -> None:
    core = Core(UserAgentConfig(), Ids.seeded(1))

    def end() -> None:
        raise ending

    with pytest.raises(ending):
        core.enter(end)
    assert core.find_leg("nobody") is None
    assert core.stats.commands_too_late == 1
