"""What the venue pays its makers: samples each minute, pools by share, rebates out of fees, after midnight UTC."""

import pytest
from msgspec import structs

from core.exchange.exchange import Exchange
from core.exchange.listing import listings
from core.exchange.orders import Report
from core.exchange.rewards import DAY_MS, SAMPLES_A_DAY, day_of, next_midnight
from core.units import MICRO, OrderSide, Outcome, Shares, Usd
from tests.core.exchange.arrange import new_order

MIDNIGHT = 1_789_948_800_000
ONE, TWO = "0x" + "a1" * 20, "0x" + "b2" * 20
ASK: tuple[OrderSide, Outcome] = ("BUY", "NO")


class Programme:
    """A market that pays 100 dollars a day for 100 shares within 3.5 cents, and two makers."""

    def __init__(self, *, fee_bps: int = 500, daily_reward: int = 100) -> None:
        self.exchange = Exchange(seed=5, markets=1, now_ms=MIDNIGHT)
        base = listings(6, 1, MIDNIGHT // 1000)[0]
        plot = structs.replace(base.plot, reward_size=100, reward_cents=3.5, daily_reward=daily_reward, fee_bps=fee_bps)
        self.listing = structs.replace(base, plot=plot)
        self.exchange.open_market(self.listing)
        self.market = base.instrument.market
        for account in (ONE, TWO):
            self.exchange.ledger.deposit(account, Usd(1_000_000 * MICRO))
            self.exchange.split(account, self.market, Shares(100_000 * MICRO))
        self.sent = 0

    def rest(self, account: str, side: OrderSide, price: int, size: int, outcome: Outcome = "YES") -> Report:
        self.sent += 1
        new = new_order(self.sent, account, self.market, side, price, size, outcome=outcome)
        report = self.exchange.submit(new, self.exchange.now_ms)
        assert not report.error
        return report

    def quote(self, account: str, size: int) -> None:
        self.rest(account, "BUY", 49, size)
        self.rest(account, "BUY", 49, size, outcome="NO")


def test_the_pool_of_a_day_is_shared_by_score_and_paid_after_midnight() -> None:
    programme = Programme()
    programme.quote(ONE, 300)
    programme.quote(TWO, 100)
    before = programme.exchange.ledger.accounts[ONE].cash
    programme.exchange.step(MIDNIGHT + DAY_MS - 1)
    assert programme.exchange.rewards.share(ONE, programme.market) == pytest.approx(0.75)
    assert programme.exchange.ledger.accounts[ONE].cash == before
    programme.exchange.step(MIDNIGHT + DAY_MS)
    day = day_of(MIDNIGHT)
    paid = programme.exchange.rewards.earned(ONE, day)[programme.market]
    samples = paid / MICRO / 75 * SAMPLES_A_DAY
    assert samples == pytest.approx(SAMPLES_A_DAY, abs=1.01)
    assert programme.exchange.ledger.accounts[ONE].cash == before + paid
    assert programme.exchange.rewards.earned(TWO, day)[programme.market] == pytest.approx(paid / 3, abs=1)
    programme.exchange.ledger.check()
    assert programme.exchange.ledger.rewards > 0
    programme.exchange.step(MIDNIGHT + 2 * DAY_MS)
    assert programme.exchange.rewards.earned(ONE, day_of(MIDNIGHT + DAY_MS))[programme.market] > 0


def test_less_than_a_dollar_is_not_paid() -> None:
    programme = Programme(daily_reward=1)
    programme.quote(ONE, 300)
    programme.quote(TWO, 300)
    programme.exchange.step(MIDNIGHT + DAY_MS)
    assert programme.exchange.rewards.earned(ONE, day_of(MIDNIGHT)) == {}
    assert programme.exchange.ledger.rewards == 0


def test_an_order_scores_when_it_is_old_near_and_large_enough() -> None:
    programme = Programme()
    good = programme.rest(ONE, "BUY", 49, 100).order
    small = programme.rest(ONE, "BUY", 49, 99).order
    far = programme.rest(ONE, "BUY", 46, 100).order
    programme.rest(TWO, "BUY", 49, 100, outcome="NO")
    assert good and small and far
    scoring = programme.exchange.is_scoring
    assert not scoring(good.new.order_id)
    programme.exchange.step(MIDNIGHT + 4_000)
    assert [scoring(o.new.order_id) for o in (good, small, far)] == [True, False, False]
    assert not scoring("0x00")
    programme.exchange.cancel("key of " + ONE, [good.new.order_id], programme.exchange.now_ms)
    assert not scoring(good.new.order_id)


def test_rebates_give_a_part_of_the_fees_back_to_those_who_were_filled() -> None:
    """A quarter of the fee, by the makers' fee equivalents; a trade that failed funds nothing."""
    programme = Programme()
    programme.rest(ONE, "BUY", 50, 3_000)
    programme.rest(TWO, "BUY", 50, 100)
    programme.exchange.force_trade(programme.market, "YES", "SELL", Shares(3_100 * MICRO), MIDNIGHT + 1_000)
    programme.exchange.settlement.spoil("fail")
    programme.rest(ONE, "BUY", 50, 300)
    programme.exchange.force_trade(programme.market, "YES", "SELL", Shares(300 * MICRO), MIDNIGHT + 2_000)
    programme.exchange.step(MIDNIGHT + 60_000)
    fee = programme.exchange.ledger.fees
    assert fee == 38_750_000
    programme.exchange.step(MIDNIGHT + DAY_MS)
    pool = round(fee * programme.listing.plot.rebate)
    paid = pool * 30 // 31
    assert programme.exchange.rewards.rebates(ONE, day_of(MIDNIGHT)) == {programme.market: paid}
    assert programme.exchange.rewards.rebates(TWO, day_of(MIDNIGHT)) == {}, "below a dollar"
    assert programme.exchange.ledger.fees == fee - paid
    programme.exchange.ledger.check()


def test_midnight_is_always_ahead() -> None:
    assert next_midnight(MIDNIGHT) == MIDNIGHT + DAY_MS and next_midnight(MIDNIGHT - 1) == MIDNIGHT
