"""What of a single market wants an operator."""

from collections.abc import Iterator
from math import sqrt
from statistics import fmean, stdev
from typing import Final

from core.account.reconciliation import UNSETTLED_ALARM_SEC
from core.alarms.condition import Condition, key_of
from core.alarms.kinds import BY_CODE, MARKOUT_ERRORS, MARKOUT_FILLS, MARKOUT_HORIZON, NO_BOOK_SEC
from core.risk.permission import UNKNOWN_LIMIT_SEC
from core.views import ConsoleView, FillView, MarketView

_STOPS_ALL: Final = tuple(
    key_of(code)
    for code in (
        "killed", "no_watchdog", "books", "loss_stop", "drawdown_stop", "user_feed", "venue_mode", "venue_stop",
        "heartbeat", "recovering", "market_feed", "loop_lag", "clock_off", "journal",
    )
)  # fmt: skip
"""Each explains why a market is not quoted."""
_SPOILS_BOOKS: Final = (key_of("market_feed"), key_of("loop_lag"))


def market_conditions(view: ConsoleView) -> Iterator[Condition]:
    """Every condition of every market, in the order of the markets."""
    fills: dict[str, list[FillView]] = {}
    for fill in view.fills:
        fills.setdefault(fill.market, []).append(fill)
    for market in view.markets:
        yield from _orders(market)
        yield from _book(market)
        yield from _money(market, fills.get(market.market, []))
        if view.control == market.control == "ACTIVE":
            yield from _quotes(market, frozenset(one.side for one in view.controls if one.market == market.market))


def _of(code: str, market: MarketView, text: str, *causes: str) -> Condition:
    return Condition(BY_CODE[code], text, market.market, causes=causes)


def _orders(market: MarketView) -> Iterator[Condition]:
    lost = [each for each in market.orders if each.unknown_s is not None and each.unknown_s >= UNKNOWN_LIMIT_SEC]
    if lost:
        oldest = max(lost, key=lambda each: each.unknown_s or 0.0)
        count = f"{len(lost)} order{'' if len(lost) == 1 else 's'}, the oldest" if len(lost) > 1 else "1 order"
        found = f": {oldest.evidence}" if oldest.evidence else ""
        yield _of("unknown_order", market, f"{count} unknown for {oldest.unknown_s:.0f} s{found}")
    if market.closed:
        yield _of("closed", market, market.closed, key_of("unknown_order", market.market))
    expected, scoring = _scoring(market)
    if expected > scoring:
        yield _of("rewards", market, f"{expected - scoring} of {expected} orders in the reward band do not score")


def _scoring(market: MarketView) -> tuple[int, int]:
    """How many orders should score, and how many of them do by the venue's word; those it said nothing of are left out.

    Without our own reckoning, which only a watched market carries, it is orders within the band, and one that
    scores vouches for all: the least size of the programme is not told here.
    """
    if market.rewards is not None:
        return market.rewards.scoring + market.rewards.denied, market.rewards.scoring
    if market.reward_band is None:
        return 0, 0
    low, high = market.reward_band
    said = [each.scoring for each in market.orders if low <= each.price <= high and each.scoring is not None]
    return (0, 0) if any(said) else (len(said), 0)


def _book(market: MarketView) -> Iterator[Condition]:
    data = market.data
    if data.state == "EMPTY":
        if data.since_s >= NO_BOOK_SEC:
            yield _of("book", market, f"no book for {data.since_s:.0f} s: {data.reason}", *_SPOILS_BOOKS)
        return
    repair = f"; {data.repair}" if data.repair else ""
    if data.freshness in ("frozen", "unproven"):
        yield _of("book", market, f"{data.freshness}: {data.freshness_reason}{repair}", *_SPOILS_BOOKS)
    elif data.state != "SYNCED":
        yield _of("book", market, f"suspect for {data.since_s:.0f} s: {data.reason}{repair}", *_SPOILS_BOOKS)


def _money(market: MarketView, fills: list[FillView]) -> Iterator[Condition]:
    unsettled_s = market.inventory.unsettled_s
    if unsettled_s >= UNSETTLED_ALARM_SEC:
        shares = f"{market.inventory.provisional / 1_000_000:,.2f}".rstrip("0").rstrip(".")
        yield _of("settlement", market, f"{shares} shares not final, the oldest for {unsettled_s / 60:.0f} min")
    horizon, place = MARKOUT_HORIZON
    seen = [each.markouts[place] for each in fills if len(each.markouts) > place]
    known = [each for each in seen if each is not None]
    if len(known) < MARKOUT_FILLS:
        return
    mean, error = fmean(known), stdev(known) / sqrt(len(known))
    if mean < -MARKOUT_ERRORS * error:
        text = f"{mean * 100:+.2f}c a share {horizon} s after {len(known)} fills, error {error * 100:.2f}c"
        yield _of("markout", market, text)


def _quotes(market: MarketView, held_sides: frozenset[str]) -> Iterator[Condition]:
    """An active market that is not quoted, or on one side only, unless somebody or its own end wants it so."""
    regime, key = market.regime, market.market
    is_wanted = regime.calendar_act == "no quotes" or regime.name == "event" or regime.phase == "closed"
    if is_wanted or market.flattening or market.inventory.payout is not None:
        return
    own = tuple(key_of(code, key) for code in ("closed", "book", "unknown_order", "settlement"))
    if not market.quoting:
        if market.blocked_by:
            yield _of("not_quoted", market, market.blocked_by, *_STOPS_ALL, *own)
        return
    asked = any(each.what == "one_side" for each in market.adjustments)
    if asked or held_sides or regime.reduces or bool(market.bid_reason) == bool(market.ask_reason):
        return
    side, why = ("bid", market.bid_reason) if market.bid_reason else ("ask", market.ask_reason)
    yield _of("one_sided", market, f"no {side}: {why}", key_of("cap", key))
