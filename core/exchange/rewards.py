"""Liquidity rewards and maker rebates as the venue pays them (polymarket-api.md 9.2, 9.3; market-making.md 2.12, 2.14).

Once a minute, at a random second of it, every account's resting orders are scored; the day's pool is shared by the
averages of the samples. Fees taken are shared among the makers they came from. Both are paid after midnight UTC,
below a dollar nothing.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from core.exchange.book import RestingBook
from core.exchange.ledger import Ledger
from core.exchange.listing import Listing
from core.exchange.orders import Order, Trade
from core.market.fees import BPS, FeeSchedule, fee_equivalent
from core.market.rewards import LEAST_PAID_USD, MIN_AGE_SEC, Scored, maker_score, order_score, reward_share
from core.market.signals import adjusted_touch
from core.units import MICRO, Shares, Usd, usd_from_float

DAY_MS: Final = 86_400_000
SAMPLES_A_DAY: Final = 1_440
MIN_AGE_MS: Final = round(MIN_AGE_SEC * 1000)
LEAST_PAID: Final = usd_from_float(LEAST_PAID_USD)

_Account = str
_Market = str


class Paid(NamedTuple):
    """One account's payment for one market and day."""

    account: str
    market: str
    amount: Usd


def day_of(now_ms: int) -> str:
    """The UTC day of a moment, ``YYYY-MM-DD``."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()


class Rewards:
    """Samples, shares and payments of all markets."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._shares: dict[_Market, dict[_Account, float]] = {}
        """Sum over today's samples of each account's share."""
        self._last: dict[_Market, dict[_Account, float]] = {}
        self._fees: dict[_Market, int] = {}
        """Micro-dollars of taker fees taken today."""
        self._made: dict[_Market, dict[_Account, int]] = {}
        """Fee equivalents of what each maker was filled today."""
        self._earned: dict[tuple[_Account, str], dict[_Market, Usd]] = {}
        self._rebated: dict[tuple[_Account, str], dict[_Market, Usd]] = {}

    def sample(self, listing: Listing, book: RestingBook, now_ms: int) -> None:
        """Score everybody's resting orders of one market once."""
        market, plot = listing.instrument.market, listing.plot
        mid = midpoint(listing, book)
        resting: dict[_Account, list[Scored]] = {}
        for order in book.orders() if mid is not None and plot.daily_reward else ():
            if now_ms - order.created_ms >= MIN_AGE_MS:
                scored = Scored(order.yes_side, order.instrument.grid.dollars(order.yes_price), order.remaining / MICRO)
                resting.setdefault(order.new.account, []).append(scored)
        scores = {
            account: maker_score(mine, mid or 0.0, plot.reward_cents, plot.reward_size).q_min
            for account, mine in resting.items()
        }
        total = sum(scores.values())
        shares = {account: reward_share(q, total - q) for account, q in scores.items() if q > 0}
        self._last[market] = shares
        sums = self._shares.setdefault(market, {})
        for account, share in shares.items():
            sums[account] = sums.get(account, 0.0) + share

    def is_scoring(self, listing: Listing, book: RestingBook, order: Order, now_ms: int) -> bool:
        """Whether a resting order would score now: old enough, large enough, near enough."""
        plot = listing.plot
        mid = midpoint(listing, book)
        if mid is None or not plot.daily_reward or now_ms - order.created_ms < MIN_AGE_MS:
            return False
        distance = abs(order.instrument.grid.dollars(order.yes_price) - mid) * 100
        return order.remaining >= plot.reward_size * MICRO and order_score(plot.reward_cents, distance) > 0

    def settled(self, listing: Listing, trade: Trade) -> None:
        """Note the fee of a trade that settled and who made it."""
        self._fees[trade.market] = self._fees.get(trade.market, 0) + trade.fee
        made, fees = self._made.setdefault(trade.market, {}), FeeSchedule(rate=listing.plot.fee_bps * BPS)
        for fill in trade.fills:
            part = fee_equivalent(trade.instrument.grid.dollars_of(fill.price), fill.size, fees)
            made[fill.order.new.account] = made.get(fill.order.new.account, 0) + part

    def share(self, account: str, market: str) -> float:
        """An account's part of a market's pool at the last sample, 0 to 1."""
        return self._last.get(market, {}).get(account.lower(), 0.0)

    def earned(self, account: str, day: str) -> dict[str, Usd]:
        """Rewards paid for a day, by market."""
        return self._earned.get((account.lower(), day), {})

    def rebates(self, account: str, day: str) -> dict[str, Usd]:
        """Rebates paid for a day, by market."""
        return self._rebated.get((account.lower(), day), {})

    def pay_rewards(self, listings: Iterable[Listing], day: str) -> list[Paid]:
        """Pay the rewards of a day that is over and start the next with nothing."""
        paid = []
        for listing in listings:
            market = listing.instrument.market
            for account, total in sorted(self._shares.get(market, {}).items()):
                amount = usd_from_float(listing.plot.daily_reward * total / SAMPLES_A_DAY)
                if amount >= LEAST_PAID:
                    self._ledger.reward(account, amount)
                    self._earned.setdefault((account, day), {})[market] = amount
                    paid.append(Paid(account, market, amount))
        self._shares.clear()
        return paid

    def pay_rebates(self, listings: Iterable[Listing], day: str) -> list[Paid]:
        """Share the fees of a day that is over among its makers and start the next with nothing."""
        paid = []
        for listing in listings:
            market = listing.instrument.market
            made = self._made.get(market, {})
            total = sum(made.values())
            pool = round(self._fees.get(market, 0) * listing.plot.rebate)
            for account, part in sorted(made.items()):
                amount = Usd(pool * part // total) if total else Usd(0)
                if amount >= LEAST_PAID:
                    self._ledger.rebate(account, amount)
                    self._rebated.setdefault((account, day), {})[market] = amount
                    paid.append(Paid(account, market, amount))
        self._made.clear()
        self._fees.clear()
        return paid


def midpoint(listing: Listing, book: RestingBook) -> float | None:
    """Dollars between the best levels that reach the programme's least size; None when a side has none."""
    cutoff = Shares(listing.plot.reward_size * MICRO)
    return adjusted_touch(book.levels("bid"), book.levels("ask"), cutoff, "level", listing.instrument.grid.k).mid


def next_midnight(now_ms: int) -> int:
    """Unix milliseconds of the next midnight UTC."""
    return (now_ms // DAY_MS + 1) * DAY_MS
