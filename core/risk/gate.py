"""The gate in front of every order: pure, integers only, asked when an order is decided and again before it is sent.

What it lets through it makes :class:`Cleared`, the only thing that a gateway posts, and nobody else makes one. Each
check has a stable code, and says with numbers why it stops an order. Cancels pass no gate (reliability.md 4.9).

A cap stops an order with which it is exceeded and more may be lost than without. So no cap of a market stops what
reduces its position. What may be lost of an event a closing may raise, as a position hedges another: a quote is then
stopped like any other, a flattening never, whose operator has confirmed what it costs.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from core.actions import SignedPlace
from core.config import Settings
from core.market.instrument import Instrument
from core.orders.order import TERMINAL, Order
from core.portfolio.ledger import Pico, usd_of
from core.quoting.collar import Collar, collar_of
from core.quoting.rules import MAX_SIZE_FRACTION, NO_BOUNDS, Bounds
from core.risk.control import Control, allows_orders
from core.risk.exposure import CostLimits, Worst
from core.risk.permission import Clause, code_of
from core.units import (
    MICRO,
    SIZE_QUANTUM,
    Grid,
    OrderSide,
    Outcome,
    Shares,
    Side,
    Ticks,
    Usd,
    micro_text,
    usd_from_float,
)

REPEAT_SEC: Final = 1.0
"""The same token, side, price and size again within this is taken for a mistake (reliability.md 4.9)."""
ORDERS_A_LAYER: Final = 4
"""Two legs, each with what tops it up."""
_MILLION: Final = 1_000_000

DENIALS: Final[dict[str, str]] = {
    "stopping": "the session ends",
    "control": "a control state of everything, the market or the side",
    "loss": "the daily loss limit: what does not reduce",
    "drawdown": "the drawdown limit: what does not reduce",
    "repeat": "the side had too many fills of one token",
    "markout": "the price moved against the market's last fills",
    "streak": "too many fills in a row on the side",
    "rejects": "the venue refused too many orders",
    "selection": "the market list wants the market no more: what does not reduce",
    "books": "our books do not add up: what does not reduce",
    "watchdog": "nobody stands guard over the session",
    "resolved": "the question is resolved",
    "user_feed": "the user channel is down",
    "venue": "the venue is not quoted at",
    "quarantine": "something in the market has to be cleared up",
    "account": "the account is not known",
    "data": "the book is not to be believed",
    "stale": "nobody has vouched for the book for too long",
    "fair_value": "there is no fair value",
    "stance": "regime, schedule or calendar want no quotes",
    "unknown_order": "an order's outcome is unknown for too long",
    "unsettled": "a trade is not final for too long",
    "lag": "the loop stood still and the book was not proven since",
    "recovering": "what an earlier session left is not settled",
    "clock": "our clock is wrong",
    "journal": "the journal does not reach the disk",
    "unknown": "bankroll or touch are not known, so there is nothing to judge by",
    "grid": "the price is no tick of the market",
    "bounds": "the price is not between 0 and 1 dollar",
    "lot": "the size is no whole number of hundredths, or below the least",
    "not_reducing": "a flattening's order that would not reduce",
    "order_value": "worth more than an order may be",
    "collar": "too far beyond the middle of the proven book",
    "post_only": "it would meet what others offer",
    "duplicate": "the same order was placed a moment ago",
    "self_match": "it would meet an order of ours",
    "open_orders": "as many orders as may be are open",
    "layers": "as many orders as may be are on the side",
    "token_cap": "one token's position with all orders, at the fair value",
    "market_cap": "what the market may lose at cost",
    "group_cap": "what the event may lose at cost",
    "account_cap": "what all markets together may lose at cost",
    "cash": "more than the cash that is free",
    "sellable": "more than the shares that are settled and free",
    "rate": "the signer's rate",
    "closed": "the gate is closed",
}
"""Codes of what stops an order, with their meaning."""


class Denial(NamedTuple):
    """Why an order may not go."""

    code: str
    """Of :data:`DENIALS`."""
    text: str
    """With the numbers of both sides."""


class Cleared(msgspec.Struct, frozen=True):
    """A signed order that the gate has let through: made here alone, and at once posted."""

    signed: SignedPlace


class Candidate(NamedTuple):
    """An order that somebody wants, or wants to send now."""

    outcome: Outcome
    order_side: OrderSide
    price: Ticks
    """In the frame of the token."""
    size: Shares
    side: Side
    """Of the YES book."""
    grid: Grid
    """Of the price."""
    crosses: bool = False
    flattens: bool = False
    is_new: bool = True
    """It was not placed yet."""

    @property
    def yes_ticks(self) -> Ticks:
        """The price in the YES frame."""
        return self.price if self.outcome == "YES" else self.grid.complement(self.price)

    @property
    def yes_usd(self) -> Usd:
        """The same in micro-dollars a share."""
        return self.grid.dollars_of(self.yes_ticks)

    @property
    def value(self) -> Usd:
        """Micro-dollars."""
        return self.grid.notional(self.price, self.size)


def candidate_of(order: Order) -> Candidate:
    """An order of ours that is about to be sent."""
    return Candidate(
        order.outcome, order.order_side, order.price, order.size, order.side, order.grid, order.crosses,
        order.flattens, is_new=False,
    )  # fmt: skip


class GateFacts(NamedTuple):
    """What one order is judged against: everything as it stands without it."""

    clause: Clause | None
    """What forbids quoting the market."""
    control: Control
    """The strictest of the order's side."""
    trouble: str
    """Why nothing may add risk whatever control states say, in words; "" when something may."""
    touch: tuple[Ticks | None, Ticks | None]
    """Best bid and ask of others in the proven book."""
    fair: Usd | None
    """Micro-dollars a YES share; None when nobody knows."""
    net: Shares
    """YES minus NO, provisional fills included."""
    unsure: Shares
    """Fills of the other side that are not final: failing, they leave so much less to be reduced."""
    orders: Sequence[Order]
    """Others of the market that may fill."""
    open_orders: int
    """Others of the account that the venue has, or may come to have."""
    bankroll: Usd | None
    cash: Usd
    """Free micro-dollars."""
    sellable: Shares
    """Settled and free shares of the order's token."""
    before: Worst
    after: Worst
    """The worst cases with it."""


