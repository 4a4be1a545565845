"""What the market list says of the markets that are made: who is to be drained, who may be let go, and within what.

Markets come at any time and leave when nothing of ours is left in them. What the list says can only narrow: a drained
market reduces whatever operators resume, a stricter state of theirs stays, its profile and its cap at cost lower what
the settings allow (reliability.md 5, 26). The list itself is read, checked and screened elsewhere.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from core.actions import Action, Note, Retire
from core.desk import WAITS, Desk
from core.errors import ConfigError
from core.events import InstrumentAdded, InstrumentChanged, MarketListed
from core.market.changed import changes, contradictions, with_facts
from core.market.instrument import Instrument
from core.portfolio.ledger import Pico, usd_of
from core.profiles import Listed, Live
from core.risk.control import RESUMABLE, Control
from core.risk.permission import clause_of
from core.units import OUTCOMES, Usd, micro_text

if TYPE_CHECKING:
    from core.engine import Engine

QUIET_SEC: Final = 60.0
"""For so long nothing of ours is left before a market is let go: what trades late is told by then."""
AUTHOR: Final = "the market list"
TICKS: Final = ("0.01", "0.001")
"""One of each kind of grid: some profiles go by it."""
WAY_BACK: Final = "the list and its screen have to want it again"
"""What ends a drain, in words."""


class _Way(NamedTuple):
    """How what is held leaves a market."""

    words: str
    """"" when quotes alone sell it."""
    by: Literal["quotes", "flattening", "operation"]


class Listings:
    """The list's hand on one engine. ``now`` is monotonic seconds."""

    def __init__(self, engine: "Engine", *, own_in_book: bool) -> None:
        self._engine = engine
        self._own_in_book = own_in_book
        self._leaving: dict[str, float] = {}
        """Markets off the list, and since when nothing of ours is left there; infinity while something is."""

    # Coming

    def add(self, event: InstrumentAdded, now: float) -> list[Action]:
        """Make a market from now on; one that is made already stays as it is.

        Raises:
            ConfigError: the operator's own settings do not fit it.
        """
        engine, instrument = self._engine, event.instrument
        if instrument.market in engine.desks:
            return []
        if any(engine.data.find(token) is not None for token in (instrument.yes_token, instrument.no_token)):
            text = "a token of it belongs to a market that is made: this one is not"
            return [Note("alarm", instrument.market, text)]
        listed, wrong = self._fitting(instrument, event.profile, event.max_usd)
        desk = Desk(
            instrument,
            engine.settings,
            engine.orders,
            engine.books.portfolio.position(instrument.market),
            own_in_book=self._own_in_book,
            proof=engine.data.proof,
            profiles=engine.profiles,
            listed=listed,
        )
        engine.orders.regrid(instrument.market, instrument.grid)
        engine.data.add(desk, now)
        engine.groups.add(desk)
        engine.gatekeeper.add(desk)
        engine.reconciliation.add(desk, now)
        actions = [*engine.operating.added(desk, now), *self._drain(desk, wrong, now)]
        if not engine.account.is_open:
            return actions
        too_large = engine.valuing.oversized(desk.settings)
        warned = [Note("warning", desk.market, too_large)] if too_large else []
        return [*warned, *actions]

    def take(self, event: MarketListed, now: float) -> list[Action]:
        """Heed what the list says of a market now; of one that is not made it says nothing here."""
        desk = self._engine.desks.get(event.market)
        if desk is None:
            return []
        listed, wrong = self._fitting(desk.instrument, event.profile, event.max_usd, desk)
        actions = self._narrow(desk, listed, now)
        drain = event.drain or ("off the list" if event.retires else "") or wrong
        actions += self._drain(desk, drain, now)
        if event.retires:
            self._leaving.setdefault(desk.market, math.inf)
        else:
            self._leaving.pop(desk.market, None)
        return actions

    def change(self, event: InstrumentChanged, now: float) -> list[Action]:
        """Go on with what the venue says now of a market; what would make it another market is not believed."""
        engine, told = self._engine, event.instrument
        desk = engine.desks.get(told.market)
        if desk is None:
            return []
        known = desk.instrument
        if others := contradictions(known, told):
            text = f"the venue calls it another market, which is not believed: {'; '.join(others)}"
            return [Note("alarm", desk.market, text)]
        fresh = with_facts(known, told)
        if fresh == known:
            return []
        profile = desk.profile
        desk.heed_facts(fresh, now)
        engine.gatekeeper.add(desk)
        engine.groups.heed_facts(desk)
        engine.wake_at_once(now)
        words = changes(known, fresh)
        if desk.profile != profile:
            words.append(f"profile {profile} -> {desk.profile}")
        times = (known.game_start_unix, known.end_unix) != (fresh.game_start_unix, fresh.end_unix)
        return [Note("warning" if times else "info", desk.market, f"the venue has changed it: {'; '.join(words)}")]

    def _fitting(
        self, instrument: Instrument, profile: str, max_usd: Usd | None, desk: Desk | None = None
    ) -> tuple[Listed, str]:
        """What is asked for as far as it can be carried out, and why it cannot be in full, in words; ""."""
        profiles, bankroll = self._engine.profiles, self._engine.account.bankroll
        wrong = "" if max_usd is None or max_usd > 0 else "the list lets it lose nothing"
        if profiles is None:
            return Listed("", max_usd), wrong or (profile and "the list names a profile, and this run has none")
        try:
            live = Live() if desk is None else desk.live
            made = profiles.for_market(instrument, live, profile)
            for tick in TICKS if profile else ():  # it may change any moment
                profiles.for_market(msgspec.structs.replace(instrument, tick_text=tick), live, profile)
        except ConfigError as error:
            return Listed("", max_usd), wrong or f"its profile cannot be used: {error}"
        if bankroll is not None and not wrong:
            try:
                self._engine.valuing.check_sizes(made.settings)
            except ConfigError as error:
                wrong = str(error)
        return Listed(profile, max_usd), wrong

    def _narrow(self, desk: Desk, listed: Listed, now: float) -> list[Action]:
        """Quote within what the list asks; where more may be lost already, what adds to that goes at once."""
        if listed == desk.listed:
            return []
        desk.heed_list(listed, now)
        self._engine.wake_at_once(now)
        told = [f"profile {listed.profile}"] if listed.profile else []
        told += [f"may lose {micro_text(listed.max_usd)} dollars at most"] if listed.max_usd is not None else []
        text = f"by the market list: {', '.join(told) or 'as the settings say'}"
        keeper, bankroll = self._engine.gatekeeper, self._engine.account.bankroll
        worst = keeper.exposures.loss(desk.market).worst
        if bankroll is None or worst <= (most := keeper.rules(desk).limits(bankroll).market):
            return [Note("info", desk.market, text)]
        text += f"; {micro_text(usd_of(Pico(worst)))} could be lost, {micro_text(usd_of(Pico(most)))} are allowed"
        return [Note("warning", desk.market, text), *self._engine.stops.pull_adding(desk, "over the list's cap", now)]

    def _drain(self, desk: Desk, why: str, now: float) -> list[Action]:
        """Let a market only reduce for a reason in words, or as usual again with ""."""
        market, controls = desk.market, self._engine.controls
        desk.drained, held = bool(why), controls.find(market, "", "selection")
        if not why:
            if held is None:
                return []
            self._engine.stops.lift(("selection",), now, market=market)
            return [Note("info", market, "the market list wants it as usual again")]
        reason = f"{why}; a resume does not lift this: {WAY_BACK}"
        if held is not None and held.reason == reason:
            return []
        control = Control("REDUCE_ONLY", reason, "selection", author=AUTHOR, market=market)
        return [*self._engine.stops.set(control, now), Note("warning", market, control.told)]

    # Leaving

    def advance(self, now: float) -> list[Action]:
        """Let go of markets off the list in which nothing of ours has been left for a while."""
        engine, actions = self._engine, list[Action]()
        for market, since_s in list(self._leaving.items()):
            desk = engine.desks[market]
            if next(self._left(desk, now), ""):
                self._leaving[market] = math.inf
            elif math.isinf(since_s):
                self._leaving[market] = now
            elif not (engine.stopping or self._waits(since_s, now)):
                actions += self._let_go(desk, now)
        return actions

    def remaining(self, market: str, now: float) -> str:
        """What of ours keeps a market off the list from being let go, in words; "" for one that is not leaving."""
        desk, since_s = self._engine.desks.get(market), self._leaving.get(market)
        if desk is None or since_s is None:
            return ""
        left = "; ".join(self._left(desk, now))
        return left or self._waits(now if math.isinf(since_s) else since_s, now) or "nothing: it is let go next"

    def _waits(self, since_s: float, now: float) -> str:
        """What has to be waited for since nothing is left, in words; "" when it is over."""
        engine = self._engine
        if now - since_s < QUIET_SEC:
            return f"nothing; it is let go in {QUIET_SEC - (now - since_s):.0f} s"
        if engine.reconciliation.recovering():
            return engine.reconciliation.recovering()
        read_until = engine.reconciliation.read_until_unix
        if read_until and read_until < since_s + engine.wall_s:
            return "nothing; the account's trades were not read since"
        return ""

    def _left(self, desk: Desk, now: float) -> Iterator[str]:
        """What of ours is in a market and may change or be moved, in words, and what forbids to reduce it."""
        engine, market, position = self._engine, desk.market, desk.position
        orders = engine.orders.at_risk(market)
        if orders:
            doubted = sum(order.in_doubt_since is not None for order in orders)
            yield f"{_count(len(orders), 'order')} may fill" + (f", {doubted} of unknown outcome" if doubted else "")
        open_fills = sum(1 for _ in engine.orders.book.open_in(market))
        if open_fills or position.provisional:
            yield f"{_count(max(open_fills, 1), 'trade')} not final"
        if desk.flattening is not None:
            yield "it is being flattened"
        if engine.inventory.jobs.touches(market):
            yield "an inventory operation is under way"
        if engine.books.unpriced.get(market):
            yield "shares wait for a price to be booked at"
        way = self._way_out(desk, now)
        if way is None:
            return
        yield f"{_held(desk)} held{way.words}"
        if obstacle := self._obstacle(desk, way, now):
            yield obstacle

    def _way_out(self, desk: Desk, now: float) -> _Way | None:
        """How what is held leaves; None when there is nothing that an order, a sale or an operation could move."""
        engine, least, net = self._engine, desk.instrument.min_size, abs(desk.inventory.net)
        is_decided = desk.resolved or desk.position.payout is not None
        if not is_decided:
            if net >= least:
                return _Way("", "quotes")
            if (waits := engine.flattening.prospect(desk, now)) is not None:
                told = f", fewer than the {micro_text(least)} that an order has at least: flatten it"
                return _Way(f"{told} ({waits} now)" if waits else told, "flattening")
        words = engine.inventory.way_out(desk.market, now, is_decided=is_decided)
        return None if words is None else _Way(f": {words}", "operation")

    def _obstacle(self, desk: Desk, way: _Way, now: float) -> str:
        """What forbids to sell what is held, and how that ends, in words; "" when nothing does."""
        engine = self._engine
        if way.by == "operation":
            return ""
        control = engine.control_of(desk, "ask" if desk.inventory.net > 0 else "bid")
        asked = engine.facts(desk, now)
        flattening = asked.flattening or way.by == "flattening"
        clause = clause_of(msgspec.structs.replace(asked, control=control, flattening=flattening))
        if clause is None or clause.words in WAITS:
            return ""
        if clause.words == control.words:
            return f"{control.words}; {self._end_of(control, now)}"
        if clause.code == "quarantine" and engine.findings.quarantine.why(desk.market, now):
            return f"{clause.words}; resume it when that is settled"
        return f"{clause.words}; flatten it" if clause.code == "stance" else clause.words

    def _end_of(self, control: Control, now: float) -> str:
        """How a state ends, in words."""
        scope = control.scope_words or "it"
        way = f"resume {scope}" if control.source in RESUMABLE else "re-arm"
        left_s = self._engine.controls.left_s(control, now)
        return way if left_s is None else f"{way}, or wait {left_s:.0f} s"

    def _let_go(self, desk: Desk, now: float) -> list[Action]:
        """Take a market out of every room; books, controls of others and what was found there stay."""
        engine, instrument, market = self._engine, desk.instrument, desk.market
        del self._leaving[market]
        engine.stops.lift(("selection",), now, market=market)
        engine.operating.removed(desk)
        engine.groups.remove(desk)
        engine.gatekeeper.remove(market)
        engine.earnings.forget(market)
        engine.protections.heed(market, frozenset())
        engine.reconciliation.remove(desk)
        engine.inventory.elsewhere[market] = instrument
        engine.data.remove(desk)
        text = "nothing of ours is left: made no longer"
        if held := _held(desk):
            text = f"nothing of ours can be moved: made no longer; the books keep {held}, for no order, sale or merge"
        return [
            Note("info", market, text),
            Retire(market=market, tokens=(instrument.yes_token, instrument.no_token)),
        ]


def _held(desk: Desk) -> str:
    """What is held of a market, in words; "" for nothing."""
    sizes = zip(OUTCOMES, (desk.inventory.yes, desk.inventory.no), strict=True)
    return " and ".join(f"{micro_text(size)} {outcome}" for outcome, size in sizes if size)


def _count(number: int, what: str) -> str:
    """A number of things for people."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
