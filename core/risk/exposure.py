"""What may be lost at most, at cost: every order that may fill counted as filled, every fill that may fail both ways.

A market's final lines make a net position on YES, entered at some cost; pairs are none. If the outcome that it is on
wins, it pays a dollar a share; if the other does, its cost is gone. A bid that fills adds to what is lost if NO wins,
an ask to what is lost if YES wins, and neither is credited with what it takes off the other. So whichever of them
fill, in whatever order, and whichever of the fills fail, no outcome loses more than is counted before. Prices of the
market have no part in it: what is counted changes by our own acts and fills alone, and only an order can raise it.

Of an event's markets one comes true at most: it loses most in one of its outcomes, or where another may win, in none.

Source: market-making.md 2.11, ``negrisk.worst_case``; reliability.md 3, I-1, I-2, I-32. All amounts are Pico, integers.
"""

from collections.abc import Iterable, Sequence
from heapq import nlargest
from typing import Final, NamedTuple

from core.orders.manager import OrderManager
from core.orders.order import Order
from core.portfolio.entries import Buy, Sell
from core.portfolio.ledger import Pico, usd_of
from core.portfolio.net import NetLedger
from core.portfolio.portfolio import Portfolio
from core.quoting.caps import CostRoom
from core.units import MICRO, Shares, Side, Usd


class Loss(NamedTuple):
    """What one market loses at cost by who wins; negative for a gain."""

    yes: int
    """If YES does."""
    no: int

    @property
    def worst(self) -> int:
        """Of the two; never negative."""
        return max(0, self.yes, self.no)


NO_LOSS: Final = Loss(0, 0)