class GateRules(NamedTuple):
    """What one market's orders are judged by; integers, made once from its settings. Caps are millionths of the
    bankroll."""

    grid: Grid
    min_size: Shares
    most_value: Usd | None
    """None: the share of the bankroll that a side may be worth."""
    most_a_side: int
    most_open: int
    collar: Collar
    token_cap: int
    market_cap: int
    group_cap: int
    account_cap: int
    most_loss: Usd | None = None
    """What the market list lets the market lose at most; None: as much as its caps."""
    most_listed: Usd | None = None
    """What it lets an order be worth at most."""

    def limits(self, bankroll: Usd) -> CostLimits:
        """The caps at cost, Pico."""
        market = self._listed(self.market_cap * bankroll)
        return CostLimits(market, self.group_cap * bankroll, self.account_cap * bankroll)

    def token_limit(self, bankroll: Usd) -> int:
        """What one token's position may be worth with all its orders, Pico."""
        return self._listed(self.token_cap * bankroll)

    def order_limit(self, bankroll: Usd) -> Usd:
        """What one order that adds may be worth, micro-dollars."""
        most = Usd(round(MAX_SIZE_FRACTION * bankroll)) if self.most_value is None else self.most_value
        return min([most, *[bound for bound in (self.most_loss, self.most_listed) if bound is not None]])

    def _listed(self, cap: int) -> int:
        return cap if self.most_loss is None else min(cap, self.most_loss * _MILLION)


def gate_rules_of(
    settings: Settings, instrument: Instrument, shared: Settings, bounds: Bounds = NO_BOUNDS
) -> GateRules:
    """Make one market's rules.

    Args:
        settings: of the market.
        instrument: the market.
        shared: of the whole run: what is capped for all markets together.
        bounds: of the market list.
    """
    most_listed = [bounds.order, bounds.side if settings.max_order_usd is None else None]
    listed = [usd_from_float(bound) for bound in most_listed if bound is not None]
    most = settings.max_size_usd if settings.max_order_usd is None else settings.max_order_usd
    return GateRules(
        grid=instrument.grid,
        min_size=instrument.min_size,
        most_value=None if most is None else usd_from_float(most),
        most_a_side=ORDERS_A_LAYER * settings.order_layers,
        most_open=shared.max_open_orders,
        collar=collar_of(settings),
        token_cap=_millionths(settings.hard_cap_delta_pct),
        market_cap=_millionths(settings.market_cap),
        group_cap=_millionths(shared.group_cap),
        account_cap=_millionths(shared.gross_cap),
        most_loss=bounds.market,
        most_listed=min(listed, default=None),
    )


def _millionths(fraction: float) -> int:
    return round(fraction * _MILLION)


