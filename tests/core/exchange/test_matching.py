"""Matching by example: kinds of match, fees, refusals, priorities, order types."""

import pytest

from core.exchange import refusals
from core.exchange.ledger import Ledger
from core.exchange.matching import MatchingEngine
from core.exchange.orders import NewOrder, OrderType, Report
from core.market.instrument import Instrument
from core.units import MICRO, OrderSide, Outcome, Shares, Ticks, Usd

MARKET = "0x" + "ab" * 32
NOW = 1_790_000_000_000


class Bench:
    """An engine with one market and three rich accounts holding cash and both tokens."""

    def __init__(self, tick: str = "0.01", fee_bps: int = 0) -> None:
        self.ledger = Ledger()
        self.engine = MatchingEngine(self.ledger, seed=1)
        instrument = Instrument(
            market=MARKET, yes_token="1", no_token="2", title="?", tick_text=tick, min_size=Shares(5 * MICRO)
        )
        self.engine.add_market(instrument, fee_bps)
        for name in ("a", "b", "c"):
            self.ledger.deposit(name, Usd(2_000 * MICRO))
            self.ledger.split(name, MARKET, Shares(1_000 * MICRO))
        self.count = 0

    def send(
        self,
        account: str,
        outcome: Outcome,
        side: OrderSide,
        price: int,
        size: float,
        order_type: OrderType = "GTC",
        *,
        post_only: bool = False,
        budget: float | None = None,
        expiration: int = 0,
        order_id: str = "",
    ) -> Report:
        self.count += 1
        new = NewOrder(
            order_id=order_id or f"o{self.count}",
            account=account,
            owner=f"key-{account}",
            market=MARKET,
            outcome=outcome,
            side=side,
            price=Ticks(price),
            size=Shares(round(size * MICRO)),
            order_type=order_type,
            post_only=post_only,
            expiration=expiration,
            budget=None if budget is None else Usd(round(budget * MICRO)),
        )
        return self.engine.submit(new, NOW)

    def settled(self, report: Report) -> None:
        assert report.trade is not None
        self.ledger.settle(MARKET, report.trade.movements)
        self.ledger.check()

    def cash(self, account: str) -> float:
        return self.ledger.accounts[account].cash / MICRO

    def tokens(self, account: str, outcome: Outcome) -> float:
        return self.ledger.accounts[account].tokens[(MARKET, outcome)] / MICRO

    @property
    def pairs(self) -> float:
        return self.ledger.collateral[MARKET] / MICRO


def test_complementary_match_moves_tokens_at_the_makers_price() -> None:
    bench = Bench()
    bench.send("a", "YES", "SELL", 60, 100)
    bench.settled(bench.send("b", "YES", "BUY", 65, 40))
    assert (bench.cash("a"), bench.cash("b")) == (1_024, 976)
    assert (bench.tokens("a", "YES"), bench.tokens("b", "YES"), bench.pairs) == (960, 1_040, 3_000)


def test_two_buys_of_opposite_tokens_mint_pairs() -> None:
    bench = Bench()
    bench.send("a", "YES", "BUY", 43, 50)
    report = bench.send("b", "NO", "BUY", 57, 50)
    bench.settled(report)
    assert (bench.cash("a"), bench.cash("b")) == (978.5, 971.5)
    assert (bench.tokens("a", "YES"), bench.tokens("b", "NO"), bench.pairs) == (1_050, 1_050, 3_050)


def test_two_sells_of_opposite_tokens_merge_pairs() -> None:
    bench = Bench()
    bench.send("a", "NO", "SELL", 30, 20)
    bench.settled(bench.send("b", "YES", "SELL", 70, 20))
    assert (bench.cash("a"), bench.cash("b")) == (1_006, 1_014)
    assert bench.pairs == 2_980


def test_no_orders_rest_mirrored_in_the_yes_book() -> None:
    bench = Bench()
    bench.send("a", "NO", "BUY", 30, 10)
    bench.send("a", "NO", "SELL", 45, 10)
    book = bench.engine.books[MARKET]
    assert book.levels("ask") == [(70, 10 * MICRO)] and book.levels("bid") == [(55, 10 * MICRO)]


