"""What a flattening would do and cost, told before anything is done."""

from collections.abc import Sequence
from typing import Final

import msgspec

from core.flatten.cost import Blocked, Terms, cost_of_fill, most_lost_resting, next_crossing, value_of
from core.market.book import Level
from core.market.fees import taker_fee
from core.units import MICRO, SIZE_QUANTUM, Outcome, Shares, Ticks, Usd, micro_text

HOLDS_SEC: Final = 30.0
"""For so long a preview may be confirmed."""
_TITLE: Final = 40
"""Characters of a title in a list of markets."""
MOVED_TICKS: Final = 1
"""The touch may have moved by as much since."""


class Facts(msgspec.Struct, frozen=True):
    """One market as it stands, in the frame of the token that a flattening sells."""

    market: str
    title: str
    """Foreign text."""
    yes: Shares
    no: Shares
    outcome: Outcome
    """Which token is sold: the one of which more is held."""
    free: Shares
    """Shares of it that are settled and in no operation."""
    cost: Usd
    """What a share of it cost on average, micro-dollars."""
    fair: Usd | None
    """Of a share of it, micro-dollars; None while nobody knows."""
    bids: tuple[Level, ...]
    """Of others for it, best first; () while the book is not to be believed."""
    ask: Ticks | None
    """Best of others."""
    unproven: str
    """Why the book is not to be believed, in words; "" when it is proven."""
    proof_age_s: float
    merge_why_not: str
    """Why pairs cannot be merged, in words; "" when they can."""
    route: str
    """By which a merge would leave; "" without one."""
    flow: float
    """Micro-shares a second that takers have bought of the token in the last minute."""


class Preview(msgspec.Struct, frozen=True):
    """What would be done in one market; amounts in micro-dollars."""

    facts: Facts
    terms: Terms
    size: Shares
    """To be sold."""
    merge: Shares
    """Pairs to be merged first; 0 when none are, or none can be."""
    cap: Usd
    """Most it may cost."""
    passive_s: float
    resting: Ticks | None
    """Where it would rest; None when the token's price is nowhere."""
    rests: Shares
    """What is to be expected to fill there."""
    crossed: tuple[Level, ...]
    """What would be taken of the book as it is, best first."""
    fee: Usd
    expected: Usd
    """Cost; negative when it earns."""
    refused: str
    """Why nothing, or no more, would be crossed, in words; ""."""
    left: Shares
    """What is not to be expected to be sold within the cap."""
    profit: Usd
    """Realised by all this against average cost, when it goes as expected."""

    @property
    def worst(self) -> Usd:
        """Most that can be lost: the cap, or all that the shares are worth."""
        return min(self.cap, value_of(self.facts.fair or Usd(0), self.size))

    def words(self) -> str:
        """The lines for people."""
        facts = self.facts
        both = f"{size_text(facts.yes)} YES, {size_text(facts.no)} NO"
        lines = [f"{facts.title[:60]}: {both}; book proven {facts.proof_age_s:.0f} s ago"]
        pairs = min(facts.yes, facts.no)
        if self.merge:
            merged = size_text(self.merge)
            lines.append(f"merge {merged} YES with as many NO into {_usd(Usd(self.merge))}, by {facts.route}")
        elif pairs >= SIZE_QUANTUM:
            lines.append(f"{size_text(pairs)} pairs stay: {facts.merge_why_not}")
        if self.size:
            where = "" if self.resting is None else f" at {self._at(self.resting)}"
            lines.append(
                f"sell {size_text(self.size)} {facts.outcome}: wait{where} for {self.passive_s:.0f} s, "
                f"about {size_text(self.rests)} sold so"
            )
            if facts.free < self.size:
                lines.append(f"{size_text(self.size - facts.free)} of them wait, not settled yet")
            if self.crossed:
                levels = ", ".join(f"{size_text(size)} at {self._at(price)}" for price, size in self.crossed)
                lines.append(f"then take {levels}; fee {_usd(self.fee)}")
            if self.left:
                lines.append(f"{size_text(self.left)} {facts.outcome} may stay: {self.refused or 'nobody takes them'}")
            elif self.refused:
                lines.append(f"takes no more: {self.refused}")
            lines.append(
                f"{cost_words(self.expected, self.worst)} (cap {_usd(self.cap)}), "
                f"against fair {self._fair()}; realised {_usd(self.profit)}"
            )
        return "\n".join(lines)

    def line(self) -> str:
        """The same in one line, for a list of markets."""
        facts = self.facts
        merged = f"merge {size_text(self.merge)} pairs, " if self.merge else ""
        sold = f"sell {size_text(self.size)} {facts.outcome}, " if self.size else ""
        cost = cost_words(self.expected, self.worst)
        stays = f"; {size_text(self.left)} may stay: {self.refused}" if self.left else ""
        held = f"{size_text(facts.yes)} YES {size_text(facts.no)} NO"
        title = facts.title if len(facts.title) <= _TITLE else f"{facts.title[: _TITLE - 1]}…"
        return f"{title}: {held}; {merged}{sold}{cost}{stays}"

    def _fair(self) -> str:
        """The fair value in cents of the token that is sold, and of YES where that is another."""
        fair = self.facts.fair or 0
        if self.facts.outcome == "YES":
            return _cents(fair)
        return f"{_cents(fair)} NO ({_cents(MICRO - fair)} YES)"

    def _at(self, price: Ticks) -> str:
        return f"{self.terms.grid.cents(price)}c"


