"""The Replaces header: a call that takes the place of another one (RFC 3891)."""

from __future__ import annotations

from collections.abc import Mapping

import sipmessage

from telephony.sip.dialog import Dialog
from telephony.sip.leg import Leg, LegState
from telephony.sip.message import DialogKey, list_values
from telephony.sip.screening import Refusal
from telephony.sip.values import read_parameters


def replaces_value(dialog: Dialog) -> str:
    """Return the Replaces value that names ``dialog`` to its other side (section 6.1)."""
    return f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"


def find_replaced(
    headers: sipmessage.Headers, dialogs: Mapping[DialogKey, Leg], peer: str
) -> Leg | Refusal | None:
    """Return the leg an INVITE replaces, why it can't, or None without the header (section 3).

    The dialog's identifiers are the right to replace it, except that of a trunk's call: only the
    same ``peer`` may.
    """
    values = list_values(headers, "Replaces")
    if not values:
        return None
    call_id, _, rest = values[0].partition(";")
    parameters = read_parameters(rest)
    to_tag, from_tag = parameters.get("to-tag"), parameters.get("from-tag")
    if len(values) > 1 or not (call_id.strip() and to_tag and from_tag):
        return Refusal(400)
    leg = dialogs.get((call_id.strip(), to_tag, from_tag))
    if leg is None or leg.peer != peer:
        return Refusal(481)
    if leg.state is LegState.ENDING:
        return Refusal(603)
    if leg.state is not LegState.UP:
        # Only the side that began an early dialog may be asked to give it up.
        return Refusal(481)
    return Refusal(486) if "early-only" in parameters else leg
