"""What the venue has to say before anything is traded: its clock, its version, whom it is closed to. Pure: answers in.

Sources: polymarket-api.md 1 (geoblock), 4.1 (time, version), 4.3 (closed-only), 10.3 (modes); reliability.md 0, 5 (37).
"""

from typing import Final

from core.preflight.check import Check, fail, ok, warn
from core.preflight.reach import Reached, trouble
from core.risk.vitals import SKEW_NO_NEW_SEC, SKEW_WARN_SEC, skew_words

VERSION: Final = 2
"""Of orders that this program signs: Protocol V3 positions are signed for version 2 of the API as well."""
SLOW_SEC: Final = 1.0
"""An answer that took longer says too little of a clock."""
_MOST_PLACE: Final = 60
_NO_SUCH_ORDER: Final = ("order not found", "order can't be found")
"""Words of the venue, in lower case (polymarket-api.md 4.2, 10.4)."""


def clock(reached: Reached, setting: str) -> Check:
    """How far our clock is off (reliability.md 2.4): bounds are those at which a session warns and stops quoting.

    Args:
        reached: answer to GET /time: whole seconds, so it is known to half a second and half the way.
        setting: in which the address stands.
    """
    cause, step = trouble(reached, setting)
    if cause:
        return fail("clock", cause, step)
    seconds = reached.json
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return fail("clock", f"{reached.place} tells no time", f"check {setting}")
    if reached.seconds > SLOW_SEC:
        cause = f"the venue took {reached.seconds:.1f} s to tell its time, which says too little of ours"
        return warn("clock", cause, "see that the machine keeps time by NTP, and again")
    skew_s = reached.asked_unix + reached.seconds / 2 - (seconds + 0.5)
    sure_s = 0.5 + reached.seconds / 2
    words = f"our clock is {skew_words(skew_s)}, give or take {sure_s:.1f} s"
    step = "set it, and let it be kept by NTP"
    if abs(skew_s) - sure_s > SKEW_NO_NEW_SEC:
        return fail("clock", f"{words}; beyond {SKEW_NO_NEW_SEC:g} s nothing is quoted", step)
    if abs(skew_s) - sure_s > SKEW_WARN_SEC:
        return warn("clock", words, step)
    return ok("clock", words)


def version(reached: Reached, setting: str, *, is_trading: bool) -> Check:
    """Whether the venue takes the orders that we sign (reliability.md 0): it refuses all of another version.

    Args:
        reached: answer to GET /version.
        setting: in which the address stands.
        is_trading: orders are sent there.
    """
    cause, step = trouble(reached, setting)
    told = reached.json
    number = told.get("version") if isinstance(told, dict) else None
    if not cause and not isinstance(number, int):
        cause, step = f"{reached.place} tells no version of its orders", f"check {setting}"
    if not cause and number != VERSION:
        cause = f"the venue takes orders of version {number}, and this program signs version {VERSION}"
        step = "update the program; until then every order would be refused"
    if cause:
        return fail("version", cause, step) if is_trading else warn("version", cause, step)
    return ok("version", f"the venue takes orders of version {VERSION}")


def geoblock(reached: Reached, *, is_trading: bool) -> Check:
    """Whether the venue is closed to where we are (reliability.md 5, 37). There is no way around it here."""
    told = reached.json
    blocked = told.get("blocked") if isinstance(told, dict) else None
    if trouble(reached, "geoblock_url")[0] or not isinstance(told, dict) or not isinstance(blocked, bool):
        cause, step = trouble(reached, "geoblock_url")
        cause = cause or f"{reached.place} does not say whether the venue is closed to us"
        return warn("geoblock", cause, step or "check geoblock_url; the first order will tell")
    where = ", ".join(str(told[name])[:_MOST_PLACE] for name in ("country", "region") if told.get(name))
    if not blocked:
        return ok("geoblock", f"open from {where or 'here'}")
    cause = f"the venue takes no orders from {where or 'here'}"
    step = "trade from where it is allowed; this program has no way around it"
    return fail("geoblock", cause, step) if is_trading else warn("geoblock", cause, step)


def deployed(reached: Reached) -> bool | None:
    """Whether a wallet exists, by an answer of the relayer's GET /deployed; None when that does not say."""
    told = reached.json
    flag = told.get("deployed") if reached.is_good and isinstance(told, dict) else None
    return flag if isinstance(flag, bool) else None


def node(reached: Reached, chain_id: int) -> Check:
    """Whether the node is one of the venue's chain; without it nothing is merged, split or redeemed.

    Args:
        reached: answer to ``eth_chainId``.
        chain_id: of Polygon.
    """
    cause, step = trouble(reached, "POLYGON_RPC_URL")
    told = reached.json
    result = told.get("result") if isinstance(told, dict) else None
    try:
        number = int(result, 16) if isinstance(result, str) else None
    except ValueError:
        number = None
    if not cause and number is None:
        cause, step = f"{reached.place} tells no chain", "check POLYGON_RPC_URL: it has to be a node of Polygon"
    if cause:
        return warn("rpc", f"{cause}; nothing is merged, split or redeemed without", step)
    if number != chain_id:
        cause = f"{reached.place} is a node of chain {number}, and Polygon is {chain_id}"
        return fail("rpc", cause, "set POLYGON_RPC_URL to a node of Polygon")
    return ok("rpc", f"{reached.place} answers in {reached.seconds * 1000:.0f} ms, chain {chain_id}")


def closed_only(reached: Reached) -> Check:
    """Whether the account may open anything (polymarket-api.md 4.3, 10.3)."""
    cause, step = trouble(reached, "clob_url")
    told = reached.json
    flag = told.get("closed_only") if isinstance(told, dict) else None
    if cause:
        return fail("closed-only", cause, step)
    if not isinstance(flag, bool):
        return warn("closed-only", f"{reached.place} does not say whether the account may only close", "see its page")
    if flag:
        cause = "the venue lets this account only close positions: every order that opens one is refused"
        return fail("closed-only", cause, "ask the venue's support why; only closing by hand is possible until then")
    return ok("closed-only", "the account may open positions")


def cancels(reached: Reached, order_id: str) -> Check:
    """Whether a cancel comes through: one of an order that nobody has (reliability.md 4.10, the kill path's dry call).

    Args:
        reached: answer to DELETE /orders.
        order_id: the one that was named, which is no order's.
    """
    told = reached.json
    if reached.is_good and isinstance(told, dict) and order_id in (told.get("not_canceled") or {}):
        return ok("cancels", f"a cancel comes through in {reached.seconds * 1000:.0f} ms")
    if reached.kind == "answer" and reached.status in (400, 404) and reached.reason:
        if any(words in reached.reason.lower() for words in _NO_SUCH_ORDER):
            return ok("cancels", f"a cancel comes through; the venue knows no such order ({reached.reason})")
        cause = f"the venue does not take the cancel of an order that nobody has: {reached.reason}"
        return warn(
            "cancels", cause, "place and cancel one order by hand first: nothing proves yet that a cancel works"
        )
    if reached.kind == "answer" and reached.status == 503 and reached.reason:
        cause = f"the venue takes no cancels: {reached.reason}"
        return fail("cancels", cause, "wait: nothing that is placed could be taken back; status.polymarket.com tells")
    cause, step = trouble(reached, "clob_url")
    return fail("cancels", cause or "the answer to a cancel cannot be read", step or "check clob_url")
