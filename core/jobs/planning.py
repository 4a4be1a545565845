"""What an inventory operation would do, told before it is done, or why it cannot be done, in words."""

from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal

import msgspec

from core.jobs.job import Job, JobKind, Leg, Route
from core.units import MICRO, OUTCOMES, Outcome, Shares, Usd, micro_text

LEAST: Final = Shares(MICRO)
"""Least size of a split, a merge or a conversion: less is not worth one of a day's transactions."""
_DOLLAR: Final = MICRO
"""Micro-dollars."""

Venue = Literal["live", "demo", "paper", "replay"]
WITHOUT_CHAIN: Final[tuple[Venue, ...]] = ("paper", "replay")
"""Where no operation ever leaves."""


class Stock(msgspec.Struct, frozen=True, gc=False):
    """One market as far as operations are concerned; sizes in micro-shares."""

    market: str
    """Condition id."""
    yes_token: str
    no_token: str
    yes: Shares = Shares(0)
    """Settled and in our book."""
    no: Shares = Shares(0)
    selling_yes: Shares = Shares(0)
    """In open sells, those of unknown outcome included, and sold by trades that have not settled."""
    selling_no: Shares = Shares(0)
    foreign_yes: Shares = Shares(0)
    """On the account and not in our book: a redemption pays for them too."""
    foreign_no: Shares = Shares(0)
    is_settled: bool = True
    """No trade of this market is on its way."""
    is_idle: bool = False
    """Nothing of ours rests here, and nothing is planned."""
    fair: Usd | None = None
    """Micro-dollars a YES share; None when it is not known."""
    payout: Usd | None = None
    """What a YES share pays, NO the rest of a dollar; None until the question is resolved for good."""
    neg_risk: bool = False
    group: str = ""
    """Shared by the markets of one neg-risk event."""
    group_size: int = 0
    """Outcomes of the event, exactly one of which comes true; 0 when another may, or when nobody said."""
    group_index: int | None = None
    """Number of this market's outcome within its event (polymarket-api.md 11)."""

    def held(self, outcome: Outcome) -> Shares:
        """Settled shares of one token in our book."""
        return self.yes if outcome == "YES" else self.no

    def selling(self, outcome: Outcome) -> Shares:
        """Shares of one token that orders and unsettled trades may take."""
        return self.selling_yes if outcome == "YES" else self.selling_no

    def foreign(self, outcome: Outcome) -> Shares:
        """Shares of one token that are on the account and not in our book."""
        return self.foreign_yes if outcome == "YES" else self.foreign_no

    def token(self, outcome: Outcome) -> str:
        """Id of one token."""
        return self.yes_token if outcome == "YES" else self.no_token


class Purse(msgspec.Struct, frozen=True, gc=False):
    """The account as far as operations are concerned; micro-dollars."""

    venue: Venue
    cash: Usd = Usd(0)
    """Settled."""
    buying: Usd = Usd(0)
    """What open buys and trades that have not settled may take."""
    is_scarce: bool = False
    """Quotes are smaller than they should be for want of cash."""
    route: Route | None = None
    """None when transactions cannot be sent; ``obstacle`` says why."""
    obstacle: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What a job would do, exactly; the preview."""

    kind: JobKind
    market: str
    size: Shares
    legs: tuple[Leg, ...]
    cash: Usd
    """Change, micro-dollars."""
    route: Route
    cash_left: Usd
    """Free afterwards."""
    left: tuple[Shares, ...]
    """Free afterwards of each leg's token, in the order of ``legs``."""
    neg_risk: bool = False
    group: str = ""
    index_set: int = 0
    foreign_cash: Usd = Usd(0)

    def job(self, job_id: int, by: str, reason: str, unix: float) -> Job:
        """The job that does this; ``unix`` in seconds."""
        return Job(
            job_id=job_id,
            kind=self.kind,
            market=self.market,
            size=self.size,
            legs=self.legs,
            cash=self.cash,
            route=self.route,
            by=by,
            reason=reason,
            created_unix=unix,
            neg_risk=self.neg_risk,
            group=self.group,
            index_set=self.index_set,
            foreign_cash=self.foreign_cash,
        )

    def words(self, name_of: Callable[[str], str]) -> str:
        """The preview as a line for people.

        Args:
            name_of: a market's name.
        """
        several = len({leg.market for leg in self.legs}) > 1
        parts = [f"cash {_signed(self.cash)} dollars"]
        left = [f"{micro_text(self.cash_left)} dollars"]
        for leg, free in zip(self.legs, self.left, strict=True):
            token = f"{leg.outcome} of {name_of(leg.market)}" if several else leg.outcome
            parts.append(f"{token} {_signed(leg.change)}")
            left.append(f"{micro_text(free)} {token}")
        foreign = self.foreign_cash
        extra = f" ({micro_text(foreign)} dollars of it for shares that are not ours)" if foreign else ""
        return (
            f"{self.kind} {micro_text(self.size)}: {', '.join(parts)}{extra}; by {self.route}; "
            f"free afterwards: {', '.join(left)}"
        )


