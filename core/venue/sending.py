"""What sending a transaction comes to, whoever sends it."""

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from core.jobs.job import Baseline

Leaving = Callable[[Baseline, str], Awaitable[None]]
"""Called once, before the first byte of a transaction leaves, with its baseline and its hash ("" where the relayer
makes it); returns when both are on the disk."""


class Sent(msgspec.Struct, frozen=True):
    """What came of sending."""

    state: Literal["sent", "refused", "unknown"]
    transaction_id: str = ""
    """The relayer's name for it; "" with own gas."""
    transaction: str = ""
    """Hash, as far as it is known."""
    retry_s: float | None = None
    """Of a refusal for quota: when the next may be taken."""
    detail: str = ""
