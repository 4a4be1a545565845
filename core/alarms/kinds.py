"""Every kind of alarm: how urgent it is, how long it has to hold and to be over, what follows and what to do first.

A kind is worth having only if somebody can do something about it; what merely happens belongs into the event log
(peers.md 5.7). docs/alarms.md shows the same table, and a test holds the two together.
"""

from typing import Final, NamedTuple

from core.account.reconciliation import UNSETTLED_ALARM_SEC
from core.risk.heartbeat import NO_NEW_SEC
from core.risk.permission import UNKNOWN_LIMIT_SEC
from core.risk.vitals import JOURNAL_NO_NEW_SEC, LAG_NO_NEW_SEC, SKEW_NO_NEW_SEC, SKEW_WARN_SEC
from core.views import AlarmPriority

SKEW_FINE_SEC: Final = 0.8
"""A clock that was off is well again below this."""
BUDGET_LOW: Final = 0.2
BUDGET_FINE: Final = 0.3
"""Parts of a bucket that are left: an alarm begins below the one, and ends above the other."""
CAP_NEAR: Final = 0.9
CAP_FINE: Final = 0.85
"""Parts of a cap that are used: an alarm begins at the one, and ends below the other."""
FRESH_SEC: Final = 30.0
"""What came last within this still goes on: refusals, denials."""
FINDING_SEC: Final = 300.0
"""A finding is a moment; its alarm stands for so long, and until somebody has acknowledged it."""
JOB_FAILED_SEC: Final = 900.0
"""The same of an operation that came to nothing, after it was begun."""
NO_BOOK_SEC: Final = 30.0
"""A first book that has not come by then."""
MARKOUT_FILLS: Final = 20
"""Fewer fills say nothing."""
MARKOUT_ERRORS: Final = 2.0
"""Standard errors by which a mean must be below zero."""
MARKOUT_HORIZON: Final = (30, 2)
"""Seconds, and its place in :attr:`core.views.FillView.markouts`."""


class Kind(NamedTuple):
    """One kind of alarm."""

    code: str
    priority: AlarmPriority
    condition: str
    """When there is one, in words."""
    on_s: float
    """How long the condition has to hold before it is raised."""
    off_s: float
    """How long it has to be over before the alarm is."""
    consequence: str
    """What happens while nobody acts."""
    action: str
    """What to do first."""
    pane: str
    """Where to look: the name of a pane of the console."""
    is_told: bool = False
    """The event log has a line of it anyway."""


