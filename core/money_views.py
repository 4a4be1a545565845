"""Holdings, profit and the account for the console: what the engine's books say, as plain data."""

from core.desk import Desk
from core.engine import Engine
from core.jobs.jobs import TrackedJob
from core.portfolio.ledger import Ledger, Pico, usd_of
from core.portfolio.position import Position
from core.units import MICRO, Shares, Usd
from core.views import AccountView, InventoryView, JobView, PnlView, SplitView

JOBS_SHOWN = 10


def desk_pnl(desk: Desk, now: float) -> PnlView:
    """Average-cost profit of one market at its fair value; without one, holdings count at their cost."""
    return _pnl(desk.position, desk.mark(now))


def total_pnl(engine: Engine, now: float) -> PnlView:
    """Profit of the account: the sum of what the markets show, those not made now and what belongs to none included."""
    books, desks = engine.books, engine.desks
    parts = [_pnl(books.portfolio.position(""), None)]
    for market, position in books.portfolio.positions.items():
        parts.append(_pnl(position, desks[market].mark(now) if market in desks else books.mark_of(market)))
    return PnlView(
        realised=Usd(sum([part.realised for part in parts])),
        unrealised=Usd(sum([part.unrealised for part in parts])),
        total=Usd(sum([part.total for part in parts])),
        fills=sum([part.fills for part in parts]),
        bought=Shares(sum([part.bought for part in parts])),
        sold=Shares(sum([part.sold for part in parts])),
        fees=Usd(sum([part.fees for part in parts])),
        income=Usd(sum([part.income for part in parts])),
    )


def exposure_of(desk: Desk, now: float) -> Usd:
    """Dollars lost at the present fair value if the market resolves against us; 0 while nobody knows one."""
    fair = desk.watch.fair.value_at(now)
    return Usd(0 if fair is None else round(desk.inventory.exposure(fair) * MICRO))


def inventory_view(engine: Engine, desk: Desk, now: float) -> InventoryView:
    """What is held in a market, ours and not ours."""
    held, position, bankroll = desk.inventory, desk.position, engine.account.bankroll or Usd(0)
    soft, hard = desk.rules.caps(bankroll)
    ledger, instrument, orders = position.ledger, desk.instrument, engine.orders
    foreign, mark = engine.reconciliation.foreign.shares, desk.mark(now)
    settled = {"YES": position.settled_yes - position.locked_yes, "NO": position.settled_no - position.locked_no}
    unsettled = engine.reconciliation.unsettled_s(desk.market, now, now + engine.wall_s)
    return InventoryView(
        yes=held.yes,
        no=held.no,
        pairs=held.pairs,
        net=held.net,
        average=(ledger.yes if held.net > 0 else ledger.no).average if held.net else None,
        exposure=exposure_of(desk, now),
        soft_cap=Usd(int(soft * bankroll)),
        hard_cap=Usd(int(hard * bankroll)),
        provisional=Shares(position.provisional),
        unsettled_s=unsettled if position.provisional else 0.0,
        average_yes=ledger.yes.average,
        average_no=ledger.no.average,
        settled_yes=position.settled_yes,
        settled_no=position.settled_no,
        sellable_yes=Shares(max(0, settled["YES"] - orders.reserved_shares(desk.market, "YES"))),
        sellable_no=Shares(max(0, settled["NO"] - orders.reserved_shares(desk.market, "NO"))),
        mark=mark,
        value=usd_of(_value(ledger, mark)),
        conservative=desk.conservative_value(),
        payout=position.payout,
        waiting=Shares(sum(engine.books.unpriced.get(desk.market, {}).values())),
        foreign_yes=foreign.get(instrument.yes_token, Shares(0)),
        foreign_no=foreign.get(instrument.no_token, Shares(0)),
    )


def split_view(engine: Engine, market: str, now: float) -> SplitView | None:
    """Where this session's trading profit came from in a market, "" for all, by ``now``; None before a first mark."""
    splits = {name: split for name, split in engine.books.splits.items() if market in ("", name)}
    if not splits:
        return None
    chosen = [split.parts_at(_mark(engine, name, now)) for name, split in splits.items()]
    earnings = engine.earnings
    rebates = earnings.rebates.values() if not market else [earnings.rebates.get(market, 0.0)]
    rewards = earnings.rewards.values() if not market else [earnings.rewards.get(market, Usd(0))]
    return SplitView(
        spread=usd_of(Pico(sum([parts.spread for parts in chosen]))),
        drift=usd_of(Pico(sum([parts.drift for parts in chosen]))),
        carry=usd_of(Pico(sum([parts.rest for parts in chosen]))),
        rebates=Usd(round(sum(rebates) * MICRO)),
        rewards=Usd(sum(rewards)),
    )