class OrderGate:
    """The gate of one session."""

    def __init__(self) -> None:
        self._placed: dict[tuple[str, Outcome, OrderSide, Ticks, Shares], float] = {}
        """When an order was last placed, by what would be the same again; oldest first."""

    def judge(self, market: str, candidate: Candidate, facts: GateFacts, rules: GateRules, now: float) -> Denial | None:
        """Why an order may not go; None when it may.

        Args:
            market: condition id.
            candidate: the order.
            facts: everything as it stands without it.
            rules: of its market.
            now: monotonic seconds.
        """
        if facts.clause is not None:
            return Denial(facts.clause.code, facts.clause.words)
        return (
            _of_shape(candidate, rules)
            or _of_control(candidate, facts)
            or self._of_repetition(market, candidate, now)
            or _of_book(candidate, facts, rules)
            or _of_number(candidate, facts, rules)
            or _of_caps(candidate, facts, rules)
            or _of_funds(candidate, facts)
        )

    def clear(
        self, signed: SignedPlace, market: str, candidate: Candidate, facts: GateFacts, rules: GateRules, now: float
    ) -> Cleared | Denial:
        """The last look at a signed order, right before it is posted; arguments as of :meth:`judge`."""
        denial = self.judge(market, candidate, facts, rules, now)
        if denial is None and signed.place.price_text != rules.grid.text(candidate.price):
            text = f"signed for {signed.place.price_text} dollars; the market has ticks of {rules.grid.tick_text} now"
            denial = Denial("grid", text)
        return denial or Cleared(signed)

    def placed(self, market: str, candidate: Candidate, now: float) -> None:
        """An order that was let through is on its way."""
        self._placed.pop(key := _key(market, candidate), None)
        self._placed[key] = now
        while (oldest := next(iter(self._placed))) and now - self._placed[oldest] >= REPEAT_SEC:
            del self._placed[oldest]

    def forget(self, market: str, candidate: Candidate) -> None:
        """An order never left, or the venue did not take it: it may be tried again."""
        self._placed.pop(_key(market, candidate), None)

    def _of_repetition(self, market: str, candidate: Candidate, now: float) -> Denial | None:
        placed_s = self._placed.get(_key(market, candidate)) if candidate.is_new else None
        if placed_s is None or now - placed_s >= REPEAT_SEC:
            return None
        return Denial("duplicate", f"the same order was placed {now - placed_s:.1f} s ago, within {REPEAT_SEC:g} s")


def _key(market: str, candidate: Candidate) -> tuple[str, Outcome, OrderSide, Ticks, Shares]:
    return market, candidate.outcome, candidate.order_side, candidate.price, candidate.size


def closed(shut: str) -> Denial:
    """Nothing at all may be sent, for a reason in words."""
    return Denial("closed", shut)


def reduces(candidate: Candidate, facts: GateFacts) -> bool:
    """It only takes off the position, also if all others of its side fill before it and fills of the other fail."""
    waiting = sum([order.remaining for order in facts.orders if order.side == candidate.side])
    held = facts.net if candidate.side == "ask" else -facts.net
    return candidate.size <= held - facts.unsure - waiting


def _of_shape(candidate: Candidate, rules: GateRules) -> Denial | None:
    grid, price, size = rules.grid, candidate.price, candidate.size
    if candidate.grid is not grid:
        return Denial("grid", f"priced in ticks of {candidate.grid.tick_text}, the market has {grid.tick_text}")
    if not 0 < price < grid.k:
        return Denial("bounds", f"tick {price} is not within 1 and {grid.k - 1}")
    least = SIZE_QUANTUM if candidate.crosses else rules.min_size
    if size < least or size % SIZE_QUANTUM:
        return Denial("lot", f"{micro_text(size)} shares; the least is {micro_text(least)}, in whole hundredths")
    return None


def _of_control(candidate: Candidate, facts: GateFacts) -> Denial | None:
    if candidate.flattens:
        if reduces(candidate, facts):
            return None
        return Denial("not_reducing", f"{micro_text(candidate.size)} shares are more than is left of the position")
    control = facts.control
    if not allows_orders(control.state):
        return Denial(code_of(control), control.words)
    if (control.state == "REDUCE_ONLY" or facts.trouble) and not reduces(candidate, facts):
        if control.state != "REDUCE_ONLY":
            return Denial("books", facts.trouble)
        return Denial(code_of(control), control.words)
    return None


