"""Builds what a console may see from the engine's state. Reads everything, changes nothing."""

import math
from typing import Final, Literal

import msgspec

from core.desk import UNPROVEN_CHANGE, Desk
from core.engine import Engine
from core.market.recovery import Recovery, Step
from core.market_data import Feed
from core.orders.order import Order, State
from core.portfolio.ledger import Pico, usd_of
from core.risk.control import strictest
from core.risk.gate import why_not_quote
from core.units import MICRO, Shares, Usd
from core.views import (
    ConsoleView,
    DataView,
    EventView,
    FeedName,
    FeedView,
    InventoryView,
    LevelView,
    MarketView,
    OrderView,
    PnlView,
)

LEVELS_SHOWN: Final = 60
_IN_FLIGHT: Final = frozenset({State.INTENT, State.SENDING, State.CANCEL_SENT})


class Stage(msgspec.Struct, frozen=True):
    """What a view says of the session around the engine."""

    seq: int
    mode: Literal["demo", "paper", "live", "replay"]
    now: float
    """Monotonic seconds."""
    unix: float
    loop_lag_ms: float
    finished: str
    events: tuple[EventView, ...]
    sockets_up: int = 0
    sockets: int = 0
    """Of the market channel, connected and wanted; 0 where nothing is received (a replay)."""


def console_view(engine: Engine, stage: Stage) -> ConsoleView:
    """The whole view at one moment."""
    now = stage.now
    orders = list(engine.orders.all_at_risk())
    grids = {desk.market: desk.instrument.grid for desk in engine.desks.values()}
    notional = sum(grids[o.market].notional(o.price, o.remaining) for o in orders)
    reject = engine.orders.last_reject_s
    return ConsoleView(
        seq=stage.seq,
        unix=stage.unix,
        mode=stage.mode,
        control=engine.control.state,
        stopping=engine.stopping,
        finished=stage.finished,
        feeds=(
            _feed("market", engine.data.feed, stage.sockets_up, stage.sockets, now),
            _feed("user", engine.user_feed, int(engine.user_feed.connected), 1, now),
        ),
        open_orders=len(orders),
        open_notional=Usd(notional),
        unknown_orders=engine.orders.in_doubt(),
        in_flight=sum(1 for o in orders if o.state in _IN_FLIGHT),
        rejects=engine.orders.counts.rejects,
        last_reject_age_s=None if reject is None else now - reject,
        messages=engine.tally.messages,
        messages_per_s=engine.data.rate,
        hash_every=engine.data.proof.every,
        decisions=engine.tally.decisions,
        pnl=total_pnl(engine, now),
        gross_exposure=Usd(sum(_exposure(desk, now) for desk in engine.desks.values())),
        equity=engine.account.equity,
        cash=Usd(engine.account_cash()),
        loop_lag_ms=stage.loop_lag_ms,
        markets=tuple([market_view(engine, desk, now) for desk in engine.desks.values()]),
        events=stage.events,
    )


def desk_pnl(desk: Desk, now: float) -> PnlView:
    """Average-cost profit of one market at its fair value; without one, holdings count at their cost."""
    ledger, mark = desk.position.ledger, desk.mark(now)
    unrealised = Pico(0) if mark is None else ledger.unrealised(mark)
    return PnlView(
        realised=usd_of(ledger.realised),
        unrealised=usd_of(unrealised),
        total=usd_of(Pico(ledger.realised + unrealised)),
        fills=desk.position.fills,
        bought=desk.position.bought,
        sold=desk.position.sold,
    )


def total_pnl(engine: Engine, now: float) -> PnlView:
    """Profit of all markets: the sum of what the markets show, so that the columns add up."""
    parts = [desk_pnl(desk, now) for desk in engine.desks.values()]
    realised, unrealised = sum(p.realised for p in parts), sum(p.unrealised for p in parts)
    return PnlView(
        realised=Usd(realised),
        unrealised=Usd(unrealised),
        total=Usd(realised + unrealised),
        fills=sum(p.fills for p in parts),
        bought=Shares(sum(p.bought for p in parts)),
        sold=Shares(sum(p.sold for p in parts)),
    )


