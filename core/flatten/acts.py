"""Flattenings as the engine carries them out: previews, confirmations, and what each market's machine wishes next."""

import math
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from core.actions import Action, Note, refusal
from core.desk import WAITS, Desk
from core.events import OperatorCommand
from core.flatten.cost import LEAST_TAKEN, Terms, value_of
from core.flatten.machine import Cross, End, Flattening, Look, MergePairs, Pull, Wait, Wish, passive_price
from core.flatten.preview import (
    HOLDS_SEC,
    Facts,
    Preview,
    cost_words,
    preview,
    size_text,
    walk,
    why_nothing,
    why_stale,
)
from core.jobs.planning import Refused
from core.market.book import Level
from core.quoting.explain import NANO, LayerExplanation, Term
from core.risk.control import Control
from core.risk.permission import clause_of
from core.units import MICRO, SIZE_QUANTUM, Outcome, Shares, Side, Ticks, Usd

if TYPE_CHECKING:
    from core.engine import Engine

MOST_PASSIVE_SEC: Final = 86_400.0
KEPT_OFFERS: Final = 20
"""Previews that wait to be confirmed."""
_ENDING: Final = frozenset({"CANCEL_ONLY", "KILLED"})
"""Control states in which a flattening is over."""


class _Offer(msgspec.Struct, frozen=True):
    """A preview that may be confirmed once."""

    market: str
    """"" for all."""
    previews: tuple[Preview, ...]
    made_s: float
    most_cost: Usd | None
    """As it was asked for; None: by the settings."""
    passive_s: float | None


