"""The call-detail record of a hosted call: what the sideband told, instead of what RTP measured."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from telephony.calls.cdr import Cdr, cdr_of
from telephony.calls.hosted_call import HostedCall


def cdr_of_hosted(call: HostedCall, now: float, wall_clock: datetime) -> Cdr:
    """Describe a call that is over; ``now`` and ``wall_clock`` are the same instant."""
    record = replace(cdr_of(call, now, wall_clock), way="hosted", hosted_call_id=call.leg.call_id)
    if call.hosted is None:
        return record
    stats, model, spend = call.hosted.bridge.stats, call.hosted.spoken_with, call.hosted.spend
    return replace(
        record,
        model=f"{model.api}/{model.model}",
        responses=stats.responses,
        turns=stats.turns,
        barge_ins=stats.barge_ins,
        cut_offs=stats.cut_offs,
        agents=tuple(call.hosted.agents),
        model_reconnects=call.hosted.link.reconnects,
        model_input_tokens=stats.input_tokens,
        model_output_tokens=stats.output_tokens,
        model_cost_usd=None if spend.unpriced else round(spend.usd, 6),
    )