KINDS: Final[tuple[Kind, ...]] = (
    # 1: act now
    Kind(
        "killed", 1, "the kill switch is pulled", 0, 0,
        "nothing is placed until somebody re-arms", "read who pulled it and why, then re-arm from the palette", "risk",
        is_told=True,
    ),
    Kind(
        "kill_unproven", 1, "the kill switch is pulled, and zero open orders are not proven", 3, 0,
        "orders may still rest and fill", "look at the venue's own page, cancel there what is left", "risk",
    ),
    Kind(
        "unknown_order", 1, f"nobody has known of an order for {UNKNOWN_LIMIT_SEC:g} s whether the venue has it", 0, 5,
        "it may rest or have filled; its market is closed", "cancel the market: that cancels it at the venue too",
        "orders", is_told=True,
    ),
    Kind(
        "heartbeat", 1, f"heartbeats fail or are withheld, or none was acknowledged for {NO_NEW_SEC:g} s", 4, 5,
        "nothing new is placed, and the venue cancels everything by itself",
        "read what holds it back; check the network", "findings", is_told=True,
    ),
    Kind(
        "no_watchdog", 1, "the watchdog does not stand guard", 3, 2,
        "nothing is quoted; a session that hangs would be stopped by nobody", "read why; stop if it does not come back",
        "risk", is_told=True,
    ),
    Kind(
        "books", 1, "our own books do not add up", 0, 5,
        "only reducing orders leave; profit and limits are not to be trusted", "stop, and keep the database",
        "account", is_told=True,
    ),
    Kind(
        "loss_stop", 1, "the daily loss limit is reached", 0, 0,
        "orders only reduce until the next day and a re-arm", "find out where it was lost before you re-arm", "money",
        is_told=True,
    ),
    Kind(
        "drawdown_stop", 1, "the drawdown limit is reached", 0, 0,
        "orders only reduce until a re-arm", "find out where it was lost before you re-arm", "money", is_told=True,
    ),
    Kind(
        "journal", 1, f"what is to be written has been waiting for the disk for {JOURNAL_NO_NEW_SEC:g} s", 0, 10,
        "nothing new is placed; after 5 s everything is killed", "look at the disk: full, slow or gone", "risk",
        is_told=True,
    ),
    Kind(
        "loop_lag", 1, f"the session stood still for {LAG_NO_NEW_SEC:g} s or longer", 0, 30,
        "quotes were old meanwhile; every book is proven anew", "look for what takes the processor from it", "risk",
        is_told=True,
    ),
    Kind(
        "clock_off", 1, f"our clock is more than {SKEW_NO_NEW_SEC:g} s off the venue's", 0, 0,
        "nothing new is placed", "set the clock: look at its time service", "risk", is_told=True,
    ),
    # 2: act soon
    Kind(
        "market_feed", 2, "a socket of the market channel is down, or all are", 5, 10,
        "the books it carries are not believed, and not quoted", "wait for it to reconnect, else check the network",
        "findings",
    ),
    Kind(
        "user_feed", 2, "the user channel is down", 5, 10,
        "nothing is quoted; fills are only heard over REST", "wait for it to reconnect, else check the network",
        "findings", is_told=True,
    ),
    Kind(
        "venue_mode", 2, "the venue is not in its normal mode", 2, 5,
        "it takes no orders, or only some", "wait; it is not ours to mend", "findings", is_told=True,
    ),
    Kind(
        "venue_stop", 2, "the venue refuses this account some kind of order", 0, 0,
        "all markets stay held until somebody resumes them", "mend what its words name, then resume all", "findings",
        is_told=True,
    ),
    Kind(
        "recovering", 2, "what an earlier session left is not settled", 60, 0,
        "nothing is quoted", "read what is waited for", "findings",
    ),
    Kind(
        "book", 2, "a market's book is suspect, frozen or unproven, or its first one has not come", 5, 5,
        "its quotes are pulled", "see what is done about it; pause the market if it goes on", "why", is_told=True,
    ),
    Kind(
        "closed", 2, "something that does not fit has closed a market", 0, 0,
        "nothing new is placed in it", "read the finding; resume the market when it is settled", "findings",
        is_told=True,
    ),
    Kind(
        "finding", 2, "a finding of the severity alarm", 0, 0,
        "what it says stays as it is", "compare both sides with the venue's own page", "findings", is_told=True,
    ),
    Kind(
        "protection", 2, "a protection holds a market or a side back", 0, 5,
        "it stays held until its time is over or somebody resumes it", "see what tripped it before you resume", "risk",
        is_told=True,
    ),
    Kind(
        "cap", 2,
        f"{CAP_NEAR:.0%} of the cap of a market, an event or the account is used, all orders counted as filled",
        60, 30,
        "what would add to it is left out or denied", "reduce, flatten, or hold less in that market", "risk",
    ),
    Kind(
        "settlement", 2, f"a fill has not been final for {UNSETTLED_ALARM_SEC / 60:g} minutes", 0, 5,
        "its shares count and cannot be sold; after 30 minutes its market is closed", "look for the trade on the chain",
        "fills", is_told=True,
    ),
    Kind(
        "rewards", 2, "orders that should score for rewards do not, by the venue's word", 120, 60,
        "they rest without the reward they are there for", "compare their size and distance with the programme", "why",
        is_told=True,
    ),
    Kind(
        "rate_budget", 2, f"more than {1 - BUDGET_LOW:.0%} of the signer's rate is used, or too little is left", 5, 30,
        "fewer orders are placed, so that cancels stay possible", "pause a market, or widen: quotes move less",
        "findings", is_told=True,
    ),
    Kind(
        "sources", 2, "two sources say different things of the account", 60, 30,
        "the numbers of one of them are wrong", "see which side moves; compare with the venue's own page", "account",
    ),
    Kind(
        "job_unknown", 2, "nobody knows what became of an inventory operation", 30, 0,
        "its shares and cash stay reserved, and no other begins", "look it up on the chain, then tell the session",
        "account",
    ),
    Kind(
        "job_failed", 2, "an inventory operation came to nothing", 0, 0,
        "nothing was merged, split or redeemed", "read why, then ask for it again", "account",
    ),
    # 3: look when you can
    Kind(
        "clock_skew", 3, f"our clock is more than {SKEW_WARN_SEC:g} s off the venue's", 0, 0,
        f"beyond {SKEW_NO_NEW_SEC:g} s nothing new is placed", "set the clock", "risk", is_told=True,
    ),
    Kind(
        "list_waiting", 3, "changes of the market list wait for approval", 0, 0,
        "the list in force stays as it is", "read what changes, then approve or reject", "list", is_told=True,
    ),
    Kind(
        "list_trouble", 3, "the market list cannot be read, or not renewed", 30, 0,
        "the list in force stays as it is", "open the list where it is kept", "list", is_told=True,
    ),
    Kind(
        "list_rows", 3, "rows of the market list cannot be used", 0, 0,
        "the markets of these rows are not made", "mend the cells that are named", "list", is_told=True,
    ),
    Kind(
        "markout", 3,
        f"the price moves against our fills: their mean after {MARKOUT_HORIZON[0]} s is {MARKOUT_ERRORS:g} standard "
        f"errors below zero over {MARKOUT_FILLS} fills or more",
        60, 300, "the market costs money", "widen it, or quote it smaller", "fills",
    ),
    Kind(
        "one_sided", 3, "a market is quoted on one side only, and nobody asked for that", 600, 60,
        "its position can only grow one way", "read why the other side is missing", "why",
    ),
    Kind(
        "not_quoted", 3, "a market that is active is not quoted", 300, 10,
        "it earns nothing", "read what forbids it", "why",
    ),
    Kind(
        "denials", 3, f"the gate has denied orders at least every {FRESH_SEC:g} s", 60, 60,
        "these orders are not placed", "read which check it is, and its numbers", "risk",
    ),
    Kind(
        "rejects", 3, f"the venue has refused orders at least every {FRESH_SEC:g} s", 60, 60,
        "these orders are not placed, and cost rate", "read the venue's words in the log", "log",
    ),
    Kind(
        "foreign_orders", 3, "orders that are not ours rest on the account", 0, 10,
        "cancel all and KILL cancel them too", "find out who else trades with this account", "findings", is_told=True,
    ),
    Kind(
        "recording", 3, "the recording under way has trouble", 10, 10,
        "what is heard now may be missing from it", "look at the disk, or begin another", "recordings",
    ),
)  # fmt: skip
BY_CODE: Final[dict[str, Kind]] = {kind.code: kind for kind in KINDS}
