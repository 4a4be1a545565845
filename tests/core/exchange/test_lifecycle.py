"""What a market and the venue go through: pauses, closing, resolution, ticks, restarts, delays, spoiled trades."""

import json
from typing import Any

import pytest
from msgspec import structs

from core.exchange.exchange import Exchange
from core.exchange.frames import CUSTOM_KINDS, MarketFrame, UserFrame
from core.exchange.lifecycle import Result
from core.exchange.listing import listings
from core.exchange.orders import OrderType, Report, Trade
from core.exchange.settlement import Delays, Spoiling
from core.units import MICRO, OrderSide, Outcome, Shares, Usd
from tests.core.exchange.arrange import new_order

START = 1_790_000_000_000
MAKER, TAKER = "0x" + "a1" * 20, "0x" + "b2" * 20
FUNDS = Usd(10_000 * MICRO)


class Floor:
    """An exchange without participants and two outside accounts with money and tokens."""

    def __init__(self, *, delay_ms: int = 0, tick: str = "0.01") -> None:
        self.exchange = Exchange(
            seed=5, markets=2, now_ms=START, delays=Delays((70, 70), (2_000, 2_000), (2_000, 2_000))
        )
        listing = listings(6, 1, START // 1000)[0]
        listing = structs.replace(
            listing,
            plot=structs.replace(listing.plot, delay_ms=delay_ms),
            instrument=structs.replace(listing.instrument, tick_text=tick),
        )
        self.exchange.open_market(listing)
        self.market = listing.instrument.market
        for account in (MAKER, TAKER):
            self.exchange.ledger.deposit(account, FUNDS)
            self.exchange.split(account, self.market, Shares(1_000 * MICRO))
        self.sent = 0
        self.exchange.drain()

    def send(
        self,
        account: str,
        side: OrderSide,
        price: int,
        size: float,
        *,
        outcome: Outcome = "YES",
        order_type: OrderType = "GTC",
        post_only: bool = False,
    ) -> Report:
        self.sent += 1
        new = new_order(
            self.sent, account, self.market, side, price, size,
            outcome=outcome, order_type=order_type, post_only=post_only,
        )  # fmt: skip
        return self.exchange.submit(new, self.exchange.now_ms)

    def deal(self, price: int = 50, size: float = 100) -> Trade:
        """The maker buys YES of the taker."""
        self.send(MAKER, "BUY", price, size)
        trade = self.send(TAKER, "SELL", price, size, order_type="FAK").trade
        assert trade is not None
        return trade

    def wait(self, seconds: float) -> None:
        self.exchange.step(self.exchange.now_ms + round(seconds * 1000))

    def public(self) -> list[dict[str, Any]]:
        return [json.loads(f.text) for f in self.exchange.drain() if isinstance(f, MarketFrame)]

    def orders_told(self) -> list[tuple[str, str]]:
        told = [json.loads(f.text) for f in self.exchange.drain() if isinstance(f, UserFrame)]
        return [(e["type"], e["status"]) for e in told if e["event_type"] == "order"]

    def worth(self, account: str, outcome: Outcome) -> int:
        return self.exchange.ledger.accounts[account].tokens.get((self.market, outcome), 0)

    def status_of(self, report: Report) -> str:
        assert report.order is not None
        return report.order.status


def test_a_paused_market_keeps_its_book_and_takes_no_orders() -> None:
    floor = Floor()
    resting = floor.send(MAKER, "BUY", 40, 10)
    floor.exchange.pause_market(floor.market, True)
    assert floor.send(MAKER, "BUY", 40, 10).error == "the market is not yet ready to process new orders"
    assert floor.exchange.engine.books[floor.market].touch("bid") == 40
    assert resting.order is not None
    assert floor.exchange.cancel("key of " + MAKER, [resting.order.new.order_id], START)[0]
    floor.exchange.pause_market(floor.market, False)
    assert not floor.send(MAKER, "BUY", 40, 10).error


def test_closing_cancels_what_rests_tells_its_owner_and_frees_the_money() -> None:
    floor = Floor()
    order = floor.send(MAKER, "BUY", 40, 10)
    floor.exchange.drain()
    floor.exchange.close_market(floor.market)
    assert floor.orders_told() == [("CANCELLATION", "CANCELED_MARKET_RESOLVED")]
    assert floor.status_of(order) == "CANCELED_MARKET_RESOLVED"
    assert floor.exchange.ledger.accounts[MAKER].active_cash == 0
    assert "No orderbook exists" in floor.send(MAKER, "BUY", 40, 10).error
    assert floor.exchange.phase(floor.market) == "closed"


@pytest.mark.parametrize(("result", "pays"), [("YES", (1.0, 0.0)), ("NO", (0.0, 1.0)), ("HALF", (0.5, 0.5))])
def test_a_resolved_market_pays_exactly_what_its_tokens_are_worth(result: Result, pays: tuple[float, float]) -> None:
    """Also tokens whose trade settles after the resolution; afterwards nothing is locked."""
    floor = Floor()
    floor.deal(price=30, size=7)
    floor.exchange.resolve(floor.market, result)
    with pytest.raises(ValueError, match="resolved"):
        floor.exchange.split(MAKER, floor.market, Shares(MICRO))
    floor.wait(5)
    paid = 0
    for account in (MAKER, TAKER):
        worth = floor.worth(account, "YES") * pays[0] + floor.worth(account, "NO") * pays[1]
        before = floor.exchange.ledger.accounts[account].cash
        got = floor.exchange.redeem(account, floor.market)
        assert got == worth
        assert floor.exchange.ledger.accounts[account].cash == before + got
        assert floor.exchange.redeem(account, floor.market) == 0
        floor.exchange.ledger.check()
        paid += got
    assert paid == 2_000 * MICRO
    assert floor.exchange.ledger.collateral[floor.market] == 0


def test_half_a_dollar_for_an_odd_micro_share_is_rounded_down_and_stays_locked() -> None:
    floor = Floor()
    ledger = floor.exchange.ledger
    ledger.split(MAKER, floor.market, Shares(1))
    floor.exchange.resolve(floor.market, "HALF")
    assert floor.exchange.redeem(MAKER, floor.market) == 1_000 * MICRO
    assert floor.exchange.redeem(TAKER, floor.market) == 1_000 * MICRO
    ledger.check()
    assert ledger.collateral[floor.market] == 1


def test_redeeming_before_the_resolution_or_more_than_one_has_is_refused() -> None:
    floor = Floor()
    with pytest.raises(ValueError, match="not resolved"):
        floor.exchange.redeem(MAKER, floor.market)
    floor.exchange.resolve(floor.market, "YES")
    with pytest.raises(ValueError, match="not enough"):
        floor.exchange.redeem(MAKER, floor.market, "YES", Shares(1_001 * MICRO))
    assert floor.exchange.redeem(MAKER, floor.market, "YES", Shares(400 * MICRO)) == 400 * MICRO
    assert floor.exchange.redeem(MAKER, floor.market, "NO") == 0
    floor.exchange.ledger.check()


def test_a_resolution_is_announced_once_in_the_recorded_shape_unless_silent() -> None:
    floor = Floor()
    floor.exchange.resolve(floor.market, "NO")
    floor.exchange.resolve(floor.market, "YES")
    (event,) = floor.public()
    instrument = floor.exchange.engine.instrument(floor.market)
    assert event["winning_asset_id"] == instrument.no_token and event["winning_outcome"] == "No"
    recorded = {
        "id",
        "market",
        "assets_ids",
        "winning_asset_id",
        "winning_outcome",
        "event_message",
        "timestamp",
        "tags",
    }
    assert set(event) == recorded | {"event_type"}
    silent = Floor()
    silent.exchange.resolve(silent.market, "NO", announce=False)
    assert silent.public() == []


def test_merging_gives_back_what_splitting_took() -> None:
    floor = Floor()
    before = floor.exchange.ledger.accounts[MAKER].cash
    floor.exchange.split(MAKER, floor.market, Shares(7 * MICRO))
    floor.exchange.merge(MAKER, floor.market, Shares(7 * MICRO))
    assert floor.exchange.ledger.accounts[MAKER].cash == before
    floor.send(MAKER, "SELL", 60, 995)
    with pytest.raises(ValueError, match="free tokens"):
        floor.exchange.merge(MAKER, floor.market, Shares(6 * MICRO))
    with pytest.raises(ValueError, match="free cash"):
        floor.exchange.split(MAKER, floor.market, Shares(FUNDS))
    floor.exchange.ledger.check()


def test_a_finer_tick_keeps_every_order_and_begins_a_new_epoch() -> None:
    """Both tokens are told, then both books follow; the queue, the money and the dollars of each order stay."""
    floor = Floor()
    first = floor.send(MAKER, "BUY", 40, 10)
    floor.send(TAKER, "BUY", 40, 20)
    floor.send(TAKER, "BUY", 45, 30, outcome="NO")
    held = floor.exchange.ledger.accounts[MAKER].active_cash
    floor.exchange.drain()
    floor.exchange.change_tick(floor.market, "0.001")
    told = floor.public()
    assert [e["event_type"] for e in told] == ["tick_size_change"] * 2 + ["book"] * 2
    assert (told[0]["old_tick_size"], told[0]["new_tick_size"]) == ("0.01", "0.001")
    assert told[2]["bids"] == [{"price": "0.4", "size": "30"}] and told[2]["asks"] == [{"price": "0.55", "size": "30"}]
    trade = floor.send(TAKER, "SELL", 400, 15, order_type="FAK").trade
    assert trade is not None and trade.fills[0].order is first.order and trade.fills[0].size == 10 * MICRO
    assert trade.cash == 6 * MICRO and floor.exchange.ledger.accounts[MAKER].active_cash == held - 4 * MICRO
    assert floor.send(MAKER, "BUY", 401, 10).order is not None
    floor.exchange.ledger.check()


def test_a_coarser_tick_cancels_what_is_not_on_it() -> None:
    floor = Floor(tick="0.001")
    kept, lost = floor.send(MAKER, "BUY", 410, 10), floor.send(MAKER, "BUY", 415, 10)
    floor.exchange.drain()
    floor.exchange.change_tick(floor.market, "0.01")
    assert [e["event_type"] for e in floor.public() if e["event_type"] != "best_bid_ask"] == [
        "price_change", "tick_size_change", "tick_size_change", "book", "book",
    ]  # fmt: skip
    assert (floor.status_of(kept), floor.status_of(lost)) == ("LIVE", "CANCELED")
    assert kept.order is not None and kept.order.new.price == 41
    assert floor.exchange.ledger.accounts[MAKER].active_cash == 4_100_000


def test_a_trade_made_on_the_old_tick_is_told_in_its_own_prices_afterwards() -> None:
    floor = Floor()
    floor.deal(price=40)
    floor.exchange.drain()
    floor.exchange.change_tick(floor.market, "0.001")
    floor.wait(3)
    prices = [json.loads(f.text)["price"] for f in floor.exchange.drain() if isinstance(f, UserFrame)]
    assert prices and set(prices) == {"0.4"}


@pytest.mark.parametrize(
    ("bid", "ask", "becomes"), [(97, 98, "0.001"), (2, 3, "0.001"), (95, 96, "0.01"), (4, 5, "0.01")]
)
def test_a_price_beyond_four_cents_of_either_end_makes_the_tick_finer(bid: int, ask: int, becomes: str) -> None:
    floor = Floor()
    floor.send(MAKER, "BUY", bid, 10)
    floor.send(TAKER, "SELL", ask, 10)
    floor.wait(0.001)
    assert floor.exchange.engine.instrument(floor.market).tick_text == becomes
    assert floor.exchange.listings[floor.market].instrument.tick_text == becomes


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("fail", ["MATCHED", "RETRYING", "FAILED"]),
        ("retry", ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]),
        ("hang", ["MATCHED"]),
        (None, ["MATCHED", "MINED", "CONFIRMED"]),
    ],
)
def test_a_trade_goes_through_its_states_and_moves_money_when_mined_only(how: Spoiling | None, told: list[str]) -> None:
    floor = Floor()
    if how is not None:
        floor.exchange.settlement.spoil(how)
    floor.deal(price=50, size=100)
    floor.wait(60)
    events = [json.loads(f.text) for f in floor.exchange.drain() if isinstance(f, UserFrame)]
    seen = [e["status"] for e in events if e["event_type"] == "trade" and e["owner"] == "key of " + MAKER]
    assert seen == told
    moved = 100 * MICRO if "MINED" in told else 0
    assert floor.worth(MAKER, "YES") == 1_000 * MICRO + moved
    owed = floor.exchange.ledger.accounts[MAKER].matched_cash
    assert owed == (50 * MICRO if how == "hang" else 0)
    floor.exchange.ledger.check()
    assert floor.exchange.ledger.fees == (0 if how in ("fail", "hang") else floor.exchange.ledger.fees)


