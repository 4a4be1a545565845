"""One flattening at work: what is done next, and for how much at most.

Steps: our quotes go, pairs are merged, what is left rests at the touch until the deadline, then it crosses. At most one
order of the flattening is out at a time, and none is sent before everything else of ours in the market is gone; so the
cap holds by arithmetic: what was spent and what the one order can cost at worst never sum to more.
"""

import math
from typing import Final, Literal

import msgspec

from core.flatten.cost import Blocked, Terms, cost_of_fill, least_resting_price, next_crossing
from core.flatten.preview import Preview, size_text
from core.market.book import Level
from core.units import MICRO, SIZE_QUANTUM, Grid, Outcome, Shares, Ticks, Usd

MERGE_SEC: Final = 60.0
"""For so long a merge is waited for; it may end later."""
PATIENCE_SEC: Final = 60.0
"""Without a fill for so long, crossing ends with what is left."""
RESTING_SEC: Final = 3.0
"""An order at the touch stands for so long before it follows the touch."""
PAUSE_SEC: Final = 0.25
"""From a fill to the next order that crosses: the book has to show what was taken."""
MISSED_SEC: Final = 1.05
"""From one order to the next when nothing was sold: no sooner than the gate lets a quote be repeated."""

Step = Literal["merge", "passive", "cross", "stopping"]


class Look(msgspec.Struct, frozen=True):
    """The market at one moment, in the frame of the token that is sold; sizes in micro-shares."""

    now: float
    """Monotonic seconds."""
    left: Shares
    """To be sold: how much more of it is held than of the other; below 0 when it has turned."""
    free: Shares
    """Of the token, settled and in no operation; what open orders sell is not taken off."""
    orders: int
    """Ours at risk in the market, its own and others'."""
    is_crossing: bool
    """All of them are its own that cross: they end by themselves."""
    resting: tuple[Ticks, Shares, float] | None
    """The one order of ours that rests, if it is this flattening's: price, what remains, when it was placed."""
    bids: tuple[Level, ...]
    """Of others, best first."""
    ask: Ticks | None
    """Best of others."""
    fair: Usd | None
    """Now, micro-dollars."""
    pairs: Shares
    """That could be merged."""
    is_merging: bool
    """An operation is under way in the market."""
    may_cross: str
    """Why nothing may cross, in words; "" when the book is proven and orders may be sent."""
    may_rest: str
    """Why nothing new may rest."""
    must_pull: str
    """Why nothing may stay in the book."""


class Pull(msgspec.Struct, frozen=True):
    """Cancel everything of ours in the market."""


class MergePairs(msgspec.Struct, frozen=True):
    """Merge so many pairs."""

    size: Shares


class Rest(msgspec.Struct, frozen=True):
    """Sell post-only."""

    price: Ticks
    size: Shares


class Cross(msgspec.Struct, frozen=True):
    """Sell at no less than ``price`` what is there at once."""

    price: Ticks
    size: Shares