class Refused(msgspec.Struct, frozen=True):
    """Why something cannot be done now."""

    why: str
    until_unix: float | None = None
    """When it can be tried again, seconds; None when time alone changes nothing."""


Free = Callable[[Stock, Outcome], Shares]
"""Shares that are free: settled, in no sell and in no job."""


def plan_split(stock: Stock, size: Shares, purse: Purse, route: Route, free: Free, free_cash: Usd) -> Plan | Refused:
    """Turn ``size`` dollars into as many pairs; 0 is nothing (polymarket-api.md 11)."""
    if stock.payout is not None:
        return Refused("the market is resolved: there is nothing to split")
    if size < LEAST:
        return _too_small(size)
    if size > free_cash:
        return Refused(f"{micro_text(size)} dollars are needed, {_cash_words(free_cash, purse)}")
    fair = _DOLLAR // 2 if stock.fair is None else stock.fair
    prices = {"YES": Usd(fair), "NO": Usd(_DOLLAR - fair)}
    legs = tuple(_leg(stock, outcome, size, prices[outcome]) for outcome in OUTCOMES)
    return _plan("split", stock, size, legs, {stock.market: stock}, Usd(-size), route, free, free_cash)


def plan_merge(stock: Stock, size: Shares, route: Route, free: Free, free_cash: Usd) -> Plan | Refused:
    """Turn ``size`` pairs, or all that are free when it is 0, back into a dollar each (polymarket-api.md 11).

    Trades on their way are no obstacle, as they are to a redemption: a busy market always has some, and cash is wanted
    there most. They can only leave a merge whose answer was lost ``unknown``, which an operator may end.
    """
    if stock.payout is not None:
        return Refused("the market is resolved: redeem instead")
    pairs = Shares(min(free(stock, "YES"), free(stock, "NO")))
    size = size or pairs
    if size > pairs:
        return Refused(f"{micro_text(size)} pairs are needed, {_pairs_words(stock, pairs)}")
    if size < LEAST:
        return _too_small(size) if size else Refused(f"no pairs: {_pairs_words(stock, pairs)}")
    legs = tuple(_leg(stock, outcome, Shares(-size), Usd(0)) for outcome in OUTCOMES)
    return _plan("merge", stock, size, legs, {stock.market: stock}, Usd(size), route, free, free_cash)


