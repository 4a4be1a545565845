"""The end of a session: proof that nothing of ours is open, and the verdict."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.errors import PolymmError, VenueError, VenueUnavailable
from core.events import Event
from core.orders.manager import OrderManager
from core.risk.budget import CANCEL_BATCH
from core.venue.gateway import Gateway

log = logging.getLogger(__name__)

VERIFY_SEC: Final = 10.0
"""Deadline of cancelling and verifying (reliability.md 4.10)."""
VERIFY_PAUSE_SEC: Final = 0.2
_ON_ITS_WAY: Final = "NOT verified: the venue lists none, but one may still be on its way"


class Outcome(msgspec.Struct, frozen=True):
    """How a session ended."""

    exit_code: int
    reason: str
    verified: bool
    """The venue was seen twice to have no open order of ours."""
    sentence: str
    """The one line for the terminal."""
    report: dict[str, Any]


async def verify_zero(
    gateway: Gateway,
    orders: OrderManager,
    tell: Callable[[Event], None],
    warn: Callable[[str], None],
) -> tuple[bool, int]:
    """Cancel every order of ours until a complete list shows none, twice in a row, and none is in doubt, or time is up.

    What somebody else has open on the account is left alone.

    Args:
        gateway: where the orders are.
        orders: ours.
        tell: takes what the venue answers.
        warn: takes what went wrong on the way, in words, the same not twice in a row.

    Returns:
        Whether zero open orders were verified, and how many may be open otherwise.
    """
    zeros, told = 0, ""
    left: int | None = None
    try:
        async with asyncio.timeout(VERIFY_SEC):
            while zeros < 2 or orders.in_doubt():
                try:
                    if zeros == 0:
                        open_ids = [order.order_id for order in orders.all_at_risk() if order.order_id]
                        for start in range(0, len(open_ids), CANCEL_BATCH):
                            for answer in await gateway.cancel(open_ids[start : start + CANCEL_BATCH]):
                                tell(answer)
                    listed = await gateway.open_orders()
                    tell(listed)
                    if not listed.complete:
                        raise VenueUnavailable(listed.problem)
                    left = sum(1 for row in listed.orders if orders.find(row.order_id) is not None)
                    zeros = zeros + 1 if left == 0 and not orders.may_land(listed.asked_s) else 0
                except Exception as error:
                    zeros = 0
                    if not isinstance(error, VenueError):
                        log.exception("cancelling_at_the_end")
                    if str(error) != told:
                        told = str(error)
                        warn(f"cancelling at the end: {told}")
                await asyncio.sleep(VERIFY_PAUSE_SEC)
    except TimeoutError:
        known = sum(1 for _ in orders.all_at_risk())
        return False, known if left is None else left + orders.in_doubt()
    return True, 0


def verdict(
    failure: BaseException | None,
    reason: str,
    *,
    killed: bool,
    verified: bool,
    open_orders: int,
    started: bool,
    trouble: str = "",
) -> tuple[int, str, str]:
    """Exit code, reason and the sentence for the terminal (design: exit codes).

    Args:
        failure: what ended it, if that was an error.
        reason: what ended it otherwise.
        killed: it ended with the kill switch pulled.
        verified: zero open orders were seen twice.
        open_orders: how many may be open otherwise.
        started: it came so far that orders were possible.
        trouble: what does not add up in our own books; "" when everything does.
    """
    code = 0
    if failure is not None:
        code = failure.exit_code if isinstance(failure, PolymmError) else PolymmError.exit_code
        reason = f"{type(failure).__name__}: {failure}"
    elif killed:
        code, reason = 10, "killed"
    elif trouble:
        code, reason = 12, f"{reason}; our own books do not add up: {trouble}"
    is_proven = verified and (started or not killed)  # orders of before the kill: nobody looked
    if not is_proven and code in (0, 10, 12):
        code = 11
    if not started:
        return code, reason, f"not started: {reason}"
    zero = "zero open orders verified"
    if not verified:
        zero = f"NOT verified, {open_orders} orders may be open" if open_orders else _ON_ITS_WAY
    return code, reason, f"stopped ({reason}): {zero}"
