"""Builds what a console may see from the engine's state. Reads everything, changes nothing."""

import math
from collections.abc import Iterable
from typing import Final, Literal

import msgspec

from core.actions import Finding
from core.desk import UNPROVEN_CHANGE, Desk
from core.engine import Engine
from core.events import ListedOrder
from core.flatten.machine import Flattening
from core.market.recovery import Recovery, Step
from core.market.tape import Tape
from core.market_data import Feed
from core.money_views import account_view, day_view, desk_pnl, exposure_of, inventory_view, split_view, total_pnl
from core.orders.order import Order, State
from core.portfolio.markouts import MarkoutRow
from core.profiles import MarketSettings
from core.quoting.adjust import Adjustments
from core.quoting.calendar import CalendarState
from core.quoting.explain import LayerExplanation, explain
from core.quoting.plan import SidePlan
from core.quoting.schedule import warning_of
from core.quoting.stance import Posture
from core.risk.budget import TIERS, SignerBudget
from core.risk.control import Controls
from core.risk.permission import why_not_quote
from core.risk.protections import Made
from core.risk_views import cap_views, denial_views
from core.units import MICRO, Shares, Side, Ticks, Usd
from core.venue_state import VenueState
from core.views import (
    AdjustmentView,
    AlarmView,
    BudgetView,
    ConsoleView,
    ControlView,
    DataView,
    EventView,
    FeedName,
    FeedView,
    FindingView,
    FlattenView,
    ForeignOrderView,
    GroupView,
    HeartbeatView,
    KillView,
    LayerView,
    LevelView,
    ListView,
    MarketView,
    MarkoutView,
    OrderView,
    ProtectionView,
    RecordingView,
    RegimeView,
    RewardView,
    SettingView,
    TradeView,
    VenueView,
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
    watched: frozenset[str] = frozenset()
    """Condition ids of markets whose details are wanted: they cost more than all the rest of a market's view."""
    ladders: frozenset[str] = frozenset()
    """Condition ids of further markets whose whole books are wanted."""
    budget: BudgetView | None = None
    """What may be sent; None where nothing is."""
    kill: KillView = KillView()
    market_list: ListView | None = None
    wallet: str = ""
    """Address that holds the money; "" where none is needed."""
    recordings: tuple[RecordingView, ...] = ()
    consoles: int = 0
    """Attached from other processes."""
    alarms: tuple[AlarmView, ...] = ()
    """As of the view before: they are made from views."""
    alarm_calls: int = 0


def console_view(engine: Engine, stage: Stage) -> ConsoleView:
    """The whole view at one moment."""
    now = stage.now
    orders = list(engine.orders.all_at_risk())
    notional = sum(order.grid.notional(order.price, order.remaining) for order in orders)
    reject = engine.orders.last_reject_s
    reconciliation = engine.reconciliation
    return ConsoleView(
        seq=stage.seq,
        unix=stage.unix,
        mode=stage.mode,
        control=engine.controls.of_all().state,
        kill=stage.kill,
        market_list=stage.market_list,
        recordings=stage.recordings,
        consoles=stage.consoles,
        alarms=stage.alarms,
        alarm_calls=stage.alarm_calls,
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
        gross_exposure=Usd(sum(exposure_of(desk, now) for desk in engine.desks.values())),
        equity=engine.account.equity,
        cash=engine.books.cash,
        loop_lag_ms=stage.loop_lag_ms,
        markets=tuple([_market(engine, desk, stage) for desk in engine.desks.values()]),
        events=stage.events,
        cancels_per_1000=_per_1000(engine.orders.counts.cancels, engine.orders.counts.filled),
        venue=venue_view(engine.venue, stage.budget, now),
        recovering=reconciliation.recovering(),
        findings=tuple([_finding(unix, finding) for unix, finding in engine.findings.rows]),
        foreign_orders=tuple([_foreign_order(engine, row) for row in reconciliation.foreign.orders.values()]),
        foreign_trades=len(reconciliation.foreign.fills),
        account=account_view(engine, now),
        split=split_view(engine, "", now),
        controls=control_views(engine.controls, now),
        caps=cap_views(engine, now),
        denials=denial_views(engine, now),
        protections=protection_views(engine, now),
        clock_skew_s=engine.vitals.skew_s,
        journal_stalled_s=engine.vitals.stalled_s,
        fills=engine.fill_log.views,
        results=engine.results.views(now),
        wallet=stage.wallet,
    )


def protection_views(engine: Engine, now: float) -> tuple[ProtectionView, ...]:
    """Every protection at ``now``, monotonic seconds, whether or not it holds something back."""
    account, day = engine.account, engine.account.day
    is_known = engine.valuing.is_marked and day.opening > 0
    loss = (day.opening + day.flows - account.equity) / day.opening if is_known else None
    made = [
        Made(
            desk.market,
            desk.instrument.title,
            desk.settings,
            desk.instrument.grid.tick,
            frozenset() if desk.posture is None else desk.posture.standing,
        )
        for desk in engine.desks.values()
    ]
    return engine.protections.rows(made, engine.settings, loss, engine.controls, now)


def control_views(controls: Controls, now: float) -> tuple[ControlView, ...]:
    """All control states that are not ACTIVE, oldest first; ``now`` in monotonic seconds."""
    return tuple(
        [
            ControlView(
                state=each.state,
                source=each.source,
                market=each.market,
                side=each.side,
                reason=each.reason,
                author=each.author,
                since_unix=each.since_unix,
                left_s=controls.left_s(each, now),
            )
            for each in controls.held()
        ]
    )


def venue_view(venue: VenueState, budget: BudgetView | None, now: float) -> VenueView:
    """What the venue lets us do at ``now``, monotonic seconds."""
    beat = HeartbeatView(_age(venue.beat_s, now), venue.beat_detail) if venue.needs_heartbeat else None
    return VenueView(venue.mode, now - venue.mode_since_s, venue.mode_detail, beat, venue.short, budget)


def budget_view(budget: SignerBudget, now: float) -> BudgetView:
    """What the signer may still send at ``now``, monotonic seconds; parts of a token do not count."""
    tier = TIERS[budget.tier]
    return BudgetView(
        tier=budget.tier,
        orders=math.floor(budget.level("orders", now)),
        orders_burst=round(tier.orders.burst),
        cancels=math.floor(budget.level("cancels", now)),
        cancels_burst=round(tier.cancels.burst),
        warnings=budget.warnings,
        refusals=budget.refusals,
    )


def _finding(unix: float, finding: Finding) -> FindingView:
    return FindingView(
        unix=unix,
        code=finding.code,
        severity=finding.severity,
        effect=finding.effect,
        market=finding.market,
        subject=finding.subject,
        text=finding.text,
        ours=finding.ours,
        venue=finding.venue,
    )


def _flatten(machine: Flattening | None, now: float) -> FlattenView | None:
    """A flattening under way."""
    if machine is None:
        return None
    until_s = machine.until_s
    return FlattenView(
        step=machine.step,
        text=machine.text,
        start=machine.start,
        left=machine.left,
        spent=machine.cost,
        cap=machine.cap,
        left_s=None if until_s is None else max(0.0, until_s - now),
        author=machine.author,
    )


def _foreign_order(engine: Engine, row: ListedOrder) -> ForeignOrderView:
    desk = engine.desks.get(row.market)
    outcomes = {} if desk is None else {desk.instrument.yes_token: "YES", desk.instrument.no_token: "NO"}
    return ForeignOrderView(
        order_id=row.order_id,
        market=row.market,
        side=row.order_side,
        outcome=outcomes.get(row.token, ""),
        price=row.price,
        size=row.size,
        matched=row.matched,
    )


def _market(engine: Engine, desk: Desk, stage: Stage) -> MarketView:
    """One market, with its details if they are wanted."""
    is_watched = desk.market in stage.watched
    is_ladder = is_watched or desk.market in stage.ladders
    levels, volumes = (LEVELS_SHOWN, desk.tape.volumes) if is_ladder else (1, ())
    view = market_view(engine, desk, stage.now, stage.unix, levels, volumes)
    return detailed(view, engine, desk, stage.now) if is_watched else view


def market_view(
    engine: Engine,
    desk: Desk,
    now: float,
    unix: float,
    levels: int = LEVELS_SHOWN,
    volumes: tuple[tuple[Ticks, Shares], ...] = (),
) -> MarketView:
    """One market without the details of :func:`detailed`, with at most ``levels`` of each side of its book."""
    instrument, tracked, plan = desk.instrument, desk.tracked, desk.plan
    facts = engine.facts(desk, now)
    blocked = why_not_quote(facts)
    if blocked == UNPROVEN_CHANGE or not blocked:
        # A change is in doubt for a moment after every trade; it is told when a decision had to wait for it.
        blocked = desk.blocked_by
    last, pricing, sigma = desk.tape.last, plan.pricing if plan else None, desk.sigma
    orders = sorted(engine.orders.at_risk(desk.market), key=_best_first)
    fair, position, chosen, quoting = (
        desk.watch.fair.value_at(now),
        desk.position,
        desk.chosen,
        not blocked,
    )
    return MarketView(
        market=desk.market,
        title=instrument.title,
        tick_text=instrument.tick_text,
        grid_k=instrument.grid.k,
        decimals=instrument.grid.decimals,
        control=engine.controls.of(desk.market).state,
        data=data_view(engine, desk, now),
        quoting=quoting and plan is not None,
        blocked_by=blocked,
        widen_ticks=desk.stance.adjustments.at(now).widen_ticks,
        flattening=desk.flattening is not None,
        flatten=_flatten(desk.flattening, now),
        bids=tuple([LevelView(tick, size) for tick, size in tracked.book.best_first("bid", levels)]),
        asks=tuple([LevelView(tick, size) for tick, size in tracked.book.best_first("ask", levels)]),
        orders=tuple([_order(engine, desk, order, now) for order in orders]),
        fair=fair,
        reservation=pricing.reservation if pricing else None,
        half_spread=pricing.half_spread if pricing else None,
        sigma_h=sigma.sigma_h if sigma else None,
        last_price=last.price if last else None,
        last_size=last.size if last else None,
        last_buy=last.taker_buys_yes if last else None,
        inventory=inventory_view(engine, desk, now),
        pnl=desk_pnl(desk, now),
        bid_reason=_missing(engine, desk, "bid", plan.bid) if plan and quoting else "",
        ask_reason=_missing(engine, desk, "ask", plan.ask) if plan and quoting else "",
        adjustments=adjustment_views(desk.stance.adjustments, now),
        regime=regime_view(desk.posture, fair, now, unix) if desk.posture else RegimeView(),
        cancels_per_1000=_per_1000(engine.orders.cancelled.get(desk.market, 0), position.bought + position.sold),
        profile=chosen.profile if chosen else "",
        closed=facts.quarantine,
        day=day_view(engine, desk, now),
        reward_band=engine.earnings.band(desk),
        volumes=volumes,
    )


def detailed(view: MarketView, engine: Engine, desk: Desk, now: float) -> MarketView:
    """A market's view with all terms of its quotes and with what they earn."""
    group, risk, chosen = engine.groups.view(desk), engine.groups.risk(desk), desk.chosen
    return msgspec.structs.replace(
        view,
        detailed=True,
        split=split_view(engine, desk.market, now),
        layers=layer_views(explain(desk.plan, desk.rules)) if desk.plan else (),
        markouts=markout_views(desk.stance.markouts.table()),
        adverse_share=desk.stance.adverse_share,
        rewards=_rewards(engine, desk, now),
        rebates_usd=engine.earnings.rebates.get(desk.market, 0.0),
        group=None
        if group is None or risk is None
        else GroupView(
            group.reason,
            group.fair_sum,
            group.exposure,
            risk.worst,
            risk.best,
            _set_edge(group.buy_yes_edge, group.buy_no_edge),
        ),
        profiles=engine.profiles.names if engine.profiles else (),
        settings=setting_views(chosen) if chosen else (),
        tape=trade_views(desk.tape, now),
    )


def trade_views(tape: Tape, now: float) -> tuple[TradeView, ...]:
    """The last trades of a market, oldest first."""
    first = tape.total - len(tape.trades) + 1
    return tuple(
        [
            TradeView(seq, now - trade.now, trade.price, trade.size, trade.taker_buys_yes)
            for seq, trade in enumerate(tape.trades, start=first)
        ]
    )


def _set_edge(*edges: float | None) -> float | None:
    return max((edge for edge in edges if edge is not None), default=None)


def _missing(engine: Engine, desk: Desk, side: Side, plan: SidePlan) -> str:
    """Why a side has no quote, in words; of one that is held, the words of whoever holds it."""
    if plan.reason == "held":
        return engine.controls.of_side(desk.market, side).words
    return "" if plan.reason == "ok" else plan.reason.replace("_", " ")


def _per_1000(cancels: int, filled: int) -> float | None:
    """Cancels for each thousand shares filled, of micro-shares; None before the first fill."""
    return cancels * 1000 * MICRO / filled if filled else None


def setting_views(chosen: MarketSettings) -> tuple[SettingView, ...]:
    """The settings of one market that may differ from market to market."""
    return tuple(
        [
            SettingView(row["name"], "unset" if row["value"] is None else str(row["value"]), row["unit"], row["origin"])
            for row in chosen.rows()
        ]
    )


def _rewards(engine: Engine, desk: Desk, now: float) -> RewardView | None:
    estimate = engine.earnings.estimate(desk, now)
    if estimate is None:
        return None
    expected = [score.order_id for score in estimate.orders if score.points > 0.0]
    flags = [engine.earnings.scoring.flag(order_id) for order_id in expected]
    return RewardView(
        score=estimate.q_min,
        share=estimate.share,
        usd_per_day=estimate.usd_per_day,
        pool_usd=desk.instrument.reward_daily_usd,
        expected=len(expected),
        scoring=flags.count(True),
        denied=flags.count(False),
        note=estimate.note,
        worth=tuple(
            [
                (each.side, each.layer, each.value.reward, each.value.trading - each.value.capital)
                for each in engine.earnings.worth(desk, estimate, now)
            ]
        ),
    )


def layer_views(explanations: Iterable[LayerExplanation]) -> tuple[LayerView, ...]:
    """The layers of a plan, in the order given."""
    return tuple(
        [
            LayerView(
                side=each.side,
                layer=each.layer,
                ticks=each.ticks,
                size=each.size,
                price_terms=tuple([(term.name, term.amount) for term in each.price_terms]),
                size_terms=tuple([(term.name, term.amount) for term in each.size_terms]),
                binding=each.binding,
                forbidden=each.forbidden,
            )
            for each in explanations
        ]
    )


def adjustment_views(adjustments: Adjustments, now: float) -> tuple[AdjustmentView, ...]:
    """What an operator asked of a market, as far as it is still in force."""
    return tuple(
        [
            AdjustmentView(
                what=each.what,
                amount=each.amount_at(now),
                sides=each.sides,
                half_life_s=each.half_life_s,
                left_s=None if each.until_s is None else each.until_s - now,
                who=each.who,
            )
            for each in adjustments.pruned(now).in_force
        ]
    )


def markout_views(rows: Iterable[MarkoutRow]) -> tuple[MarkoutView, ...]:
    """The markouts of one market, in the order given."""
    return tuple(
        [
            MarkoutView(
                side=each.side or "all",
                layer=each.layer,
                horizon_s=each.horizon,
                fills=each.fills,
                shares=each.shares,
                mean=each.markout,
                error=each.markout_error,
                pending=each.pending,
            )
            for each in rows
        ]
    )


def regime_view(posture: Posture, fair: float | None, now: float, unix: float) -> RegimeView:
    """What the state of a market, the time to its end and the calendar do to its quotes.

    Args:
        posture: as of the last decision.
        fair: dollars; None without a fair value.
        now: monotonic seconds.
        unix: seconds.
    """
    regime, schedule, calendar = posture.regime, posture.schedule, posture.calendar
    return RegimeView(
        name=regime.name,
        reason=regime.reason,
        left_s=regime.until_s - now if 0.0 < regime.until_s - now < math.inf else None,
        spread_factor=posture.spread_factor,
        size_factor=posture.regime_factor,
        phase=schedule.phase,
        phase_s=schedule.seconds,
        phase_of=schedule.of,
        time_factor=posture.time_factor,
        phase_warning=warning_of(schedule, fair),
        calendar=calendar.reason,
        calendar_act=_calendar_words(calendar),
        calendar_s=None if calendar.next_change_unix == math.inf else max(0.0, calendar.next_change_unix - unix),
        reduces=posture.reduces,
    )


def _calendar_words(calendar: CalendarState) -> str:
    if not calendar.may_quote:
        return "no quotes"
    wider = f"half-spread x{calendar.spread_factor:g}" if calendar.spread_factor != 1.0 else ""
    return ", ".join(word for word in ("reduce only" if calendar.reduce_only else "", wider) if word)


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


def _best_first(order: Order) -> tuple[bool, int, int]:
    is_bid = order.side == "bid"
    return (not is_bid, -order.yes_price if is_bid else order.yes_price, order.intent)


def _order(engine: Engine, desk: Desk, order: Order, now: float) -> OrderView:
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
        scoring=engine.earnings.scoring.flag(order.order_id),
        unknown_s=_age(order.unknown_s, now),
        evidence="" if order.evidence is None else order.evidence.words(),
    )
