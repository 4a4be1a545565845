"""What a resume would do: which orders it would place, and what would keep markets from quoting all the same.

Everything is made from the engine as it stands, with the states lifted that a resume lifts; nothing changes.
"""

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from core.actions import Note
from core.decision import remaining_of
from core.desk import Desk
from core.events import OperatorCommand
from core.market.instrument import Instrument
from core.quoting.explain import why_words
from core.quoting.routing import Target
from core.risk.control import RESUMABLE, Controls, allows_orders
from core.risk.exposure import CostLimits, Loss, leg_of
from core.risk.permission import clause_of
from core.units import MICRO, SIDES, Usd

if TYPE_CHECKING:
    from core.engine import Engine

MOST_LINES = 10
"""Markets that are named because they would not quote."""


class _Prospect(NamedTuple):
    """What one market would do."""

    title: str
    """Foreign text."""
    placed: int
    usd: Usd
    """Of these orders, each at its own price in the frame of its token."""
    why_not: tuple[str, ...]
    """What keeps it, or a side of it, from quoting, in words."""


class _Taken:
    """What markets that are resumed before others would take of what all share.

    The markets of one event may hedge each other; here each takes all that it may lose, so what is told is no more than
    what will be placed, and may be a little less.
    """

    def __init__(self) -> None:
        self.exposure = 0
        """Micro-dollars at the fair value."""
        self.cash = 0
        """Micro-dollars."""
        self.orders = 0
        """How many."""
        self._cost = 0
        """Pico."""
        self._cost_of: defaultdict[str, int] = defaultdict(int)
        """The same by event."""

    def add(self, engine: "Engine", desk: Desk, wanted: list[Target], fair: float) -> None:
        """A market would place these."""
        grid, orders, net = desk.instrument.grid, engine.orders.at_risk(desk.market), desk.inventory.net
        self.orders += len(wanted)
        self.cash += sum([grid.notional(one.token_ticks, one.size) for one in wanted if one.order_side == "BUY"])
        size = {side: sum([one.size for one in wanted if one.side == side]) for side in SIDES}
        up = (net + remaining_of(orders, "bid") + size["bid"]) * fair
        down = (remaining_of(orders, "ask") + size["ask"] - net) * (1.0 - fair)
        self.exposure += max(0, round(max(up, down))) - desk.worst_exposure
        legs = [(one.side, leg_of(one.side, Usd(one.yes_ticks * grid.tick_usd), one.size)) for one in wanted]
        cost = {side: sum([leg.cost * leg.size for its, leg in legs if its == side]) for side in SIDES}
        loss = engine.gatekeeper.exposures.loss(desk.market)
        more = Loss(loss.yes + cost["ask"], loss.no + cost["bid"]).worst - loss.worst
        self._cost += more
        self._cost_of[desk.instrument.group] += more

    def cost_of(self, desk: Desk) -> CostLimits:
        """By how much the caps at cost of a market are smaller."""
        group = desk.instrument.group
        return CostLimits(0, self._cost_of[group] if group else 0, self._cost)


def preview_resume(engine: "Engine", command: OperatorCommand, now: float) -> Note:
    """What ``resume`` or ``resume_all`` would do at ``now``, monotonic seconds; the first line says it all."""
    market = command.market
    sides = ("", *SIDES) if command.sides == "both" else (command.sides,)
    controls = engine.controls.without(RESUMABLE, market, sides)
    is_whole = bool(market) and command.sides == "both"
    desks = [desk for desk in engine.desks.values() if market in ("", desk.market)]
    taken = _Taken()
    prospects = [_prospect(engine, desk, controls, taken, is_whole, now) for desk in desks]
    if not prospects:
        return Note("info", market, "will place no orders: the market is not made now")
    count = sum(one.placed for one in prospects)
    dollars = f"${sum(one.usd for one in prospects) / MICRO:,.0f}"
    text = f"will place {count} order{'' if count == 1 else 's'}, {dollars}"
    if market:
        return Note("info", market, "\n".join([text, *prospects[0].why_not]))
    quoting = sum(1 for one in prospects if one.placed)
    kept = [f"{one.title[:40]}: {'; '.join(one.why_not)}" for one in prospects if one.why_not]
    more = [f"and {len(kept) - MOST_LINES} more markets"] if len(kept) > MOST_LINES else []
    text += f", in {quoting} of {len(prospects)} markets"
    return Note("info", "", "\n".join([text, *kept[:MOST_LINES], *more]))


def _prospect(engine: "Engine", desk: Desk, controls: Controls, taken: _Taken, is_whole: bool, now: float) -> _Prospect:
    """What a market would do with ``controls`` in force, after those before it; what it takes is added to ``taken``.

    With ``is_whole`` its flattening and its closure end too.
    """
    unix, title = now + engine.wall_s, desk.instrument.title
    posture = desk.stance.preview(desk.settings, desk.stance.adjustments, now, unix)
    if desk.flattening is not None and not is_whole:
        return _Prospect(title, 0, Usd(0), ("it is being flattened",))
    control = controls.of(desk.market)
    facts = msgspec.structs.replace(
        engine.facts(desk, now),
        control=control,
        stance=posture.forbids,
        flattening=False,
        quarantine=engine.reconciliation.closed(desk.market, now, is_released=is_whole),
    )
    clause = clause_of(facts)
    why = engine.venue.short if clause is None else clause.words
    if why:
        return _Prospect(title, 0, Usd(0), (why,))
    of_sides = {side: controls.of_side(desk.market, side) for side in SIDES}
    around = engine.surroundings(desk, unix, now)
    around = msgspec.structs.replace(
        around,
        gross_room=Usd(around.gross_room - taken.exposure),
        plan_cash=Usd(around.plan_cash - taken.cash),
        cost_room=engine.gatekeeper.cost_room(desk, now, taken.cost_of(desk)),
        reduce_only=control.state == "REDUCE_ONLY" or bool(engine.books.trouble),
        held=tuple([side for side, one in of_sides.items() if not allows_orders(one.state)]),
        reducing=tuple([side for side, one in of_sides.items() if one.state == "REDUCE_ONLY"]),
    )
    draft = desk.preview(around, desk.settings, posture, desk.bounds)
    if draft is None:
        return _Prospect(title, 0, Usd(0), ("no fair value yet",))
    added = [target for verdict, target in zip(draft.diff.verdicts, draft.diff.matched, strict=True) if verdict.size]
    wanted = [*draft.diff.unplaced, *(target for target in added if target is not None)]
    room = max(0, engine.settings.max_open_orders - engine.orders.count() - taken.orders)
    full = (f"only {room} more orders may be open",) if len(wanted) > room else ()
    wanted = wanted[:room]
    taken.add(engine, desk, wanted, desk.watch.fair.value_at(now) or 0.5)
    missing = tuple(
        f"no {side}: {of_sides[side].words if plan.reason == 'held' else why_words(plan.reason)}"
        for side, plan in zip(SIDES, (draft.plan.bid, draft.plan.ask), strict=True)
        if plan.reason != "ok"
    )
    held = (control.words,) if control.state != "ACTIVE" else ()
    return _Prospect(title, len(wanted), _usd(wanted, desk.instrument), (*held, *missing, *full))


def _usd(targets: list[Target], instrument: Instrument) -> Usd:
    return Usd(sum([instrument.grid.notional(target.token_ticks, target.size) for target in targets]))