def plan_redeem(stock: Stock, route: Route, free: Free, free_cash: Usd) -> Plan | Refused:
    """Hand in everything that is held of a resolved market; what is not in our book is paid too.

    The payout of each token is rounded down to a micro-dollar, as the contract does (market-making.md 3.5).
    """
    payout = stock.payout
    if payout is None:
        return Refused("the market is not resolved for good yet")
    if not stock.is_settled:
        return Refused("a trade of this market has not settled yet")
    prices = {"YES": payout, "NO": Usd(_DOLLAR - payout)}
    held = [outcome for outcome in OUTCOMES if stock.held(outcome) > 0]
    legs = tuple(_leg(stock, outcome, Shares(-stock.held(outcome)), prices[outcome]) for outcome in held)
    ours = sum(paid_for(leg) for leg in legs)
    on_account = sum((stock.held(outcome) + stock.foreign(outcome)) * prices[outcome] // MICRO for outcome in OUTCOMES)
    if not on_account:
        return Refused("what is held pays nothing" if legs else "nothing is held")
    size = Shares(sum(-leg.change for leg in legs))
    made = _plan("redeem", stock, size, legs, {stock.market: stock}, Usd(on_account), route, free, free_cash)
    return msgspec.structs.replace(made, foreign_cash=Usd(on_account - ours))


def plan_convert(
    stock: Stock, size: Shares, stocks: Mapping[str, Stock], route: Route, free: Free, free_cash: Usd
) -> Plan | Refused:
    """Turn NO of k outcomes of an event into YES of all others and k - 1 dollars a set (market-making.md 2.11).

    NO is given of every outcome that has ``size`` of it free, the named market's among them; a size of 0 takes the
    one that brings the most cash.
    """
    if not stock.group:
        return Refused("the market belongs to no event of which exactly one outcome comes true")
    family = {each.market: each for each in stocks.values() if each.group == stock.group}
    indexes = {each.group_index for each in family.values()}
    if stock.group_size != len(family) or indexes != set(range(len(family))):
        return Refused("not all outcomes of the event are known, and a conversion brings YES of every other one")
    if any(each.payout is not None for each in family.values()):
        return Refused("an outcome of the event is decided already")
    spare = {market: free(each, "NO") for market, each in family.items()}
    size = size or _most_cash(spare, stock.market)
    given = {market for market, shares in spare.items() if shares >= size} if size else set()
    if size and size < LEAST:
        return _too_small(size)
    if stock.market not in given:
        held = f"{micro_text(spare[stock.market])} NO are free of {micro_text(stock.no)}"
        return Refused(f"{micro_text(size or LEAST)} NO of this market are needed, {held}")
    if len(given) < 2:
        return Refused("NO of at least two outcomes are needed: one alone frees no cash")
    ordered = sorted(family.values(), key=lambda each: each.group_index or 0)
    prices = _transfer_prices(ordered)
    legs = tuple(
        _leg(each, "NO", Shares(-size), Usd(_DOLLAR - price))
        if each.market in given
        else _leg(each, "YES", size, price)
        for each, price in zip(ordered, prices, strict=True)
    )
    cash = Usd((len(given) - 1) * size)
    made = _plan("convert", stock, size, legs, family, cash, route, free, free_cash)
    index_set = sum(1 << number for number, each in enumerate(ordered) if each.market in given)
    return msgspec.structs.replace(made, group=stock.group, index_set=index_set)


def paid_for(leg: Leg) -> Usd:
    """What a redemption pays for one token, micro-dollars, rounded down as the contract does."""
    return Usd(-leg.change * leg.price // MICRO)


def at_utc(unix: float) -> str:
    """A moment for people: ``14:05:09 UTC``."""
    minutes, second = divmod(int(unix) % 86_400, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02} UTC"


def _transfer_prices(family: Collection[Stock]) -> list[Usd]:
    """Fair values of YES that sum to exactly a dollar, micro-dollars, an equal part moved by each.

    Then the NO given, at a dollar less the price, are worth k - 1 dollars more than the YES taken.
    """
    fairs = [_DOLLAR // len(family) if each.fair is None else each.fair for each in family]
    step, rest = divmod(_DOLLAR - sum(fairs), len(fairs))
    return [Usd(fair + step + (number < rest)) for number, fair in enumerate(fairs)]


def _most_cash(spare: Mapping[str, Shares], market: str) -> Shares:
    """The size at which (k - 1) x size is largest, the named market among the k; 0 where nothing comes of it."""

    def cash(size: Shares) -> int:
        return (sum(each >= size for each in spare.values()) - 1) * size

    sizes = [shares for shares in spare.values() if LEAST <= shares <= spare[market]]
    return max(sizes, key=lambda size: (cash(size), size), default=Shares(0))


def _plan(
    kind: JobKind,
    stock: Stock,
    size: Shares,
    legs: tuple[Leg, ...],
    stocks: Mapping[str, Stock],
    cash: Usd,
    route: Route,
    free: Free,
    free_cash: Usd,
) -> Plan:
    left = tuple(Shares(max(0, free(stocks[leg.market], leg.outcome) + leg.change)) for leg in legs)
    return Plan(
        kind=kind,
        market=stock.market,
        size=size,
        legs=legs,
        cash=cash,
        route=route,
        cash_left=Usd(free_cash + cash),
        left=left,
        neg_risk=stock.neg_risk,
    )


def _leg(stock: Stock, outcome: Outcome, change: Shares, price: Usd) -> Leg:
    return Leg(market=stock.market, outcome=outcome, token=stock.token(outcome), change=change, price=price)


def _too_small(size: Shares) -> Refused:
    return Refused(f"{micro_text(size)} is less than the least size, {micro_text(LEAST)}")


def _pairs_words(stock: Stock, pairs: Shares) -> str:
    """How many pairs are free, and where the others are."""
    parts = [f"{micro_text(pairs)} are free"]
    for outcome in OUTCOMES:
        text = f"{micro_text(stock.held(outcome))} {outcome} settled"
        if selling := stock.selling(outcome):
            text += f", {micro_text(selling)} of them in sells"
        parts.append(text)
    return "; ".join(parts)


def _cash_words(free_cash: Usd, purse: Purse) -> str:
    text = f"{micro_text(free_cash)} are free"
    return f"{text}: {micro_text(purse.buying)} are in buys" if purse.buying else text


def _signed(micro: int) -> str:
    return micro_text(micro) if micro < 0 else f"+{micro_text(micro)}"