class FlattenActs:
    """The flattenings of one engine. Times are monotonic seconds.

    A restart ends them: what was confirmed belongs to the fair value and the book of then. Their markets stay paused.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._offers: dict[str, _Offer] = {}
        self._count = 0

    # What an operator asks for

    def command(self, command: OperatorCommand, now: float) -> list[Action]:
        """Carry out ``flatten``, ``flatten_all`` or ``flatten_stop``; what is refused changes nothing."""
        market = "" if command.act == "flatten_all" else command.market
        if market and market not in self._engine.desks:
            return [refusal("", f"{command.act}: no such market")]
        if command.act == "flatten_stop":
            return self._stop(market, command.who)
        if not market and command.act == "flatten":
            return [refusal("", "flatten: which market?")]
        return self._preview(command, market, now) if command.preview else self._confirm(command, market, now)

    def stop(self, market: str, why: str) -> int:
        """Let the flattening of a market, or of all with "", end between two steps; returns how many that are."""
        under_way = [desk.flattening for desk in self._desks(market) if desk.flattening is not None]
        for machine in under_way:
            machine.stop(why)
        return len(under_way)

    def recover(self, now: float) -> list[Action]:
        """Turn what an earlier session left under way into a pause: nobody bounds its cost any more."""
        actions: list[Action] = []
        for control in self._engine.controls.held():
            if control.source == "flatten" and control.state == "REDUCE_ONLY":
                text = "a flattening ended with its session; preview it anew to go on"
                paused = msgspec.structs.replace(control, state="PAUSED", reason=text)
                actions += [*self._engine.stops.set(paused, now), Note("warning", control.market, text)]
        return actions

    def _stop(self, market: str, who: str) -> list[Action]:
        count = self.stop(market, f"stopped by {who}")
        for desk in self._desks(market):
            desk.touch_due()
        if not count:
            return [refusal(market, "flatten_stop: nothing is being flattened")]
        return [Note("info", market, f"stopping {count} flattenings" if count > 1 else "stopping the flattening")]

    def _preview(self, command: OperatorCommand, market: str, now: float) -> list[Action]:
        if why := _why_bad(command):
            return [refusal(market, f"{command.act}: {why}")]
        previews, refused = self._make(command, market, now)
        if not previews:
            return [refusal(market, f"{command.act}: {'; '.join(refused) or 'nothing to flatten'}")]
        token = self._offer(_Offer(market, tuple(previews), now, command.most_cost, command.passive_s))
        if market:
            return [Note("info", market, previews[0].words(), confirm=token)]
        expected, worst = sum(made.expected for made in previews), sum(made.worst for made in previews)
        lines = [made.line() for made in previews] + [f"not included: {line}" for line in refused]
        lines.append(f"in all: {cost_words(Usd(expected), Usd(worst))}")
        return [Note("info", market, "\n".join(lines), confirm=token)]

    def _make(self, command: OperatorCommand, market: str, now: float) -> tuple[list[Preview], list[str]]:
        """Previews of what can be flattened, and why the rest can not."""
        found: list[tuple[Desk, Facts]] = []
        refused: list[str] = []
        for desk in self._desks(market):
            facts = self._facts(desk, now)
            why = "it is being flattened" if desk.flattening is not None else why_nothing(facts)
            if not why:
                found.append((desk, facts))
            elif market or not why.startswith("nothing"):
                refused.append(why if market else f"{facts.title[:40]}: {why}")
        whole = sum(_value(facts) for _, facts in found)
        previews = []
        for desk, facts in found:
            value, settings = _value(facts), desk.settings
            cap = Usd(math.floor(settings.flatten_cost_frac * value))
            if command.most_cost is not None:
                cap = Usd(command.most_cost * value // whole) if whole else Usd(0)
            wait_s = settings.flatten_passive_sec if command.passive_s is None else command.passive_s
            grid, fair = desk.instrument.grid, facts.fair or Usd(0)
            terms = Terms(fair, grid, desk.instrument.fees, settings.flatten_gap_ticks)
            resting = passive_price(terms, facts.bids, facts.ask, facts.fair, Ticks(1)) if facts.fair else None
            previews.append(preview(facts, terms, cap, wait_s, resting, desk.instrument.min_size))
        return previews, refused

    def _offer(self, offer: _Offer) -> str:
        """Remember a preview; returns what confirms it, the same in every run of the same events."""
        self._count += 1
        token = sha256(f"{self._count}/{offer.market}/{offer.made_s!r}".encode()).hexdigest()[:8]
        self._offers[token] = offer
        while len(self._offers) > KEPT_OFFERS:
            del self._offers[next(iter(self._offers))]
        return token

    def _confirm(self, command: OperatorCommand, market: str, now: float) -> list[Action]:
        """Begin what was previewed, if everything still is as it was then."""
        offer = self._offers.get(command.confirm)
        if offer is None or offer.market != market:
            why = "no such preview, or it was used already" if command.confirm else "it needs the word of a preview"
        else:
            del self._offers[command.confirm]
            why = _why_other(offer, command) or self._why_not(offer, now)
        if why or offer is None:
            return [refusal(market, f"{command.act}: {why}; ask for a new preview")]
        actions: list[Action] = []
        for made in offer.previews:
            actions += self._begin(made, command.who, now)
        return actions

    def _why_not(self, offer: _Offer, now: float) -> str:
        """Why a preview cannot be confirmed any more, in words; "" when it can."""
        if now - offer.made_s > HOLDS_SEC:
            return f"the preview is {now - offer.made_s:.0f} s old, {HOLDS_SEC:.0f} s are the most"
        for made in offer.previews:
            desk = self._engine.desks.get(made.facts.market)
            if desk is None:
                return "a market of it is not made any more"
            if desk.flattening is not None:
                return "it is being flattened"
            state = self._engine.controls.of(desk.market).state
            if state in _ENDING:
                return f"the market is {state.lower().replace('_', '-')}"
            if desk.instrument.grid is not made.terms.grid:
                return "the tick of the market has changed"
            if desk.instrument.fees != made.terms.fees:
                return "the fees of the market have changed"
            if why := why_stale(made.facts, self._facts(desk, now)):
                return why
        return ""

    def _begin(self, made: Preview, who: str, now: float) -> list[Action]:
        desk = self._engine.desks[made.facts.market]
        desk.flattening = Flattening(made, who, now, desk.instrument.min_size)
        control = Control("REDUCE_ONLY", "flattening", "flatten", author=who, market=desk.market)
        actions = self._engine.stops.set(control, now)
        desk.touch_due()
        sold = f"selling {size_text(made.size)} {made.facts.outcome}" if made.size else "nothing to sell"
        merged = f"merging {size_text(made.merge)} pairs, " if made.merge else ""
        text = f"flattening: {merged}{sold}, for at most {made.worst / MICRO:.2f} dollars"
        return [*actions, *desk.pull("flattening", now), Note("info", desk.market, text)]

    def prospect(self, desk: Desk, now: float) -> str | None:
        """What crossing with the surplus of a token waits for, in words; "" for nothing, whatever the cost.

        None when there is too little of it, or nobody told what taking costs. While nobody bids, or the book is not
        to be believed, the fair value says what it is worth; a share whose value nobody knows may be worth a dollar.
        """
        instrument, net = desk.instrument, desk.inventory.net
        outcome: Outcome = "YES" if net > 0 else "NO"
        size = Shares(abs(net) // SIZE_QUANTUM * SIZE_QUANTUM)
        if not size:
            return None
        bids, _ = _sold_into(desk, outcome)
        waits = "" if desk.data_trouble in WAITS else desk.data_trouble
        if bids and not waits:
            terms = Terms(Usd(0), instrument.grid, instrument.fees, desk.settings.flatten_gap_ticks)
            return "" if walk(bids, size, Usd(size), terms)[0] else None
        fair = _fair_of(desk, outcome, now)
        worth = size if fair is None else value_of(fair, size)
        return waits or "nobody bids" if worth >= LEAST_TAKEN else None

    # What is under way

    def act(self, desk: Desk, machine: Flattening, now: float) -> list[Action]:
        """Let a market's machine take its next step."""
        machine.change_grid(desk.instrument.grid)
        state = self._engine.controls.of(desk.market).state
        if state in _ENDING:
            return self._end(desk, machine, End(state.lower().replace("_", "-"), is_flat=False), now)
        actions = self._carry_out(desk, machine, machine.next(self._look(desk, machine, now)), now)
        desk.step_aside(machine.text, now)
        return actions

    def _carry_out(self, desk: Desk, machine: Flattening, wish: Wish, now: float) -> list[Action]:
        match wish:
            case Wait():
                return []
            case Pull():
                return desk.pull(machine.text, now)
            case MergePairs(size):
                begun = self._engine.inventory.merge(desk.market, size, machine.author, now)
                if isinstance(begun, Refused):
                    machine.text = f"waiting to merge: {begun.why}"
                    return []
                machine.has_asked_to_merge = True
                return begun
            case End():
                return self._end(desk, machine, wish, now)
        side: Side = "ask" if machine.outcome == "YES" else "bid"
        ticks = wish.price if machine.outcome == "YES" else desk.instrument.grid.complement(wish.price)
        why = LayerExplanation(
            side, 0, ticks, wish.size, (Term("flatten", ticks * NANO),), (Term("position", wish.size),), "flatten"
        )
        placed = desk.orders.place(
            desk.instrument,
            outcome=machine.outcome,
            order_side="SELL",
            price=wish.price,
            size=wish.size,
            side=side,
            layer=0,
            reason=f"flattening: {machine.step}",
            now=now,
            explanation=why,
            settings_hash=desk.settings_hash,
            book=desk.book_name,
            crosses=isinstance(wish, Cross),
            flattens=True,
        )
        machine.intents.add(placed.intent)
        return [placed]

    def _end(self, desk: Desk, machine: Flattening, end: End, now: float) -> list[Action]:
        """Let go of a market: it is paused, and what is left is said."""
        desk.flattening = None
        inventory = desk.inventory
        both = (("YES", inventory.yes), ("NO", inventory.no))
        held = [f"{size_text(size)} {name}" for name, size in both if size >= SIZE_QUANTUM]
        left = f"{' and '.join(held)} left" if held else "nothing left"
        cost = f"cost {machine.cost / MICRO:.2f} of at most {machine.cap / MICRO:.2f} dollars"
        reason = "flattened" if end.is_flat else f"flattening ended: {end.why}"
        paused = Control("PAUSED", f"{reason}; {left}", "flatten", author=machine.author, market=desk.market)
        note = Note("info" if end.is_flat else "warning", desk.market, f"{reason}; {left}; {cost}; market paused")
        return [*self._engine.stops.set(paused, now), note]

    # Facts

    def _look(self, desk: Desk, machine: Flattening, now: float) -> Look:
        engine = self._engine
        bids, ask = _sold_into(desk, machine.outcome)
        at_risk = engine.orders.at_risk(desk.market)
        crossing = [order for order in at_risk if order.intent in machine.intents and order.crosses]
        own = [order for order in at_risk if order.intent in machine.intents and not order.crosses]
        resting = (own[0].price, own[0].remaining, own[0].created_s) if len(own) == 1 else None
        is_yes = machine.outcome == "YES"
        net = desk.inventory.net
        pull, hold = self._forbidden(desk, now)
        return Look(
            now=now,
            left=Shares(net if is_yes else -net),
            free=Shares(min(self._free(desk, machine.outcome), desk.position.closable("ask" if is_yes else "bid"))),
            orders=len(at_risk),
            is_crossing=len(crossing) == len(at_risk),
            resting=resting,
            bids=bids,
            ask=ask,
            fair=_fair_of(desk, machine.outcome, now),
            pairs=engine.inventory.pairs(desk.market),
            is_merging=engine.inventory.jobs.touches(desk.market),
            may_cross=pull or hold or ("the venue takes post-only orders alone" if engine.venue.is_post_only else ""),
            may_rest=pull or hold,
            must_pull=pull,
        )

    def _forbidden(self, desk: Desk, now: float) -> tuple[str, str]:
        """Why nothing of ours may stay in a market's book, and why nothing new may be placed, in words."""
        clause = clause_of(self._engine.facts(desk, now))
        refused = "the venue refused an order a moment ago" if desk.is_held(now) else ""
        if clause is None:
            return "", self._engine.venue.short or refused
        if clause.effect == "pull" and clause.words not in WAITS and clause.code != "recovering":
            return clause.words, ""
        return "", clause.words

    def _facts(self, desk: Desk, now: float) -> Facts:
        inventory, engine = desk.inventory, self._engine
        outcome: Outcome = "YES" if inventory.yes >= inventory.no else "NO"
        bids, ask = _sold_into(desk, outcome)
        age_s = engine.data_age_s(desk, now)
        unproven = "the question is resolved" if desk.resolved else desk.data_trouble
        if not unproven and age_s > desk.settings.stale_sec:
            unproven = f"nobody has vouched for it for {age_s:.0f} s"
        holding = desk.position.ledger.yes if outcome == "YES" else desk.position.ledger.no
        flow = desk.tape.taken_per_s(now, bought=outcome == "YES")
        return Facts(
            market=desk.market,
            title=desk.instrument.title,
            yes=inventory.yes,
            no=inventory.no,
            outcome=outcome,
            free=self._free(desk, outcome),
            cost=Usd(holding.cost // holding.shares if holding.shares > 0 else 0),
            fair=_fair_of(desk, outcome, now),
            bids=() if unproven else bids,
            ask=None if unproven else ask,
            unproven=unproven,
            proof_age_s=age_s,
            merge_why_not=engine.inventory.why_not_merge(desk.market, now),
            route=str(engine.inventory.route.route or ""),
            flow=flow,
        )

    def _free(self, desk: Desk, outcome: Outcome) -> Shares:
        """Settled shares of a token that no operation takes."""
        position = desk.position
        if outcome == "YES":
            return Shares(max(0, position.settled_yes - position.locked_yes))
        return Shares(max(0, position.settled_no - position.locked_no))

    def _desks(self, market: str) -> list[Desk]:
        desks = self._engine.desks
        return [desks[market]] if market else list(desks.values())


def _why_bad(command: OperatorCommand) -> str:
    """Why the numbers of a command are none, in words; "" when they are."""
    if command.most_cost is not None and command.most_cost < 0:
        return f"a cost of {command.most_cost / MICRO:g} dollars is no bound"
    if command.passive_s is not None and not 0 <= command.passive_s <= MOST_PASSIVE_SEC:
        return f"{command.passive_s:g} s is no time to wait"
    return ""


def _why_other(offer: _Offer, command: OperatorCommand) -> str:
    """Why a confirmation that names numbers does not mean a preview, in words; "" when it does, or names none."""
    if command.most_cost not in (None, offer.most_cost):
        return "it was previewed for another cost"
    if command.passive_s not in (None, offer.passive_s):
        return "it was previewed for another wait"
    return ""


def _value(facts: Facts) -> Usd:
    """What is to be sold is worth, micro-dollars."""
    return value_of(facts.fair or Usd(0), Shares(abs(facts.yes - facts.no) // SIZE_QUANTUM * SIZE_QUANTUM))


def _fair_of(desk: Desk, outcome: Outcome, now: float) -> Usd | None:
    """Fair value of a share of a token, micro-dollars; None while nobody knows."""
    mark = desk.mark(now)
    return mark if mark is None or outcome == "YES" else Usd(MICRO - mark)


def _sold_into(desk: Desk, outcome: Outcome) -> tuple[tuple[Level, ...], Ticks | None]:
    """Others' bids for a token, best first, and their best ask, in the token's frame."""
    bids, asks = desk.others()
    if outcome == "YES":
        return tuple(bids), asks[0][0] if asks else None
    grid = desk.instrument.grid
    mirrored = tuple((grid.complement(price), size) for price, size in asks)
    return mirrored, grid.complement(bids[0][0]) if bids else None
