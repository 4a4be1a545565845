"""May a market be quoted: one predicate, asked when a decision is taken and again before each order leaves.

Its first clause that forbids is what the console shows (reliability.md 4.8). Cancels ask nobody.
"""

from typing import Final, Literal, NamedTuple

import msgspec

from core.market.signals import MicroStatus
from core.risk.control import Control, Source, allows_orders

Effect = Literal["pull", "hold", "no_new"]
"""What becomes of the orders that rest: cancelled; left alone for as long as their leases last; decided about as
always, only that nothing is placed."""


_OF_RULES: Final[frozenset[Source]] = frozenset(
    {"loss", "drawdown", "repeat", "markout", "streak", "rejects", "selection"}
)
"""Sources of control states that are codes of their own."""


class Clause(NamedTuple):
    """What forbids quoting a market."""

    code: str
    """Stable name."""
    words: str
    effect: Effect = "pull"


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the permission to quote one market depends on. Texts are reasons in words, "" when there is none."""

    stopping: bool
    control: Control
    """The strictest of the market as a whole."""
    account_known: bool
    user_feed_up: bool
    resolved: bool
    data_trouble: str
    """Why the book is not to be believed; "" when it is proven and fresh."""
    micro: MicroStatus | None
    """None before the first book."""
    data_age_s: float
    stale_s: float
    unknown_age_s: float
    """Age of the oldest order of unknown outcome in the market; 0 without one."""
    recovering: str = ""
    """What of an earlier session is not settled yet."""
    venue: str = ""
    """Why the venue itself is not quoted at."""
    quarantine: str = ""
    """Why nothing is to be done in this market."""
    unsettled_s: float = 0.0
    """Age of the oldest trade of the market that is not final; 0 without one."""
    stance: str = ""
    """Why regime, schedule or calendar want no quotes."""
    watchdog: str = ""
    """Why nobody stands guard over this session."""
    clock: str = ""
    """Why our clock forbids new orders."""
    journal: str = ""
    """Why the journal forbids new orders."""
    lag: str = ""
    """Why the book has to be proven anew after the loop stood still."""
    flattening: bool = False
    """The position is being worked off, which a pause and the want of a fair value do not hinder."""


UNKNOWN_LIMIT_SEC: Final = 30.0
"""An unknown order older than this closes its market (reliability.md 2.0)."""
UNSETTLED_LIMIT_SEC: Final = 1800.0
"""A trade that is not final by then closes its market (reliability.md 2.2, X08)."""

_MICRO_WORDS: Final = {
    "one_sided": "no fair value: a side of the book is empty",
    "crossed": "no fair value: the book is crossed",
    "wide": "no fair value: the spread is too wide",
}


def clause_of(facts: Facts) -> Clause | None:
    """The first clause that forbids quoting a market; None when it may be quoted.

    What pulls comes first, what only holds new orders back comes last, so that it hides nothing that matters more.
    """
    return _of_session(facts) or _of_market(facts) or _of_new_orders(facts)


def code_of(control: Control) -> str:
    """The code of what a control state forbids: its source where that is a rule's, else ``control``."""
    return control.source if control.source in _OF_RULES else "control"


def why_not_quote(facts: Facts) -> str:
    """The same in words; "" when the market may be quoted."""
    clause = clause_of(facts)
    return "" if clause is None else clause.words


def _of_session(facts: Facts) -> Clause | None:
    if facts.stopping:
        return Clause("stopping", "stopping")
    state = facts.control.state
    if not allows_orders(state) and not (facts.flattening and state == "PAUSED"):
        return Clause(code_of(facts.control), facts.control.words)
    if facts.watchdog:
        return Clause("watchdog", facts.watchdog)
    if facts.resolved:
        return Clause("resolved", "resolved")
    if not facts.user_feed_up:
        return Clause("user_feed", "user feed is down")
    if facts.venue:
        return Clause("venue", facts.venue)
    if facts.quarantine:
        return Clause("quarantine", facts.quarantine)
    if not facts.account_known:
        return Clause("account", facts.recovering or "account is not known yet")
    return None


def _of_market(facts: Facts) -> Clause | None:
    if facts.data_trouble:
        return Clause("data", facts.data_trouble)
    if facts.data_age_s > facts.stale_s:
        return Clause("stale", f"feed silent for {facts.data_age_s:.0f} s")
    if facts.micro != "ok" and not facts.flattening:
        return Clause("fair_value", _MICRO_WORDS.get(facts.micro or "", "no fair value yet"))
    if facts.stance and not facts.flattening:
        return Clause("stance", facts.stance)
    if facts.unknown_age_s > UNKNOWN_LIMIT_SEC:
        return Clause("unknown_order", f"an order's outcome is unknown for {facts.unknown_age_s:.0f} s")
    if facts.unsettled_s > UNSETTLED_LIMIT_SEC:
        return Clause("unsettled", f"a trade is not final after {facts.unsettled_s / 60:.0f} minutes")
    return None


def _of_new_orders(facts: Facts) -> Clause | None:
    if facts.lag:
        return Clause("lag", facts.lag, "hold")
    if facts.recovering:
        return Clause("recovering", facts.recovering)
    if facts.clock:
        return Clause("clock", facts.clock, "no_new")
    if facts.journal:
        return Clause("journal", facts.journal, "no_new")
    return None
