"""Both ends of a session: nothing open from before, proof that nothing of ours is open, and the verdict."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.errors import PolymmError, PreflightError, VenueError
from core.events import CancelAnswered
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


async def clear_leftovers(gateway: Gateway, warn: Callable[[str], None]) -> None:
    """Cancel what an earlier run, or somebody else, left open: nothing here knows those orders.

    Raises:
        PreflightError: they stay open.
        VenueError: it is not known whether anything is left.
    """
    left = await gateway.open_orders()
    if left:
        warn(f"cancelling {len(left)} orders that were open before this session")
        await gateway.cancel_all()
        if await gateway.open_orders():
            raise PreflightError("orders from before this session stay open; cancel them at the venue first")


async def verify_zero(
    gateway: Gateway,
    known: int,
    tell: Callable[[CancelAnswered], None],
    warn: Callable[[str], None],
    in_doubt: Callable[[], int],
) -> tuple[bool, int]:
    """Cancel all until no order is seen open, twice in a row, and none is in doubt, or time is up.

    Args:
        gateway: where the orders are.
        known: how many are at risk by our own books, those in doubt included; told until the venue has listed them.
        tell: takes the answers to cancels.
        warn: takes what went wrong on the way, in words, the same not twice in a row.
        in_doubt: how many orders nobody knows the venue to have or not to have.

    Returns:
        Whether zero open orders were verified, and how many may be open otherwise.
    """
    zeros, told = 0, ""
    left: int | None = None
    try:
        async with asyncio.timeout(VERIFY_SEC):
            while zeros < 2 or in_doubt():
                try:
                    if zeros == 0:
                        for answer in await gateway.cancel_all():
                            tell(answer)
                    left = len(await gateway.open_orders())
                    zeros = zeros + 1 if left == 0 else 0
                except Exception as error:
                    zeros = 0
                    if not isinstance(error, VenueError):
                        log.exception("cancelling_at_the_end")
                    if str(error) != told:
                        told = str(error)
                        warn(f"cancelling at the end: {told}")
                await asyncio.sleep(VERIFY_PAUSE_SEC)
    except TimeoutError:
        return False, known if left is None else left + in_doubt()
    return True, 0


def verdict(
    failure: BaseException | None, reason: str, *, killed: bool, verified: bool, open_orders: int, started: bool
) -> tuple[int, str, str]:
    """Exit code, reason and the sentence for the terminal (design: exit codes)."""
    code = 0
    if failure is not None:
        code = failure.exit_code if isinstance(failure, PolymmError) else PolymmError.exit_code
        reason = f"{type(failure).__name__}: {failure}"
    elif killed:
        code, reason = 10, "killed"
    if not verified and code in (0, 10):
        code = 11
    if not started:
        return code, reason, f"not started: {reason}"
    zero = "zero open orders verified"
    if not verified:
        zero = f"NOT verified, {open_orders} orders may be open" if open_orders else _ON_ITS_WAY
    return code, reason, f"stopped ({reason}): {zero}"