def test_spoiling_counts_trades_of_its_market_only() -> None:
    floor = Floor()
    floor.exchange.settlement.spoil("fail", count=2, market=floor.market)
    floor.exchange.settlement.spoil("fail", market="another")
    trades = [floor.deal() for _ in range(3)]
    floor.wait(60)
    assert [trade.status for trade in trades] == ["FAILED", "FAILED", "CONFIRMED"]


def test_a_retried_trade_comes_under_another_transaction() -> None:
    floor = Floor()
    floor.exchange.settlement.spoil("retry", retries=2)
    trade = floor.deal()
    first = trade.transaction_hash
    floor.wait(60)
    assert trade.status == "CONFIRMED" and trade.transaction_hash != first and len(trade.transaction_hash) == 66


def test_a_taker_waits_out_the_delay_and_can_then_miss() -> None:
    """Held orders are DELAYED, hold their money, cannot be cancelled, and match what is there afterwards."""
    floor = Floor(delay_ms=250)
    bid = floor.send(MAKER, "BUY", 50, 100)
    assert floor.status_of(bid) == "LIVE"
    ask = floor.send(TAKER, "SELL", 50, 60)
    assert floor.status_of(ask) == "DELAYED" and ask.trade is None
    assert ask.order is not None and bid.order is not None
    assert floor.exchange.ledger.accounts[TAKER].active_tokens[(floor.market, "YES")] == 60 * MICRO
    _, failed = floor.exchange.cancel("key of " + TAKER, [ask.order.new.order_id], floor.exchange.now_ms)
    assert list(failed.values()) == ["order match delayed due to market conditions"], "not gone: it may rest later"
    floor.wait(0.249)
    assert ask.order.status == "DELAYED"
    floor.wait(0.001)
    assert ask.order.status == "MATCHED" and bid.order.matched == 60 * MICRO
    missing = floor.send(TAKER, "SELL", 50, 10)
    killed = floor.send(TAKER, "SELL", 50, 10, order_type="FAK")
    assert floor.status_of(missing) == floor.status_of(killed) == "DELAYED"
    floor.exchange.cancel("key of " + MAKER, [bid.order.new.order_id], floor.exchange.now_ms)
    floor.exchange.drain()
    floor.wait(0.3)
    assert (floor.status_of(missing), floor.status_of(killed)) == ("LIVE", "CANCELED")
    assert floor.orders_told() == [("UPDATE", "UNMATCHED"), ("CANCELLATION", "CANCELED")]
    floor.exchange.ledger.check()