def test_price_goes_before_time_and_time_before_size() -> None:
    bench = Bench()
    for account, price, size in (("a", 61, 10), ("b", 60, 10), ("a", 60, 50)):
        bench.send(account, "YES", "SELL", price, size)
    trade = bench.send("c", "YES", "BUY", 61, 65).trade
    assert trade is not None
    assert [fill.order.new.order_id for fill in trade.fills] == ["o2", "o3", "o1"]
    assert [fill.size // MICRO for fill in trade.fills] == [10, 50, 5]
    assert trade.last_price == 61


def test_taker_fee_is_rounded_to_five_decimals_and_makers_pay_none() -> None:
    bench = Bench(fee_bps=500)
    bench.send("a", "YES", "SELL", 50, 100)
    report = bench.send("b", "YES", "BUY", 50, 7.77)
    assert report.trade is not None
    assert report.trade.fee == 97_130  # 7.77 * 0.05 * 0.25 = 0.097125
    assert bench.ledger.accounts["b"].free_cash == 1_000 * MICRO - 3_885_000 - 97_130, "owed before it settles"
    bench.settled(report)
    assert bench.ledger.fees == 97_130
    assert bench.cash("a") == 1_003.885 and bench.cash("b") == pytest.approx(1_000 - 3.885 - 0.09713)


def test_bought_tokens_can_be_sold_only_after_settlement() -> None:
    bench = Bench()
    bench.ledger.deposit("d", Usd(100 * MICRO))
    bench.send("a", "YES", "SELL", 50, 10)
    bought = bench.send("d", "YES", "BUY", 50, 10)
    assert "not enough balance" in bench.send("d", "YES", "SELL", 55, 10).error
    bench.settled(bought)
    assert bench.send("d", "YES", "SELL", 55, 10).error == ""


def test_open_orders_hold_back_what_they_may_cost() -> None:
    bench = Bench()
    assert bench.send("a", "YES", "BUY", 50, 1_500).error == ""
    refusal = bench.send("a", "NO", "BUY", 40, 1_000).error
    assert refusal.endswith(
        "balance: 1000000000, sum of active orders: 750000000, sum of matched orders: 0, "
        "order amount (inc. fees): 400000000"
    )
    bench.engine.cancel("o1")
    assert bench.send("a", "NO", "BUY", 40, 1_000).error == ""


def test_short_balance_text_when_nothing_else_is_open() -> None:
    bench = Bench()
    error = bench.send("a", "YES", "BUY", 50, 3_000).error
    assert error.endswith("the balance is not enough -> balance: 1000000000, order amount: 1500000000")


def test_post_only_that_would_cross_is_refused_across_tokens_too() -> None:
    bench = Bench()
    bench.send("a", "YES", "BUY", 43, 50)
    assert bench.send("b", "NO", "BUY", 57, 50, post_only=True).error == refusals.POST_ONLY_CROSSES
    assert bench.send("b", "NO", "BUY", 56, 50, post_only=True).error == ""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"price": 0, "size": 10}, "breaks minimum tick size rule: 0.01"),
        ({"price": 100, "size": 10}, "breaks minimum tick size rule: 0.01"),
        ({"price": 50, "size": 4.99}, "Size (4.99) lower than the minimum: 5"),
        ({"price": 50, "size": 10, "expiration": NOW // 1000 + 300}, "invalid expiration"),
        ({"price": 50, "size": 10, "order_type": "GTD"}, "invalid expiration"),
        ({"price": 50, "size": 10, "order_type": "GTD", "expiration": NOW // 1000 + 179}, "invalid expiration"),
        ({"price": 50, "size": 10, "order_type": "FOK", "post_only": True}, "post-only"),
        ({"price": 50, "size": 10, "order_type": "FAK"}, refusals.FAK_MISSED),
        ({"price": 50, "size": 10, "order_type": "FOK"}, refusals.FOK_MISSED),
        ({"price": 70, "size": 1, "order_type": "FAK"}, "marketable BUY order ($0.7), min size: $1"),
        ({"price": 70, "size": 0, "order_type": "FAK"}, refusals.PAYLOAD),
    ],
)
def test_refusals_use_the_venues_words_and_change_nothing(arguments: dict[str, object], error: str) -> None:
    bench = Bench()
    bench.send("a", "YES", "SELL", 70, 50)
    report = bench.send("b", "YES", "BUY", **arguments)  # type: ignore[arg-type]
    assert error in report.error
    assert report.order is None and not report.changes and not report.updates
    assert bench.engine.open_orders("b") == [] and bench.ledger.accounts["b"].free_cash == 1_000 * MICRO


def test_an_order_is_accepted_once_even_after_its_end() -> None:
    bench = Bench()
    bench.send("a", "YES", "BUY", 50, 10, order_id="same")
    assert bench.send("a", "YES", "BUY", 50, 10, order_id="same").error == "order same is invalid. Duplicated."
    bench.engine.cancel("same")
    assert "Duplicated" in bench.send("a", "YES", "BUY", 50, 10, order_id="same").error


def test_cancel_frees_the_money_and_works_once() -> None:
    bench = Bench()
    bench.send("a", "YES", "BUY", 50, 10)
    report = bench.engine.cancel("o1")
    assert report.changes[0].size == 0 and report.updates[0].kind == "CANCELLATION"
    assert bench.ledger.accounts["a"].free_cash == 1_000 * MICRO
    assert bench.engine.cancel("o1").error == refusals.NOT_CANCELED
    assert bench.engine.cancel("unknown").error == refusals.NOT_CANCELED


def test_fok_takes_all_or_nothing_and_fak_what_is_there() -> None:
    bench = Bench()
    bench.send("a", "YES", "SELL", 50, 30)
    assert bench.send("b", "YES", "BUY", 50, 31, "FOK").error == refusals.FOK_MISSED
    assert bench.engine.books[MARKET].levels("ask") == [(50, 30 * MICRO)]
    partial = bench.send("b", "YES", "BUY", 50, 31, "FAK")
    assert partial.trade is not None and partial.trade.size == 30 * MICRO
    assert partial.order is not None and partial.order.status == "CANCELED"
    assert bench.engine.open_orders("b") == []


def test_a_dollar_buy_spends_its_budget_and_no_more() -> None:
    bench = Bench()
    bench.send("a", "YES", "SELL", 57, 5)
    bench.send("a", "YES", "SELL", 57, 5)
    bench.send("a", "YES", "SELL", 58, 50)
    report = bench.send("b", "YES", "BUY", 60, 8.33, "FOK", budget=5)
    assert report.error == "" and report.trade is not None
    assert 4_999_999 <= report.trade.cash <= 5_000_000
    assert report.trade.size == 8_771_929
    bench.settled(report)


def test_a_crossing_limit_rests_with_what_is_left() -> None:
    bench = Bench()
    bench.send("a", "YES", "SELL", 50, 30)
    report = bench.send("b", "YES", "BUY", 52, 100)
    assert report.order is not None and report.order.status == "LIVE" and report.order.remaining == 70 * MICRO
    assert [(c.side, c.price, c.size) for c in report.changes] == [("ask", 50, 0), ("bid", 52, 70 * MICRO)]
    assert [(u.kind, u.status) for u in report.updates] == [
        ("PLACEMENT", "LIVE"),
        ("UPDATE", "MATCHED"),
        ("UPDATE", "LIVE"),
    ]


def test_self_trade_happens_and_is_marked() -> None:
    bench = Bench()
    bench.send("a", "YES", "BUY", 43, 50)
    report = bench.send("a", "NO", "BUY", 57, 50)
    assert report.trade is not None and report.trade.self_trade
    bench.settled(report)


def test_unknown_market_and_unknown_account_are_refused() -> None:
    bench = Bench()
    assert "not enough balance" in bench.send("nobody", "YES", "BUY", 50, 10).error
    stranger = NewOrder(
        order_id="x", account="a", owner="", market="0x00", outcome="YES", side="BUY", price=Ticks(5), size=Shares(1)
    )
    assert bench.engine.submit(stranger, NOW).error == refusals.MARKET_NOT_FOUND


def test_only_free_cash_can_be_split() -> None:
    bench = Bench()
    bench.send("a", "YES", "BUY", 50, 1_990)
    with pytest.raises(ValueError, match="free cash"):
        bench.ledger.split("a", MARKET, Shares(10 * MICRO))
