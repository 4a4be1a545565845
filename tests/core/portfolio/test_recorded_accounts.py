"""The recorded files of the Data API against ledgers built from them, as far as one says anything of the other.

What they say of each other is little: fifty positions of one wallet, five hundred trades of everybody within four
minutes, forty holders of two tokens of another day, and one value. No wallet is in two of these files with the same
token, so no position is the sum of recorded trades. Each position is reconciled with the ledger of its own totals, and
each wallet's trades with the three views; :mod:`tests.loopback.test_account_reads` does it where all history is known.
"""

import json
from collections import defaultdict
from typing import Any

import httpx

from core.clock import ManualClock
from core.portfolio.books import Books
from core.portfolio.entries import Buy, Sell, Settle
from core.portfolio.ledger import usd_of
from core.units import MICRO, Outcome, Shares, Usd
from core.venue.data_api import DataApi
from core.venue.lenient import id_of, micro_of
from tests.builders import recorded

TEN_THOUSANDTH = 100
"""Micro-dollars: the old Data API rounds to four decimals, now and then down."""


def the_file(name: str) -> Any:
    [path] = recorded(name)
    return json.loads(path.read_bytes())


def outcome_of(row: dict[str, Any]) -> Outcome:
    """The first outcome stands for YES."""
    return "NO" if row["outcomeIndex"] else "YES"


def dollars(value: Any) -> int:
    """Signed micro-dollars of a field."""
    return round(float(value) * MICRO)


def books_of_position(row: dict[str, Any]) -> Books:
    """All that was bought, at the average; what is not there any more, sold for its profit; the end if there is one."""
    books, outcome = Books(), outcome_of(row)
    size, bought = micro_of(row["size"]), micro_of(row["totalBought"])
    average = Usd(round(dollars(row["initialValue"]) * MICRO / size))
    books.apply(Buy(outcome, Shares(bought), average))
    if bought > size:
        profit = dollars(row["realizedPnl"]) * MICRO / (bought - size)
        books.apply(Sell(outcome, Shares(bought - size), Usd(round(average + profit))))
    if row["redeemable"]:
        price = dollars(row["curPrice"])
        books.apply(Settle(Usd(price if outcome == "YES" else MICRO - price)))
    return books


def test_every_recorded_position_is_what_a_ledger_makes_of_its_totals() -> None:
    """Shares, average, cost, value, profit made and not made; 40 of them resolved, and then all profit is made."""
    positions = the_file("data-api-positions-50.json")
    resolved = 0
    for row in positions:
        books, outcome = books_of_position(row), outcome_of(row)
        ledger = books.average
        holding = ledger.yes if outcome == "YES" else ledger.no
        size = micro_of(row["size"])
        grain = size // MICRO + 2 * TEN_THOUSANDTH
        """Micro-dollars: a price in whole micro-dollars is half of one off a share, and fields are rounded."""
        price = dollars(row["curPrice"])
        mark = Usd(price if outcome == "YES" else MICRO - price)
        assert books.check() == "" and holding.shares == size
        assert abs(float(row["avgPrice"]) - dollars(row["initialValue"]) / size) <= TEN_THOUSANDTH / MICRO
        assert abs(usd_of(ledger.value(mark)) - dollars(row["currentValue"])) <= grain
        profit = usd_of(ledger.total(mark))
        assert abs(profit - dollars(row["cashPnl"]) - dollars(row["realizedPnl"])) <= grain
        if row["redeemable"]:
            resolved += 1
            assert usd_of(ledger.unrealised(mark)) == 0 and usd_of(ledger.realised) == profit
        else:
            assert abs(usd_of(ledger.unrealised(mark)) - dollars(row["cashPnl"])) <= grain
            assert abs(usd_of(ledger.realised) - dollars(row["realizedPnl"])) <= grain
            assert abs(usd_of(ledger.cost) - dollars(row["initialValue"])) <= grain
    assert (len(positions), resolved) == (50, 40)


async def test_the_recorded_trades_of_every_wallet_make_books_that_add_up() -> None:
    """Our reader's rows, in the order of time, beginning amid a history: more may be sold than was seen bought."""
    rows = the_file("data-api-trades-500.json")
    facts = {row["asset"]: (row["conditionId"], outcome_of(row)) for row in rows}
    books: defaultdict[tuple[str, str], Books] = defaultdict(Books)
    cash: defaultdict[tuple[str, str], int] = defaultdict(int)
    sold_unseen, both_sides = set(), set()
    for wallet in {row["proxyWallet"] for row in rows}:
        mine = [row for row in rows if row["proxyWallet"] == wallet]
        reader = DataApi("http://data.test", wallet, ManualClock())
        answer = httpx.MockTransport(lambda request, mine=mine: _page(request, mine))  # type: ignore[misc]
        reader._client = httpx.AsyncClient(base_url="http://data.test", transport=answer)
        read = await reader.trades_since(0)
        assert read.complete and len(read.trades) == len(mine)
        for trade in sorted(read.trades, key=lambda one: one.unix):
            market, outcome = facts[trade.token]
            price, kind = Usd(micro_of(trade.price)), Buy if trade.order_side == "BUY" else Sell
            wrong = books[wallet, market].apply(kind(outcome, trade.size, price))
            cash[wallet, market] += trade.size * price * (-1 if trade.order_side == "BUY" else 1)
            if wrong is not None:
                sold_unseen.add((wallet, market))
            if kind is Sell:
                both_sides.add((wallet, market))
    assert len(books) == 443 and sold_unseen and sold_unseen <= both_sides
    for key, made in books.items():
        assert made.check() == "" and made.average.cash == cash[key] == made.lots.cash, key
        for mark in (Usd(0), Usd(370_000), Usd(MICRO)):
            assert made.average.total(mark) == made.lots.total(mark) == made.total(mark)


def test_what_the_files_say_of_each_other_fits() -> None:
    """As far as they overlap: one trade in a token of the fifty positions, at about its price; no wallet in common."""
    trades, positions = the_file("data-api-trades-500.json"), the_file("data-api-positions-50.json")
    [value], holders = the_file("data-api-value-1.json"), the_file("data-api-holders-2.json")
    held = {(row["proxyWallet"], row["asset"]): micro_of(row["size"]) for row in positions}
    prices = {row["asset"]: float(row["curPrice"]) for row in positions}
    prices |= {row["oppositeAsset"]: 1 - float(row["curPrice"]) for row in positions if row["oppositeAsset"]}
    traded = [row for row in trades if row["asset"] in prices]
    assert len(traded) == 1 and all(abs(row["price"] - prices[row["asset"]]) < 0.01 for row in traded)
    listed = {}
    for group in holders:
        for row in group["holders"]:
            assert id_of(row["asset"]) == id_of(group["token"])
            listed[row["proxyWallet"], row["asset"]] = micro_of(row["amount"])
    assert len(listed) == 40 and min(listed.values()) > 0
    wallets = {row["proxyWallet"] for row in positions}
    assert {row["proxyWallet"] for row in trades}.isdisjoint(wallets)
    assert not {(row["proxyWallet"], row["asset"]) for row in trades} & (held.keys() | listed.keys())
    assert not held.keys() & listed.keys()
    assert micro_of(value["value"]) == 0
    assert value["user"] not in wallets | {wallet for wallet, _ in listed}


def _page(request: httpx.Request, rows: list[dict[str, Any]]) -> httpx.Response:
    start, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
    return httpx.Response(200, json=rows[start : start + limit])
