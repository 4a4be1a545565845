"""The record behind the Data API: what holdings cost, what was made of them, what prices were, all within bounds."""

import random

import pytest

from core.exchange import history as history_module
from core.exchange.exchange import Exchange
from core.exchange.history import Basis, History
from core.exchange.orders import MakerFill, NewOrder, Order, Trade
from core.units import MICRO, OrderSide, Outcome, Shares, Ticks, Usd

NOW = 1_789_948_800_000
MINE, OTHER = "0x" + "a1" * 20, "0x" + "b2" * 20
EXCHANGE = Exchange(seed=5, markets=1, now_ms=NOW)
MARKET, LISTING = next(iter(EXCHANGE.listings.items()))


def order(account: str, side: OrderSide, outcome: Outcome, price: int, size: int, owner: str = "") -> Order:
    new = NewOrder(
        order_id="0x1",
        account=account,
        owner=owner,
        market=MARKET,
        outcome=outcome,
        side=side,
        price=Ticks(price),
        size=Shares(size),
    )
    return Order(new=new, instrument=LISTING.instrument, yes_side=new.yes_side, yes_price=Ticks(price), created_ms=NOW)


def deal(
    side: OrderSide,
    price: int,
    size: float,
    *,
    account: str = MINE,
    outcome: Outcome = "YES",
    fee: int = 0,
    at_ms: int = NOW,
) -> Trade:
    """One taker, one maker on the same token at ``price`` cents."""
    shares = Shares(round(size * MICRO))
    cash = Usd(shares * price // 100)
    other: OrderSide = "SELL" if side == "BUY" else "BUY"
    maker = order(OTHER, other, outcome, price, shares)
    return Trade(
        trade_id="t",
        market=MARKET,
        instrument=LISTING.instrument,
        taker=order(account, side, outcome, price, shares, owner="key"),
        size=shares,
        cash=cash,
        fee=Usd(fee),
        last_price=Ticks(price),
        fills=[MakerFill(order=maker, price=Ticks(price), size=shares, cash=cash)],
        movements=[],
        matched_ms=at_ms,
        updated_ms=at_ms,
        transaction_hash="0x" + "ab" * 32,
    )


def basis(history: History, outcome: Outcome = "YES", account: str = MINE) -> Basis:
    return history.bases(account)[(MARKET, outcome)]


def test_costs_are_averages_and_profits_are_made_when_tokens_go() -> None:
    """10 at 40 cents and 10 at 60 cost 50 on average; 5 sold at 70 make a dollar; fees are told apart."""
    history = History({})
    history.settled(deal("BUY", 40, 10, fee=120_000))
    history.settled(deal("BUY", 60, 10, at_ms=NOW + 5_000))
    history.settled(deal("SELL", 70, 5, at_ms=NOW + 9_000))
    held = basis(history)
    assert (held.held, held.cost, held.bought, held.paid) == (15 * MICRO, 7_500_000, 20 * MICRO, 10 * MICRO)
    assert (held.realized, held.fees) == (1_000_000, 120_000)
    assert (held.first_ms, held.last_ms) == (NOW, NOW + 9_000)


def test_a_split_costs_half_a_dollar_a_token_and_a_merge_brings_it_back() -> None:
    history = History({})
    history.moved(MINE.upper().replace("0X", "0x"), "SPLIT", MARKET, Shares(9), Usd(-9), NOW)
    assert [basis(history, each).cost for each in ("YES", "NO")] == [5, 4]
    history.moved(MINE, "MERGE", MARKET, Shares(9), Usd(9), NOW)
    for outcome in ("YES", "NO"):
        held = basis(history, outcome)
        assert (held.held, held.cost, held.realized) == (0, 0, 0)


def test_a_redemption_makes_profit_and_loss_of_each_token() -> None:
    history = History({MARKET: "YES"})
    history.settled(deal("BUY", 40, 10))
    history.settled(deal("BUY", 30, 20, outcome="NO"))
    history.moved(MINE, "REDEEM", MARKET, Shares(0), Usd(10 * MICRO), NOW)
    assert (basis(history, "YES").realized, basis(history, "NO").realized) == (6_000_000, -6_000_000)
    entry = next(history.entries(MINE))
    assert (entry.kind, entry.shares, entry.cash, entry.outcome) == ("REDEEM", 30 * MICRO, 10 * MICRO, None)


def test_one_token_may_be_redeemed_in_part() -> None:
    history = History({MARKET: "HALF"})
    history.settled(deal("BUY", 40, 10))
    history.moved(MINE, "REDEEM", MARKET, Shares(4 * MICRO), Usd(2 * MICRO), NOW, "YES")
    assert (basis(history).held, basis(history).realized) == (6 * MICRO, 400_000)


def test_tokens_of_unknown_origin_count_as_split_ones() -> None:
    """A participant's endowment is not reported; selling it must not divide by nothing nor go negative."""
    history = History({})
    history.settled(deal("SELL", 70, 10))
    held = basis(history)
    assert (held.held, held.cost, held.realized) == (0, 0, 2_000_000)


def test_money_in_and_out_explains_cost_and_profit_exactly() -> None:
    """Whatever is bought and sold: paid - received = cost of the rest - profit, to the micro-dollar."""
    dice = random.Random("history")
    history = History({})
    balance = held = 0
    for _ in range(500):
        price, size = dice.randint(1, 99), dice.randint(1, 10**9)
        side: OrderSide = "BUY" if held < size or dice.random() < 0.5 else "SELL"
        trade = deal(side, price, size / MICRO)
        history.settled(trade)
        balance += trade.cash if side == "BUY" else -trade.cash
        held += trade.size if side == "BUY" else -trade.size
        mine = basis(history)
        assert mine.held == held >= 0 and mine.cost >= 0
        assert balance == mine.cost - mine.realized


def test_both_parties_have_their_entry_with_their_own_price() -> None:
    history = History({})
    history.settled(deal("BUY", 40, 10))
    taker, maker = next(history.entries(MINE)), next(history.entries(OTHER))
    assert (taker.side, taker.taker, maker.side, maker.taker) == ("BUY", True, "SELL", False)
    assert taker.price == maker.price == 400_000 and taker.transaction_hash == maker.transaction_hash
    assert [entry.account for entry in history.feed()] == [OTHER, MINE]


def test_accounts_from_outside_are_remembered_longer_than_participants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "PARTICIPANT_LIMIT", 3)
    monkeypatch.setattr(history_module, "RECORD_LIMIT", 5)
    history = History({})
    for _ in range(9):
        history.settled(deal("BUY", 40, 1))
    assert len(list(history.entries(MINE))) == 5 and len(list(history.entries(OTHER))) == 3
    assert basis(history).held == 9 * MICRO


