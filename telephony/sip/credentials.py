"""Who we are to a peer that challenges us."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """For digest authentication; ``realm`` "" answers a challenge of any realm.

    The password is kept out of ``repr``.
    """

    username: str
    password: str = field(repr=False)
    realm: str = ""
