"""Splits, merges, redemptions and conversions as the engine asks for them: facts in, jobs out, effects booked.

What may be done and what it would do is decided in :mod:`core.jobs`; an act of the operator and the automatic merge go
through the same plan.
"""

import math
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from core.actions import Action, EndJob, Note, SendJob, refusal
from core.desk import Desk
from core.events import JobSeen, OperatorCommand, Recovered, RouteSeen
from core.jobs.job import JobKind
from core.jobs.jobs import Jobs
from core.jobs.planning import LEAST, WITHOUT_CHAIN, Plan, Purse, Refused, Stock
from core.market.instrument import Instrument
from core.portfolio.ledger import usd_of
from core.units import MICRO, SIZE_QUANTUM, Shares, Usd, micro_text

if TYPE_CHECKING:
    from core.engine import Engine

IDLE_SEC: Final = 60.0
"""A market in which nothing of ours rests for so long is idle."""
AUTO_SEC: Final = 5.0
"""Time between looks whether pairs are to be merged."""
_SHORT_OF_CASH: Final = "orders that may still fill take the cash"


class InventoryActs:
    """The inventory operations of one engine. Times are monotonic seconds."""

    def __init__(self, engine: "Engine") -> None:
        self.jobs = Jobs()
        self.route = RouteSeen(venue="replay", route=None, obstacle="transactions cannot be sent yet")
        self.elsewhere: dict[str, Instrument] = {}
        """Markets of earlier sessions in which something is held."""
        self._engine = engine
        self._busy_s: dict[str, float] = {}
        """When something of ours last rested in a market."""
        self._looked_s = -math.inf

    def recover(self, event: Recovered) -> list[Action]:
        """Follow up what earlier sessions left under way."""
        self.elsewhere = {instrument.market: instrument for instrument in event.held}
        left = self.jobs.recover(event.jobs, event.next_job, event.own_transactions)
        self._lock()
        notes: list[Action] = []
        if left:
            notes.append(Note("warning", "", f"following up {len(left)} inventory operations of an earlier session"))
        return [*notes, *(SendJob(job) for job in left)]

    def note(self, unix: float) -> str:
        """Why nothing can be begun now, in words; "" when something can."""
        refused = self.jobs.forbidden(self._purse(), unix)
        return "" if refused is None else refused.why

    def command(self, command: OperatorCommand, now: float) -> list[Action]:
        """Carry out, or preview, an act on the inventory."""
        if not math.isfinite(command.amount * 100):
            return [refusal(command.market, f"{command.act}: {command.amount:g} shares are no size")]
        unix = now + self._engine.wall_s
        size = Shares(round(command.amount * 100) * (MICRO // 100))
        if command.amount and size < SIZE_QUANTUM:
            return [refusal(command.market, f"{command.act}: {command.amount:g} shares are no size")]
        kind = cast(JobKind, command.act)
        plan = self.jobs.plan(kind, command.market, size, self._stocks(now), self._purse(), unix)
        if isinstance(plan, Refused):
            return [refusal(command.market, f"{command.act}: {plan.why}")]
        if command.preview:
            return [Note("info", command.market, plan.words(self._name))]
        return self._start(plan, command.who, "asked for", unix)

    def pairs(self, market: str) -> Shares:
        """Settled pairs of a market that no operation takes, those in open sells included."""
        position = self._engine.books.portfolio.position(market)
        yes, no = position.settled_yes - position.locked_yes, position.settled_no - position.locked_no
        return Shares(max(0, min(yes, no)))

    def why_not_merge(self, market: str, now: float) -> str:
        """Why a flattening would not merge pairs once nothing of ours rests in their market, in words; ""."""
        stock = self._stocks(now).get(market)
        if stock is None:
            return "the market is not known"
        idle = {market: msgspec.structs.replace(stock, selling_yes=Shares(0), selling_no=Shares(0))}
        plan = self.jobs.plan("merge", market, Shares(0), idle, self._purse(), now + self._engine.wall_s)
        return plan.why if isinstance(plan, Refused) else ""

    def way_out(self, market: str, now: float, *, is_decided: bool) -> str | None:
        """How an operation takes away what is held in a market, in words; None when none can, or it is too little.

        Pairs below the least merge are too little, and so is what pays less than a dollar.
        """
        settings, position = self._engine.settings, self._engine.books.portfolio.position(market)
        if self.route.venue in WITHOUT_CHAIN:
            return None
        if position.payout is not None:
            if usd_of(position.ledger.value(position.payout)) < MICRO:
                return None
            words = "to be redeemed" if settings.auto_redeem else "redeem it"
        elif is_decided:
            most = max(position.inventory.yes, position.inventory.no)
            return "to be redeemed; what it pays is not told yet" if most >= MICRO else None
        elif (pairs := self.pairs(market)) >= LEAST:
            is_due = settings.auto_merge and pairs >= round(settings.merge_min_shares * MICRO)
            words = "pairs to be merged" if is_due else "pairs: merge them"
        else:
            return None
        waits = self.note(now + self._engine.wall_s)
        return f"{words}; {waits}" if waits else words

    def merge(self, market: str, size: Shares, who: str, now: float) -> list[Action] | Refused:
        """Merge pairs for a flattening."""
        unix = now + self._engine.wall_s
        plan = self.jobs.plan("merge", market, size, self._stocks(now), self._purse(), unix)
        return plan if isinstance(plan, Refused) else self._start(plan, who, "flattening", unix)

    def end(self, command: OperatorCommand, now: float) -> list[Action]:
        """End the operation under way by an operator's word, where no evidence does."""
        view = self.jobs.under_way
        if view is None:
            return [refusal("", "no inventory operation is under way")]
        state = command.act.removeprefix("job_")
        ended = self.jobs.end(view.job.job_id, state, command.who, now + self._engine.wall_s)
        if isinstance(ended, Refused):
            return [refusal(view.job.market, ended.why)]
        return [EndJob(ended), Note("info", view.job.market, f"job {view.job.job_id} counts as {state}")]

    def auto(self, now: float, unix: float) -> list[Action]:
        """Merge pairs, and redeem what is resolved, by itself where that is due (market-making.md 1.11, 3.5)."""
        engine = self._engine
        for desk in engine.desks.values():
            quotes = desk.plan is not None and not desk.drained  # one that is worked off may have nothing to quote
            if quotes or engine.orders.at_risk(desk.market):
                self._busy_s[desk.market] = now
            self._busy_s.setdefault(desk.market, now)
        if now - self._looked_s < AUTO_SEC or engine.stopping:
            return []
        self._looked_s = now
        if engine.is_killed or engine.reconciliation.recovering():
            return []
        held = engine.books.portfolio.positions.values()
        settings = engine.settings
        least = Shares(round(settings.merge_min_shares * MICRO))
        if settings.auto_redeem and any(one.payout is not None for one in held):
            plan = self.jobs.auto_redeem(self._stocks(now), self._purse(), now, unix)
            if plan is not None:
                return self._start(plan, "auto", "the question is resolved", unix)
        if settings.auto_merge and any(one.inventory.pairs >= least for one in held):
            due = self.jobs.auto(self._stocks(now), self._purse(), least, now, unix)
            if due is not None:
                return self._start(due[0], "auto", due[1], unix)
        return []

    def take(self, event: JobSeen, now: float) -> list[Action]:
        """Note how far a job has come, and book what it did once it is confirmed."""
        unix = now + self._engine.wall_s
        view = self.jobs.find(event.job_id)
        actions: list[Action] = []
        for effect in self.jobs.take(event, now, unix):
            actions += self._engine.books.enter(effect.market, effect.key, effect.entry, "job", unix, effect.text)
        if view is not None and view.job.kind == "redeem" and event.state == "confirmed":
            self._forget_foreign(view.job.market)
        self._lock()
        self._engine.all_due()
        if (
            view is not None
            and event.state in ("confirmed", "failed", "refused", "unknown")
            and view.state != event.state
        ):
            severity: Literal["info", "warning"] = "info" if event.state == "confirmed" else "warning"
            what = f"{view.job.kind} {micro_text(view.job.size)} {event.state}"
            detail = f": {event.detail}" if event.detail and event.state != "confirmed" else ""
            actions.append(Note(severity, view.job.market, what + detail))
        return actions

    def _start(self, plan: Plan, who: str, reason: str, unix: float) -> list[Action]:
        job = self.jobs.start(plan, who, reason, unix)
        self._lock()
        self._engine.all_due()
        text = f"{plan.words(self._name)}; job {job.job_id} by {who}: {reason}"
        return [SendJob(job), Note("info", job.market, text)]

    def _forget_foreign(self, market: str) -> None:
        """A redemption takes both tokens whole, whosoever they were (polymarket-api.md 11)."""
        desk, foreign = self._engine.desks.get(market), self._engine.reconciliation.foreign.shares
        instrument = self.elsewhere.get(market) if desk is None else desk.instrument
        if instrument is not None:
            foreign.pop(instrument.yes_token, None)
            foreign.pop(instrument.no_token, None)

    def _lock(self) -> None:
        """Tell every position what jobs under way may take of it."""
        for market, position in self._engine.books.portfolio.positions.items():
            position.locked_yes = self.jobs.reserved(market, "YES")
            position.locked_no = self.jobs.reserved(market, "NO")

    def _name(self, market: str) -> str:
        desk = self._engine.desks.get(market)
        instrument = self.elsewhere.get(market) if desk is None else desk.instrument
        return market[:14] if instrument is None else instrument.title[:40]

    def _stocks(self, now: float) -> dict[str, Stock]:
        """Every market that is made, and every other in which something is held."""
        desks = self._engine.desks
        known = {desk.market: desk.instrument for desk in desks.values()}
        return {market: self._stock(instrument, now) for market, instrument in (self.elsewhere | known).items()}

    def _stock(self, instrument: Instrument, now: float) -> Stock:
        engine, market = self._engine, instrument.market
        desk, position = engine.desks.get(market), engine.books.portfolio.position(market)
        foreign = engine.reconciliation.foreign.shares
        return Stock(
            market=market,
            yes_token=instrument.yes_token,
            no_token=instrument.no_token,
            yes=Shares(max(0, position.settled_yes)),
            no=Shares(max(0, position.settled_no)),
            selling_yes=engine.orders.reserved_shares(market, "YES"),
            selling_no=engine.orders.reserved_shares(market, "NO"),
            foreign_yes=foreign.get(instrument.yes_token, Shares(0)),
            foreign_no=foreign.get(instrument.no_token, Shares(0)),
            is_settled=not position.provisional,
            is_idle=desk is None or now - self._busy_s.get(market, now) >= IDLE_SEC,
            fair=engine.books.mark_of(market) if desk is None else desk.mark(now),
            payout=position.payout,
            neg_risk=instrument.neg_risk,
            group=instrument.group,
            group_size=instrument.group_size,
            group_index=instrument.group_index,
        )

    def _purse(self) -> Purse:
        engine = self._engine
        bought = [known.fill for known in engine.orders.book.open() if known.fill.order_side == "BUY"]
        return Purse(
            venue=self.route.venue,
            cash=Usd(engine.books.cash + sum(fill.usd * fill.size // MICRO for fill in bought)),
            buying=Usd(engine.orders.reserved_cash() + sum(fill.usd * fill.size // MICRO for fill in bought)),
            is_scarce=any(_is_short(desk) for desk in engine.desks.values()),
            route=self.route.route,
            obstacle=self.route.obstacle,
        )


def _is_short(desk: Desk) -> bool:
    """A market's quotes are smaller than they should be for want of cash."""
    plan = desk.plan
    lacks = plan is not None and "no_funds" in (plan.bid.reason, plan.ask.reason)
    return lacks or any(held.why == _SHORT_OF_CASH for held in desk.held_back)