def test_post_only_orders_are_not_delayed_and_delayed_ones_survive_a_tick_change() -> None:
    floor = Floor(delay_ms=250)
    floor.send(MAKER, "BUY", 50, 100)
    assert floor.status_of(floor.send(TAKER, "SELL", 51, 10, post_only=True)) == "LIVE"
    held = floor.send(TAKER, "SELL", 50, 10)
    floor.exchange.change_tick(floor.market, "0.001")
    floor.wait(1)
    assert floor.status_of(held) == "MATCHED" and held.order is not None and held.order.new.price == 500


def test_a_delayed_order_whose_market_closes_ends_without_a_match() -> None:
    floor = Floor(delay_ms=250)
    floor.send(MAKER, "BUY", 50, 100)
    held = floor.send(TAKER, "SELL", 50, 10)
    floor.exchange.close_market(floor.market)
    floor.wait(1)
    assert floor.status_of(held) == "CANCELED_MARKET_RESOLVED"
    assert floor.exchange.ledger.accounts[TAKER].active_tokens[(floor.market, "YES")] == 0


def test_a_restart_is_followed_by_two_minutes_of_post_only() -> None:
    floor = Floor()
    resting = floor.send(MAKER, "BUY", 40, 10)
    floor.exchange.restart(90_000)
    assert resting.order is not None
    assert floor.send(MAKER, "BUY", 40, 10, post_only=True).error == "service not ready"
    _, failed = floor.exchange.cancel("key of " + MAKER, [resting.order.new.order_id], floor.exchange.now_ms)
    assert list(failed.values()) == ["service not ready"]
    floor.wait(90)
    assert floor.exchange.mode.state == "post_only" and floor.exchange.mode.retry_after_s(floor.exchange.now_ms) == 120
    assert "post-only" in floor.send(MAKER, "BUY", 40, 10).error
    assert not floor.send(MAKER, "BUY", 40, 10, post_only=True).error
    floor.wait(120)
    assert floor.exchange.mode.state == "normal" and not floor.send(MAKER, "BUY", 40, 10).error
    assert floor.exchange.engine.books[floor.market].levels("bid")[0][1] == 30 * MICRO


