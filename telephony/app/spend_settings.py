"""What models may cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from telephony.app.settings_types import Section

Dollars = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Spend(Section):
    """US dollars, of a call and of a day (UTC) of the process; null: no limit."""

    call_usd: Dollars | None = None
    day_usd: Dollars | None = None