def test_prices_are_those_of_yes_one_a_minute_and_known_until_the_next() -> None:
    history = History({})
    assert history.price_at(MARKET, NOW / 1000) is None
    history.traded(deal("BUY", 40, 1, at_ms=NOW))
    history.traded(deal("BUY", 45, 1, at_ms=NOW + 30_000))
    history.traded(deal("BUY", 30, 1, outcome="NO", at_ms=NOW + 180_000))
    seconds = NOW // 1000
    assert history.price_at(MARKET, seconds - 60) is None
    assert [history.price_at(MARKET, seconds + s) for s in (0, 60, 179, 180, 9_999)] == [
        450_000, 450_000, 450_000, 700_000, 700_000,
    ]  # fmt: skip


def test_the_price_record_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "PRICES_KEPT", 20)
    history = History({})
    for minute in range(100):
        history.traded(deal("BUY", 1 + minute % 90, 1, at_ms=NOW + minute * 60_000))
    assert len(history._minutes[MARKET]) <= 20
    assert history.price_at(MARKET, NOW / 1000 + 99 * 60) == 100_000


def test_the_record_agrees_with_the_ledger_of_a_running_exchange() -> None:
    """After hours of trading every account that trades with split tokens holds what its record says."""
    exchange = Exchange(seed=3, markets=1, now_ms=NOW)
    market = next(iter(exchange.listings))
    for account in (MINE, OTHER):
        exchange.ledger.deposit(account, Usd(10_000 * MICRO))
        exchange.split(account, market, Shares(1_000 * MICRO))
    dice = random.Random("record")
    for number in range(200):
        new = NewOrder(
            order_id=f"0x{number:064x}",
            account=(MINE, OTHER)[number % 2],
            owner="key" + str(number % 2),
            market=market,
            outcome=dice.choice(("YES", "NO")),
            side=dice.choice(("BUY", "SELL")),
            price=Ticks(dice.randint(45, 55)),
            size=Shares(dice.randint(5, 30) * MICRO),
        )
        exchange.submit(new, exchange.now_ms + 100)
    exchange.step(exchange.now_ms + 60_000)
    for account in (MINE, OTHER):
        tokens = exchange.ledger.accounts[account].tokens
        bases = exchange.history.bases(account)
        assert {key: bases[key].held for key in tokens} == tokens
        assert len(list(exchange.history.entries(account))) > 20