def size_text(size: int) -> str:
    """A size for people: two decimals at most, cut."""
    return micro_text(size // SIZE_QUANTUM * SIZE_QUANTUM)


def why_nothing(facts: Facts) -> str:
    """Why a market cannot be flattened at all, in words; "" when it can."""
    size = abs(facts.yes - facts.no)
    pairs = min(facts.yes, facts.no) if not facts.merge_why_not else 0
    if size < SIZE_QUANTUM and pairs < SIZE_QUANTUM:
        return "nothing to flatten" + (f": {facts.merge_why_not}" if min(facts.yes, facts.no) > 0 else "")
    if size >= SIZE_QUANTUM and facts.fair is None:
        return "no fair value: what it costs could not be told"
    if size >= SIZE_QUANTUM and facts.unproven:
        return f"the book is not proven: {facts.unproven}"
    return ""


def preview(facts: Facts, terms: Terms, cap: Usd, passive_s: float, resting: Ticks | None, least: Shares) -> Preview:
    """What flattening a market would do and cost as its book stands.

    Args:
        facts: the market; :func:`why_nothing` says that it can be flattened.
        terms: with the fair value of ``facts``.
        cap: most it may cost.
        passive_s: how long it would wait at the touch.
        resting: where; None when nowhere.
        least: smallest size that may rest.
    """
    size = Shares(abs(facts.yes - facts.no) // SIZE_QUANTUM * SIZE_QUANTUM)
    rests = Shares(0)
    if resting is not None and size >= least:
        rests = Shares(min(size, round(facts.flow * passive_s)) // SIZE_QUANTUM * SIZE_QUANTUM)
    gained = 0 if resting is None else terms.grid.notional(resting, rests)
    spent = 0 if resting is None else most_lost_resting(resting, rests, terms)
    crossed, refused = walk(facts.bids, Shares(size - rests), Usd(cap - spent), terms)
    fee = 0
    for price, taken in crossed:
        gained += terms.grid.notional(price, taken)
        fee += 0 if terms.fees is None else taker_fee(terms.grid.dollars_of(price), taken, terms.fees)
    sold = rests + sum(taken for _, taken in crossed)
    return Preview(
        facts=facts,
        terms=terms,
        size=size,
        merge=Shares(0) if facts.merge_why_not else Shares(min(facts.yes, facts.no)),
        cap=cap,
        passive_s=passive_s,
        resting=resting,
        rests=rests,
        crossed=tuple(crossed),
        fee=Usd(fee),
        expected=Usd(-(-terms.fair * sold // MICRO) - gained + fee),
        refused=refused,
        left=Shares(size - sold),
        profit=Usd(gained - fee - facts.cost * sold // MICRO),
    )


def walk(bids: Sequence[Level], size: Shares, left: Usd, terms: Terms) -> tuple[list[Level], str]:
    """What crossing would take of a book that stands still: order by order, each within what the last ones left.

    Returns:
        Levels taken, best first, and why there are no more of them; "" when nothing is left.
    """
    taken: list[Level] = []
    rest, anchor = list(bids), None if not bids else bids[0][0]
    while size >= SIZE_QUANTUM:
        order = next_crossing(rest, size, left, anchor, terms)
        if isinstance(order, Blocked):
            return _joined(taken), order.why
        wanted: int = order.size
        while wanted:
            price, shown = rest.pop(0)
            part = Shares(min(wanted, shown))
            if part < shown:
                rest.insert(0, (price, Shares(shown - part)))
            taken.append((price, part))
            wanted -= part
            left = Usd(left + -cost_of_part(price, part, terms) // MICRO)
            size, anchor = Shares(size - part), price
    return _joined(taken), ""


def cost_of_part(price: Ticks, size: Shares, terms: Terms) -> int:
    """What crossing so much at a price costs as far as the cap is concerned, millionths of a micro-dollar."""
    usd = terms.grid.dollars_of(price)
    return cost_of_fill(terms.fair, usd, size, Usd(0) if terms.fees is None else taker_fee(usd, size, terms.fees))


def why_stale(before: Facts, now: Facts) -> str:
    """Why what was previewed does not hold any more, in words; "" when it does."""
    for outcome, was, is_now in (("YES", before.yes, now.yes), ("NO", before.no, now.no)):
        if abs(was - is_now) >= SIZE_QUANTUM:
            return f"the position has moved: {size_text(was)} {outcome} then, {size_text(is_now)} now"
    if abs(before.yes - before.no) < SIZE_QUANTUM:
        return ""
    if why := why_nothing(now):
        return why
    then, touch = _touch(before), _touch(now)
    for name, was_at, is_at in (("bid", then[0], touch[0]), ("ask", then[1], touch[1])):
        if (was_at is None) != (is_at is None) or abs((was_at or 0) - (is_at or 0)) > MOVED_TICKS:
            return f"the best {name} has moved by more than a tick"
    return ""


def _touch(facts: Facts) -> tuple[Ticks | None, Ticks | None]:
    return facts.bids[0][0] if facts.bids else None, facts.ask


def _joined(levels: list[Level]) -> list[Level]:
    """Parts of one level as one."""
    sums: dict[Ticks, Shares] = {}
    for price, size in levels:
        sums[price] = Shares(sums.get(price, 0) + size)
    return list(sums.items())


def cost_words(expected: Usd, worst: Usd) -> str:
    """What something costs, or earns, as expected and at worst: ``cost $2.52, at worst $6.97``."""
    return f"{'cost' if expected >= 0 else 'earns'} {_usd(Usd(abs(expected)))}, at worst cost {_usd(worst)}"


def _cents(price: int) -> str:
    """A price of a share, micro-dollars, for people: ``47.54c``."""
    return f"{price * 100 / MICRO:.2f}c"


def _usd(amount: Usd) -> str:
    return f"{'−' if amount < 0 else ''}${abs(amount) / MICRO:,.2f}"