def day_view(engine: Engine, desk: Desk, now: float) -> Usd | None:
    """What a market has earned since its day began, at the marks of :func:`desk_pnl`; None when nobody knows."""
    if not engine.valuing.is_marked:
        return None
    return engine.books.day.profit(desk.market, desk.position.ledger, desk.mark(now))


def day_at_fair(engine: Engine, now: float) -> Usd | None:
    """What all markets have earned since the day began, at fair values or the last marks; None when nobody knows."""
    if not engine.valuing.is_marked:
        return None
    books, desks, total = engine.books, engine.desks, 0
    for market, position in {"": books.portfolio.position(""), **books.portfolio.positions}.items():
        mark = desks[market].mark(now) if market in desks else None
        if mark is None and market:
            mark = books.mark_of(market)
        profit = books.day.profit(market, position.ledger, mark)
        if profit is None:
            return None
        total += profit
    return Usd(total)


def account_view(engine: Engine, now: float) -> AccountView:
    """What belongs to no single market.

    The day's profit is that of the last mark of the account: conservative equity, less that of the day's first mark and
    what was deposited since. Its realised part is what realised profit less fees, with income, has grown by between the
    same two marks, in whole micro-dollars; the unrealised part is defined as the rest, so that they add up exactly.
    """
    books, account, jobs = engine.books, engine.account, engine.inventory.jobs
    positions, day, unix = books.portfolio.positions.values(), engine.account.day, now + engine.wall_s
    is_marked = engine.valuing.is_marked
    day_profit = Usd(account.equity - day.opening - day.flows) if is_marked else Usd(0)
    realised = account.day_secured if is_marked else None
    return AccountView(
        day_profit=day_profit,
        day_realised=realised,
        day_unrealised=None if realised is None else Usd(day_profit - realised),
        day_fair=day_at_fair(engine, now),
        day_flows=day.flows,
        drawdown=books.drawdown.current,
        flows=usd_of(books.portfolio.flows),
        pairs=Usd(sum([held.inventory.pairs for held in positions if held.payout is None])),
        claims=usd_of(Pico(sum([_value(held.ledger, held.payout) for held in positions if held.payout is not None]))),
        provisional=Shares(sum([held.provisional for held in positions])),
        jobs=tuple(reversed([_job(view, unix) for view in jobs.views()[:JOBS_SHOWN]])),
        jobs_note=engine.inventory.note(unix),
        trouble=books.trouble,
    )


def _mark(engine: Engine, market: str, now: float) -> Usd:
    """What the profit of a market is reckoned at: the last mark while nobody knows a better one."""
    desk = engine.desks.get(market)
    mark = None if desk is None else desk.mark(now)
    return mark or engine.books.mark_of(market) or Usd(0)


def _pnl(position: Position, mark: Usd | None) -> PnlView:
    ledger = position.ledger
    realised, fees, income = usd_of(ledger.realised), usd_of(ledger.fees), usd_of(ledger.income)
    unrealised = Usd(0) if mark is None else usd_of(ledger.unrealised(mark))
    return PnlView(
        realised=realised,
        unrealised=unrealised,
        total=Usd(realised + unrealised - fees + income),
        fills=position.fills,
        bought=position.bought,
        sold=position.sold,
        fees=fees,
        income=income,
    )


def _value(ledger: Ledger, mark: Usd | None) -> Pico:
    return Pico(ledger.yes.cost + ledger.no.cost) if mark is None else ledger.value(mark)


def _job(view: TrackedJob, unix: float) -> JobView:
    job = view.job
    return JobView(
        job_id=job.job_id,
        kind=job.kind,
        market=job.market,
        size=job.size,
        state=view.state,
        age_s=unix - job.created_unix,
        route=job.route,
        by=job.by,
        cash=job.cash,
        transaction=view.transaction or view.transaction_id,
        detail=view.detail,
    )