def _of_book(candidate: Candidate, facts: GateFacts, rules: GateRules) -> Denial | None:
    """Against the proven book and our own orders; who crosses wants to meet others and waits for no queue."""
    bid, ask = facts.touch
    is_bid, tick, cents = candidate.side == "bid", candidate.yes_ticks, rules.grid.cents
    if not candidate.flattens:
        if bid is None or ask is None:
            return Denial("unknown", "a side of the book is empty: there is no middle to judge by")
        most, least = rules.collar.bounds(bid, ask, rules.grid.k)
        if tick > most if is_bid else tick < least:
            end = cents(most if is_bid else least)
            text = f"{candidate.side} {cents(tick)}c; the collar of a book of {cents(bid)}/{cents(ask)}c ends at {end}c"
            return Denial("collar", text)
    if not candidate.crosses:
        if is_bid and ask is not None and tick >= ask:
            return Denial("post_only", f"a bid at {cents(tick)}c, others ask {cents(ask)}c")
        if not is_bid and bid is not None and tick <= bid:
            return Denial("post_only", f"an ask at {cents(tick)}c, others bid {cents(bid)}c")
    for order in facts.orders:
        if order.side != candidate.side and order.state not in TERMINAL:
            own = order.yes_price
            if tick >= own if is_bid else tick <= own:
                text = f"{candidate.side} {cents(tick)}c would meet our {order.side} {cents(own)}c"
                return Denial("self_match", text)
    return None


def _of_number(candidate: Candidate, facts: GateFacts, rules: GateRules) -> Denial | None:
    if candidate.flattens:
        return None
    if facts.open_orders >= rules.most_open:
        return Denial("open_orders", f"{facts.open_orders} orders are open, of at most {rules.most_open}")
    count = sum([order.side == candidate.side and order.state not in TERMINAL for order in facts.orders])
    if count >= rules.most_a_side:
        return Denial("layers", f"{count} orders are on the {candidate.side} side, of at most {rules.most_a_side}")
    return None


def _of_caps(candidate: Candidate, facts: GateFacts, rules: GateRules) -> Denial | None:
    """Value of the order and the caps; what reduces passes the first two, a flattening all."""
    if facts.bankroll is None:
        return Denial("unknown", "the bankroll is not known")
    if candidate.flattens:
        return None
    bankroll = facts.bankroll
    if not reduces(candidate, facts):
        most = rules.order_limit(bankroll)
        if candidate.value > most:
            return Denial("order_value", f"{_dollars(candidate.value)}, at most {_dollars(most)}")
        if denial := _of_token(candidate, facts, rules.token_limit(bankroll)):
            return denial
    limits = rules.limits(bankroll)
    scopes: tuple[tuple[str, str, int, int, int], ...] = (
        ("market_cap", "the market", facts.before.market, facts.after.market, limits.market),
        ("group_cap", "the event", facts.before.group, facts.after.group, limits.group),
        ("account_cap", "all markets", facts.before.account, facts.after.account, limits.account),
    )
    for code, whose, before, after, cap in scopes:
        if after > cap and after > before:
            return Denial(code, f"{whose} could lose {_pico(after)}, at most {_pico(cap)}; {_pico(before)} without it")
    return None


def _of_token(candidate: Candidate, facts: GateFacts, cap: int) -> Denial | None:
    """The position in the order's direction with all orders of that direction, at the fair value (1.6)."""
    is_bid = candidate.side == "bid"
    token, held = ("YES", facts.net) if is_bid else ("NO", -facts.net)
    worth: int = MICRO  # without a fair value a share of either token may be worth a dollar
    if facts.fair is not None:
        worth = facts.fair if is_bid else MICRO - facts.fair
    shares = held + sum([order.remaining for order in facts.orders if order.side == candidate.side]) + candidate.size
    if shares * worth <= cap:
        return None
    text = f"{token} could be worth {_pico(shares * worth)}, at most {_pico(cap)}"
    return Denial("token_cap", f"{text}; {_pico((shares - candidate.size) * worth)} without it")


def _of_funds(candidate: Candidate, facts: GateFacts) -> Denial | None:
    if candidate.order_side == "SELL":
        if candidate.size <= facts.sellable:
            return None
        text = f"sells {micro_text(candidate.size)}, {micro_text(max(0, facts.sellable))} are settled and free"
        return Denial("sellable", text)
    if candidate.value <= facts.cash:
        return None
    return Denial("cash", f"costs {_dollars(candidate.value)}, {_dollars(max(0, facts.cash))} are free")


def _dollars(amount: int) -> str:
    return f"{micro_text(amount // 10_000 * 10_000)} dollars"


def _pico(amount: int) -> str:
    return _dollars(usd_of(Pico(amount)))