class Stand(NamedTuple):
    """The net position of one market's final lines, in the YES frame (market-making.md 3.3)."""

    net: Shares
    """YES minus NO."""
    cost: int
    """Pico; negative when short."""

    @property
    def entered(self) -> Usd:
        """What a share was entered at, micro-dollars, rounded so that closing looks no better than it is; 0 if flat."""
        if self.net > 0:
            return Usd(self.cost // self.net)
        return Usd(-(-self.cost // self.net)) if self.net < 0 else Usd(0)


FLAT: Final = Stand(Shares(0), 0)


def stand_of(ledger: NetLedger) -> Stand:
    """The position of a ledger; a market that is resolved for good has nothing left to lose."""
    return FLAT if ledger.payout is not None else Stand(ledger.position, ledger.cost)


class Leg(NamedTuple):
    """What may still fill on one side."""

    cost: Usd
    """Micro-dollars a share: of YES for a bid, of NO for an ask."""
    size: Shares


def leg_of(side: Side, price: Usd, size: Shares) -> Leg:
    """What an order of a side may fill; ``price`` is in the YES frame."""
    return Leg(price if side == "bid" else Usd(MICRO - price), size)


def cost_of(legs: Sequence[Leg], closes: int, entered: int) -> int:
    """What one side's orders add to a market's loss if all of them fill, Pico.

    What they close counts at its own price or at the one the position was entered at, whichever is more: a closing at
    a profit realises it, and what is realised covers nothing any more.

    Args:
        legs: of the side.
        closes: micro-shares of the position that they work off first; not positive when they add to it.
        entered: what closing all of it without profit costs, Pico.
    """
    total = sum([leg.cost * leg.size for leg in legs])
    if closes <= 0:
        return total
    left = closes
    for cost, size in sorted(legs):
        if cost * closes >= entered or not left:
            break
        closed = min(size, left)
        total += -(-entered * closed // closes) - closed * cost
        left -= closed
    return total


def loss_of(stand: Stand, bids: Sequence[Leg], asks: Sequence[Leg]) -> Loss:
    """What a market may lose with what it holds and everything that may fill."""
    net, cost = stand
    to_yes = cost - net * MICRO
    return Loss(to_yes + cost_of(asks, net, -to_yes), cost + cost_of(bids, -net, -cost))


class CostLimits(NamedTuple):
    """Caps on losses at cost, Pico."""

    market: int
    group: int
    account: int


NOTHING_TAKEN: Final = CostLimits(0, 0, 0)


class Worst(NamedTuple):
    """What may be lost in the worst case, by scope, Pico."""

    market: int
    group: int
    """Of its event; 0 when it has none."""
    account: int
    """Of all events and single markets together."""


def size_of(told: Iterable[int]) -> int:
    """How many markets make an event complete, by what was told of each, at different times; 0: another may win."""
    sizes = tuple(told)
    return max(sizes) if all(sizes) else 0


class _Group:
    """One event: its markets' losses, and what makes its worst case."""

    __slots__ = ("_ranked", "_sizes", "losses", "no", "size")

    def __init__(self) -> None:
        self.size = 0
        """Markets that make it complete; 0 when another outcome may win."""
        self._sizes: dict[str, int] = {}
        """The same as told of each market."""
        self.losses: dict[str, Loss] = {}
        self.no = 0
        """Lost if none of them comes true."""
        self._ranked: list[tuple[int, str]] = []
        """The two winners that cost most beyond that, the worse one first; empty when they are to be found anew."""

    def join(self, market: str, size: int) -> None:
        """A market is one of it, by what was told of that market."""
        self._sizes[market] = size
        self.size = size_of(self._sizes.values())

    def put(self, market: str, loss: Loss) -> None:
        """A market may lose something else."""
        self.no += loss.no - self.losses.get(market, NO_LOSS).no
        self.losses[market] = loss
        self._ranked = []

    def most_of_others(self, market: str) -> int | None:
        """What the worst winner beside a market changes of the loss if none wins; None when itself must win."""
        if not self._ranked:
            self._ranked = nlargest(2, [(loss.yes - loss.no, name) for name, loss in self.losses.items()])
        of_others = next((change for change, name in self._ranked if name != market), None)
        if self.size == len(self.losses):
            return of_others
        return 0 if of_others is None else max(0, of_others)

    def worst(self, market: str = "", loss: Loss = NO_LOSS) -> int:
        """Lost in the worst outcome if ``market`` lost ``loss``; never negative."""
        known = self.losses.get(market)
        no = self.no if known is None else self.no - known.no + loss.no
        most = self.most_of_others(market)
        if known is not None and (most is None or loss.yes - loss.no > most):
            most = loss.yes - loss.no
        return max(0, no + (most or 0))


class _Market:
    """One market's final lines and all that may fill."""

    __slots__ = ("asks", "bids", "loss", "stand")

    def __init__(self, stand: Stand, bids: list[Leg], asks: list[Leg]) -> None:
        self.stand, self.bids, self.asks = stand, bids, asks
        self.loss = loss_of(stand, bids, asks)

    def loss_but(self, side: Side, gone: Sequence[Leg], new: Sequence[Leg]) -> Loss:
        """What it may lose with some legs of a side replaced."""
        legs = list(self.bids if side == "bid" else self.asks)
        for leg in gone:
            legs.remove(leg)
        legs += new
        return loss_of(self.stand, legs, self.asks) if side == "bid" else loss_of(self.stand, self.bids, legs)


_NOTHING: Final = _Market(FLAT, [], [])


class Exposures:
    """The worst cases of all markets, kept up to date as orders and lines change; looks only at what has changed."""

    def __init__(self, portfolio: Portfolio, orders: OrderManager) -> None:
        """The only one of its kind for these two: what has changed is told once."""
        self._portfolio = portfolio
        self._orders = orders
        self._markets: dict[str, _Market] = {}
        self._groups: dict[str, _Group] = {}
        self._group_of: dict[str, str] = {}
        self._sum = 0
        """Over all events and single markets."""

    def join(self, market: str, group: str, size: int) -> None:
        """A market is one of an event that is complete with ``size`` markets; 0 when another outcome may win."""
        if not group or self._group_of.get(market, group) != group:
            return
        loss = self.loss(market)
        joined = self._groups.setdefault(group, _Group())
        if market not in self._group_of:
            self._sum -= loss.worst
        self._group_of[market] = group
        self._sum -= joined.worst()
        joined.join(market, size)
        joined.put(market, loss)
        self._sum += joined.worst()

    def refresh(self) -> None:
        """Count anew what has changed."""
        for market in self._portfolio.take_changed() | self._orders.take_exposed():
            if market:
                self._put(market, self._counted(market))

    def loss(self, market: str) -> Loss:
        """What a market may lose."""
        self.refresh()
        return self._markets.get(market, _NOTHING).loss

    def with_order(self, market: str, side: Side, price: Usd, size: Shares) -> tuple[Worst, Worst]:
        """The worst cases that concern a market as they are, and with one more order."""
        before = self.worst(market)
        held = self._markets.get(market, _NOTHING)
        return before, self.worst(market, held.loss_but(side, (), (leg_of(side, price, size),)))

    def without_order(self, order: Order) -> tuple[Worst, Worst]:
        """The worst cases that concern an order's market without it, and as they are."""
        after = self.worst(order.market)
        held = self._markets.get(order.market, _NOTHING)
        return self.worst(order.market, held.loss_but(order.side, (_leg(order),), ())), after

    def worst(self, market: str, loss: Loss | None = None) -> Worst:
        """The worst cases that concern a market as it is, or if it lost ``loss``."""
        before = self.loss(market)
        after = before if loss is None else loss
        group = self._groups.get(self._group_of.get(market, ""))
        if group is None:
            return Worst(after.worst, 0, self._sum - before.worst + after.worst)
        of_group = group.worst(market, after)
        return Worst(after.worst, of_group, self._sum - group.worst() + of_group)

    def room(self, market: str, planned: Iterable[Order], limits: CostLimits) -> CostRoom:
        """How much orders of a market may add within its caps when ``planned`` ones are replaced.

        Negative where the caps are exceeded by what cannot be replaced.
        """
        self.refresh()
        held = self._markets.get(market, _NOTHING)
        stand = held.stand
        bids, asks = list(held.bids), list(held.asks)
        for order in planned:
            (bids if order.side == "bid" else asks).remove(_leg(order))
        loss = loss_of(stand, bids, asks)
        group = self._groups.get(self._group_of.get(market, ""))
        if group is None:
            cap = min(limits.market, limits.account - (self._sum - held.loss.worst))
            return CostRoom(cap - loss.no, cap - loss.yes, stand.net, stand.entered)
        cap = min(limits.group, limits.account - (self._sum - group.worst()))
        of_others = group.no - group.losses[market].no
        most = group.most_of_others(market)
        bid, ask = limits.market - loss.no, limits.market - loss.yes
        of_event = (None if most is None else cap - of_others - loss.no - most), cap - of_others - loss.yes
        bid, ask = bid if of_event[0] is None else min(bid, of_event[0]), min(ask, of_event[1])
        over = max(0, group.worst(market, loss) - cap)  # over a cap it may close what makes that no worse
        closing_bid = None if of_event[0] is None else of_event[0] + over
        return CostRoom(bid, ask, stand.net, stand.entered, closing_bid, of_event[1] + over)

    def group_worst(self, group: str) -> Usd:
        """What an event may lose, micro-dollars."""
        self.refresh()
        known = self._groups.get(group)
        return Usd(0) if known is None else usd_of(Pico(known.worst()))

    @property
    def groups(self) -> Iterable[str]:
        """All events."""
        return self._groups

    @property
    def account_worst(self) -> Usd:
        """What the account may lose, micro-dollars."""
        self.refresh()
        return usd_of(Pico(self._sum))

    def _counted(self, market: str) -> _Market:
        position = self._portfolio.positions.get(market)
        bids: list[Leg] = []
        asks: list[Leg] = []
        for order in self._orders.at_risk(market):
            (bids if order.side == "bid" else asks).append(_leg(order))
        if position is None or position.payout is not None:  # orders count until they are gone
            return _Market(FLAT, bids, asks)
        for booking in position.open_lines():  # may fail, and count as the orders did that they were parts of
            entry = booking.entry
            if isinstance(entry, Buy | Sell):
                is_bid = isinstance(entry, Buy) == (entry.outcome == "YES")
                price = entry.price if entry.outcome == "YES" else Usd(MICRO - entry.price)
                (bids if is_bid else asks).append(leg_of("bid" if is_bid else "ask", price, entry.size))
        return _Market(stand_of(position.final), bids, asks)

    def _put(self, market: str, held: _Market) -> None:
        before = self._markets.get(market, _NOTHING).loss
        self._markets[market] = held
        group = self._groups.get(self._group_of.get(market, ""))
        if group is None:
            self._sum += held.loss.worst - before.worst
            return
        self._sum -= group.worst()
        group.put(market, held.loss)
        self._sum += group.worst()


def _leg(order: Order) -> Leg:
    price = order.usd if order.outcome == "YES" else Usd(MICRO - order.usd)
    return leg_of(order.side, price, order.remaining)