def market_view(engine: Engine, desk: Desk, now: float) -> MarketView:
    """One market."""
    instrument, tracked, plan = desk.instrument, desk.tracked, desk.plan
    blocked = why_not_quote(engine.facts(desk, now))
    if blocked == UNPROVEN_CHANGE or not blocked:
        # A change is in doubt for a moment after every trade; it is told when a decision had to wait for it.
        blocked = desk.blocked_by
    last, pricing, sigma = desk.tape.last, plan.pricing if plan else None, desk.sigma
    orders = sorted(engine.orders.at_risk(desk.market), key=_best_first)
    return MarketView(
        market=desk.market,
        title=instrument.title,
        tick_text=instrument.tick_text,
        grid_k=instrument.grid.k,
        decimals=instrument.grid.decimals,
        control=strictest(engine.control, desk.control).state,
        data=data_view(engine, desk, now),
        quoting=not blocked and plan is not None,
        blocked_by=blocked,
        widen_ticks=desk.widen_ticks,
        flattening=desk.flattening,
        bids=tuple([LevelView(tick, size) for tick, size in tracked.book.best_first("bid", LEVELS_SHOWN)]),
        asks=tuple([LevelView(tick, size) for tick, size in tracked.book.best_first("ask", LEVELS_SHOWN)]),
        orders=tuple([_order(desk, order, now) for order in orders]),
        fair=desk.watch.fair.value_at(now),
        reservation=pricing.reservation if pricing else None,
        half_spread=pricing.half_spread if pricing else None,
        sigma_h=sigma.sigma_h if sigma else None,
        last_price=last.price if last else None,
        last_size=last.size if last else None,
        last_buy=last.taker_buys_yes if last else None,
        inventory=_inventory(engine, desk, now),
        pnl=desk_pnl(desk, now),
    )


def data_view(engine: Engine, desk: Desk, now: float) -> DataView:
    """How far one market's book may be believed, and why."""
    tracked, silence, recovery, evidence = desk.tracked, desk.silence, desk.recovery, desk.tracked.evidence
    by_channel = -math.inf if tracked.proven_s is None else tracked.proven_s
    return DataView(
        state=tracked.state,
        reason=tracked.reason,
        repair=_repair(recovery),
        since_s=now - tracked.since_s,
        doubt_s=_age(tracked.doubt_since_s, now),
        doubt=tracked.doubt,
        freshness=silence.status,
        freshness_reason=silence.reason,
        age_s=_age(silence.heard_s, now),
        proven_s=_age(max(by_channel, silence.verified_s), now),
        usual_gap_s=silence.usual_gap_s,
        check_every=engine.data.proof.every if tracked.provable else 0,
        hash_checked=evidence.hash_checked,
        hash_agreed=evidence.hash_agreed,
        hash_explained=evidence.hash_explained,
        hash_differing=evidence.hash_checked - evidence.hash_agreed - evidence.hash_explained - tracked.unexplained,
        hash_skipped=evidence.hash_skipped,
        book_seq=tracked.book_seq,
        gaps=tracked.gaps,
        reloads=tracked.reloads,
        audits=silence.audits,
        recovery_s=recovery.last_s,
    )


_STEPS: Final[dict[Step, str]] = {
    "read": "asking for a fresh book",
    "resubscribe": "subscribing anew",
    "reconnect": "opening a new socket",
}


def _repair(recovery: Recovery) -> str:
    if not recovery.under_way:
        return ""
    if recovery.last_step is None:
        return "its book is on its way"
    return f"{_STEPS[recovery.last_step]}, try {recovery.tries}"


def _age(since_s: float | None, now: float) -> float | None:
    """Seconds since then; None when it never was."""
    return None if since_s is None or since_s == -math.inf else now - since_s


def _feed(name: FeedName, feed: Feed, sockets_up: int, sockets: int, now: float) -> FeedView:
    return FeedView(name, feed.connected, sockets_up, sockets, _age(feed.heard_s, now), feed.reconnects, feed.detail)


def _exposure(desk: Desk, now: float) -> Usd:
    fair = desk.watch.fair.value_at(now)
    return Usd(0 if fair is None else round(desk.inventory.exposure(fair) * MICRO))


def _inventory(engine: Engine, desk: Desk, now: float) -> InventoryView:
    held, ledger, bankroll = desk.inventory, desk.position.ledger, engine.account.bankroll or 0
    holding = ledger.yes if held.net > 0 else ledger.no
    return InventoryView(
        yes=held.yes,
        no=held.no,
        pairs=held.pairs,
        net=held.net,
        average=holding.average if held.net else None,
        exposure=_exposure(desk, now),
        soft_cap=Usd(int(engine.settings.soft_cap_delta_pct * bankroll)),
        hard_cap=Usd(int(engine.settings.hard_cap_delta_pct * bankroll)),
        provisional=Shares(desk.position.provisional),
    )


def _best_first(order: Order) -> tuple[bool, int, int]:
    is_bid = order.side == "bid"
    return (not is_bid, -order.yes_price if is_bid else order.yes_price, order.intent)


def _order(desk: Desk, order: Order, now: float) -> OrderView:
    ahead = order.level_size
    if ahead is not None:
        ahead = min(ahead, desk.others_at(order.side, order.yes_price))
    return OrderView(
        order_id=order.order_id,
        side=order.side,
        price=order.yes_price,
        size=order.size,
        remaining=order.remaining,
        layer=order.layer,
        on_no=order.outcome == "NO",
        state=order.state.value,
        age_s=now - order.created_s,
        ahead=ahead,
        reason=order.reason,
    )