class End(msgspec.Struct, frozen=True):
    """It is over."""

    why: str
    """In words."""
    is_flat: bool


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do now."""


Wish = Pull | MergePairs | Rest | Cross | End | Wait


class Flattening:
    """The flattening of one market, from its confirmation to its end. Times are monotonic seconds."""

    def __init__(self, preview: Preview, author: str, now: float, least: Shares) -> None:
        """Begin at ``now``; ``least`` is the smallest size that may rest."""
        facts = preview.facts
        self.terms: Terms = preview.terms
        self.outcome: Outcome = facts.outcome
        self.cap = preview.worst
        self.author = author
        self.start = Shares(abs(facts.yes - facts.no) + 2 * preview.merge)
        """To be closed, of both tokens."""
        self.left = self.start
        self._spent = 0
        """Cost of all fills that lost anything, millionths of a micro-dollar."""
        self._cost = 0
        """Of all fills, those that gained included."""
        self.step: Step = "merge"
        self.text = "cancelling the quotes"
        self.intents: set[int] = set()
        """Of its own orders."""
        self.has_asked_to_merge = False
        self._why_stop = ""
        self._least = least
        self._merge = preview.merge
        self._passive_s = preview.passive_s
        self._anchor = facts.bids[0][0] if facts.bids else None
        """Where others last bid best, or something was last sold."""
        self._until_s = math.inf
        """When the step ends by itself."""
        self._moved_s = now
        """When something last came forward."""
        self._next_order_s = -math.inf

    @property
    def spent(self) -> Usd:
        """Cost of all fills that lost anything, rounded up; what others gained frees nothing to be lost."""
        return Usd(-(-self._spent // MICRO))

    @property
    def cost(self) -> Usd:
        """What all fills have cost together, rounded up; negative when they gained."""
        return Usd(-(-self._cost // MICRO))

    @property
    def until_s(self) -> float | None:
        """When the next step begins by itself; None when that is not timed."""
        return None if self._until_s == math.inf else self._until_s

    def change_grid(self, grid: Grid) -> None:
        """Go on with prices of another grid; dollars stay what they are."""
        old = self.terms.grid
        if grid is not old:
            self.terms = msgspec.structs.replace(self.terms, grid=grid)
            self._anchor = None if self._anchor is None else old.onto(grid, self._anchor)

    def stop(self, why: str) -> None:
        """End as soon as its orders are gone."""
        if self.step != "stopping":
            self.step, self._why_stop, self._until_s = "stopping", why, math.inf
            self.text = f"stopping: {why}"

    def filled(self, price: Usd, size: Shares, fee: Usd, now: float) -> None:
        """One of its orders was filled; what counts for the cap is not taken off again when the trade fails.

        Args:
            price: micro-dollars a share.
            size: filled.
            fee: paid.
            now: this moment.
        """
        self._spent += cost_of_fill(self.terms.fair, price, size, fee)
        self._cost += (self.terms.fair - price) * size + fee * MICRO
        self._moved_s = now
        if self.step == "cross":
            self._next_order_s = now + PAUSE_SEC
            sold_at = Ticks(price // self.terms.grid.tick_usd)
            self._anchor = sold_at if self._anchor is None else Ticks(min(self._anchor, sold_at))

    def failed(self, price: Usd, size: Shares, fee: Usd) -> None:
        """A fill of its own has turned out never to have been."""
        self._cost -= (self.terms.fair - price) * size + fee * MICRO

    def next(self, look: Look) -> Wish:
        """What to do now."""
        self.left = Shares(max(0, look.left) + 2 * (look.pairs if self.step == "merge" else 0))
        if look.must_pull and look.orders:
            self.text = f"waiting: {look.must_pull}"
            return Pull()
        match self.step:
            case "stopping":
                return self._stopping(look)
            case "merge":
                return self._merging(look)
        if look.left <= -SIZE_QUANTUM:  # a quote filled late
            return self._wind_up(look, "the position has turned", is_flat=False)
        if look.left < SIZE_QUANTUM:
            return self._wind_up(look, "flat", is_flat=True)
        self._follow(look)
        return self._passive(look) if self.step == "passive" else self._crossing(look)

    def _stopping(self, look: Look) -> Wish:
        if look.orders:
            return Pull()
        return End(self._why_stop, abs(look.left) < SIZE_QUANTUM)

    def _wind_up(self, look: Look, why: str, *, is_flat: bool) -> Wish:
        """End once nothing of ours is left that might change the position."""
        if look.orders:
            self.text = f"{why}; waiting for the end of its last order"
            return Pull()
        return End(why, is_flat)

    # Merge

    def _merging(self, look: Look) -> Wish:
        if self._until_s == math.inf:
            self._until_s = look.now + MERGE_SEC
        if look.orders:
            self.text = "cancelling the quotes"
            return Pull()
        is_late = look.now >= self._until_s
        if self._merge and not self.has_asked_to_merge and not is_late:
            if look.must_pull:
                self.text = f"waiting to merge: {look.must_pull}"
                return Wait()
            self.text = f"merging {size_text(min(self._merge, look.pairs))} pairs"
            return MergePairs(Shares(min(self._merge, look.pairs))) if look.pairs >= SIZE_QUANTUM else Wait()
        if self.has_asked_to_merge and look.is_merging and not is_late:
            self.text = "waiting for the merge"
            return Wait()
        self.step, self._until_s, self._moved_s = "passive", look.now + self._passive_s, look.now
        return self.next(look)

    # At the touch

    def _passive(self, look: Look) -> Wish:
        size = self._sellable(look)
        rested = Shares(0) if look.resting is None else look.resting[1]
        if look.now >= self._until_s or (size < self._least and not rested and look.free >= look.left):
            self.step, self._until_s, self._moved_s = "cross", math.inf, look.now
            return self._crossing(look)
        price = self.resting_price(size, look.bids, look.ask, look.fair)
        if look.resting is not None and look.orders == 1:
            self.text = f"{size_text(rested)} rest at {self._at(look.resting[0])}"
            is_old = look.now - look.resting[2] >= RESTING_SEC
            has_moved = price != look.resting[0] or size - rested >= self._least
            return Pull() if is_old and has_moved and not look.may_rest else Wait()
        if look.orders:
            self.text = "waiting for the end of an order"
            return Pull()
        if why := look.may_rest or ("" if size >= self._least else "shares have not settled yet"):
            self.text = f"waiting: {why}"
            return Wait()
        if price is None:
            self.text = "waiting: no price within the cap"
            return Wait()
        if look.now < self._next_order_s:
            return Wait()
        self._next_order_s = look.now + MISSED_SEC
        self.text = f"{size_text(size)} to rest at {self._at(price)}"
        return Rest(price, size)

    def resting_price(self, size: Shares, bids: tuple[Level, ...], ask: Ticks | None, fair: Usd | None) -> Ticks | None:
        """Where to rest: a tick inside the touch if that is worth the fair value, never crossing, within the cap."""
        floor = least_resting_price(size, Usd(self.cap - self.spent), self.terms)
        if floor is None:
            return None
        return passive_price(self.terms, bids, ask, fair, floor)

    # Across

    def _crossing(self, look: Look) -> Wish:
        if look.now - self._moved_s >= PATIENCE_SEC:
            return self._wind_up(look, f"nothing sold for {PATIENCE_SEC:.0f} s, {self.text}", is_flat=False)
        if look.orders:
            self.text = "waiting for the end of an order"
            return Wait() if look.is_crossing else Pull()
        if look.now < self._next_order_s:
            return Wait()
        size, why = self._sellable(look), look.may_cross
        if not why and size < SIZE_QUANTUM:
            why = "shares have not settled yet"
        if not why:
            order = next_crossing(list(look.bids), size, Usd(self.cap - self.spent), self._anchor, self.terms)
            if not isinstance(order, Blocked):
                self._next_order_s = look.now + MISSED_SEC
                self.text = f"crossing: {size_text(order.size)} at {self._at(order.price)} or better"
                return Cross(order.price, order.size)
            why = order.why
        self.text = f"not crossing: {why}"
        return Wait()

    def _follow(self, look: Look) -> None:
        """Keep step with the best bid as long as it moves in steps that are no gap; nothing is learned unproven."""
        if look.may_cross or not look.bids:
            return
        best = look.bids[0][0]
        if self._anchor is None or self._anchor - best <= self.terms.gap:
            self._anchor = best

    def _sellable(self, look: Look) -> Shares:
        return Shares(max(0, min(look.left, look.free)) // SIZE_QUANTUM * SIZE_QUANTUM)

    def _at(self, price: Ticks) -> str:
        return f"{self.terms.grid.cents(price)}c"


def passive_price(
    terms: Terms, bids: tuple[Level, ...], ask: Ticks | None, fair: Usd | None, floor: Ticks
) -> Ticks | None:
    """Where an order rests that is to be filled soon: a tick inside the touch, if that is worth the fair value.

    It joins the touch otherwise, crosses nothing, and stays at or above ``floor``; without asks it rests at the fair
    value. None when there is no such price.
    """
    grid = terms.grid
    fair_ticks = -(-(terms.fair if fair is None else fair) // grid.tick_usd)
    price = fair_ticks if ask is None else min(ask, max(fair_ticks, ask - 1))
    above_bid = bids[0][0] + 1 if bids else 1
    chosen = max(price, above_bid, floor, 1)
    return Ticks(chosen) if chosen < grid.k else None
