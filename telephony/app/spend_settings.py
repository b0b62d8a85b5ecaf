"""What models may cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from telephony.app.settings_types import Section
from telephony.realtime.prices import PRICES, Price

Dollars = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Spend(Section):
    """US dollars, of a call and of a day (UTC) of the process; null: no limit.

    ``prices`` are those of models by name, in the place of the known ones; transcribers and voices
    beside an agent's model are models as well.
    """

    call_usd: Dollars | None = None
    day_usd: Dollars | None = None
    prices: dict[str, Price] | None = None

    @property
    def limited(self) -> bool:
        return self.call_usd is not None or self.day_usd is not None

    def all_prices(self) -> Mapping[str, Price]:
        """Return what models cost by name, the user's own prices first."""
        return {**PRICES, **self.prices} if self.prices else PRICES