def test_what_falls_due_while_the_venue_is_down_happens_when_it_is_up_again() -> None:
    """An expiry and the end of a taker delay are put off, not lost."""
    floor = Floor(delay_ms=250)
    floor.send(MAKER, "BUY", 50, 10)
    expiring = new_order(77, MAKER, floor.market, "BUY", 40, 10, order_type="GTD", expiration=START // 1000 + 200)
    dated = floor.exchange.submit(expiring, START).order
    floor.wait(139)
    held = floor.send(TAKER, "SELL", 50, 10).order
    assert dated is not None and held is not None
    floor.exchange.restart(30_000)
    floor.wait(29)
    assert (dated.status, held.status) == ("LIVE", "DELAYED")
    floor.wait(2)
    assert (dated.status, held.status) == ("CANCELED_EXPIRED_ORDER", "MATCHED")


def test_a_restart_that_keeps_nothing_says_nothing_to_owners() -> None:
    floor = Floor()
    order = floor.send(MAKER, "BUY", 40, 10)
    floor.exchange.drain()
    floor.exchange.restart(1_000, keep_orders=False)
    assert floor.orders_told() == []
    assert floor.status_of(order) == "CANCELED" and floor.exchange.ledger.accounts[MAKER].active_cash == 0


def test_modes_end_by_themselves_and_a_newer_one_outlives_an_older_end() -> None:
    floor = Floor()
    floor.exchange.set_mode("cancel_only", 10_000)
    order = floor.send(MAKER, "BUY", 40, 10)
    assert "cancel-only" in order.error
    floor.wait(5)
    floor.exchange.set_mode("disabled")
    floor.wait(60)
    assert floor.exchange.mode.state == "disabled" and not floor.exchange.mode.cancels
    assert floor.send(MAKER, "BUY", 40, 10).error.startswith("Trading is currently disabled")
    floor.exchange.set_mode("normal")
    assert not floor.send(MAKER, "BUY", 40, 10).error


def test_a_market_opened_later_is_announced_to_custom_sockets_and_trades() -> None:
    floor = Floor()
    listing = listings(77, 1, START // 1000)[0]
    floor.exchange.open_market(listing)
    (frame,) = [f for f in floor.exchange.drain() if isinstance(f, MarketFrame)]
    assert frame.kind == "new_market" and frame.kind in CUSTOM_KINDS and frame.tokens == ()
    event = json.loads(frame.text)
    assert event["assets_ids"] == [listing.instrument.yes_token, listing.instrument.no_token]
    assert event["fee_schedule"] == {"exponent": "1", "rate": "0.05", "taker_only": True, "rebate_rate": "0.25"}
    floor.market = listing.instrument.market
    assert floor.send(MAKER, "BUY", 40, 10).order is not None


def test_owners_are_notified_of_fills_failures_venue_cancels_and_resolutions() -> None:
    floor = Floor()
    floor.exchange.settlement.spoil("fail")
    floor.deal()
    floor.send(MAKER, "BUY", 40, 10)
    floor.wait(60)
    floor.exchange.resolve(floor.market, "YES")
    owner = "key of " + MAKER
    assert [n.kind for n in floor.exchange.notices.of(owner, floor.exchange.now_ms)] == [2, 8, 1, 4]
    floor.exchange.notices.drop(owner, {n.number for n in floor.exchange.notices.of(owner, floor.exchange.now_ms)[:3]})
    assert [n.kind for n in floor.exchange.notices.of(owner, floor.exchange.now_ms)] == [4]
    assert floor.exchange.notices.of(owner, floor.exchange.now_ms + 48 * 3_600_000) == []
