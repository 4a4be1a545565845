"""Money that moved without a trade: which row of the index explains which difference of cash, each once."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.account.activity import KEPT, SAME_SEC, UNSEEN_SEC, Activity, Stake, Told, activity_key
from core.account.cross_check import CENT
from core.events import ActivityKind, ActivityRead, ActivityRow
from core.portfolio.entries import Booking, Entry, Flow, Income, Merge, Redeem
from core.units import MICRO, Shares, Usd
from tests.builders import MARKET, laws, shares, usd

DAY = 86_400
NOON = 20_000 * DAY + DAY // 2
"""Of some day."""


def a_row(kind: ActivityKind, dollars: float, minute: float = 0, **over: Any) -> ActivityRow:
    plain = {"transaction": f"0x{kind}{minute:g}", "unix": NOON + 60 * minute, "usd": usd(dollars)}
    return ActivityRow(kind=kind, **plain | over)  # type: ignore[arg-type]


def a_stake(yes: float = 0, no: float = 0, *, apart: tuple[float, float] = (0, 0), payout: Usd | None = None) -> Stake:
    return Stake(shares(yes), shares(no), shares(apart[0]), shares(apart[1]), payout)


class Account:
    """A book as far as explanations need one: keys, own transactions, one market."""

    def __init__(self, stake: Stake | None = None) -> None:
        self.keys: set[str] = set()
        self.own: set[str] = set()
        self.stake = stake or a_stake()
        self.activity = self.again()

    def again(self) -> Activity:
        """As after a restart: the book is the same, the index is read anew."""
        return Activity(lambda key: key in self.keys, lambda name: name in self.own, lambda market: self.stake)

    def read(self, *rows: ActivityRow, complete: bool = True) -> list[Told]:
        event = ActivityRead(asked_s=1.0, after_unix=0, rows=rows, complete=complete)
        return self.book(self.activity.take(event))

    def explain(self, dollars: float, since_unix: float = 0.0) -> list[Entry]:
        return [line.entry for line in self.book(self.activity.explain(usd(dollars), since_unix))]

    def book(self, lines: Iterable[Told]) -> list[Told]:
        """Write lines down; a key comes once."""
        found = list(lines)
        assert not self.keys & {line.key for line in found}
        assert len({line.key for line in found}) == len(found)
        self.keys |= {line.key for line in found}
        return found

    def flow(self, dollars: float, unix: float = NOON, key: str = "flow 1") -> None:
        """A balance showed cash, and nobody knew from where."""
        self.activity.booked(Booking(1, "", key, unix, Flow(usd(dollars)), "balance"))


def cash_of(entries: Iterable[Entry]) -> int:
    """Micro-dollars that lines bring."""
    total = 0
    for entry in entries:
        match entry:
            case Flow() | Income() | Redeem():
                total += entry.amount
            case Merge():
                total += entry.size
            case _:
                raise AssertionError(entry)
    return total


def test_a_row_is_booked_only_when_a_balance_shows_its_cash() -> None:
    account = Account()
    assert account.read(a_row("reward", 2.5, market=MARKET)) == [], "the index alone books nothing"
    assert account.explain(0) == [] == account.explain(0.009)
    assert account.explain(2.5) == [Income(usd(2.5), "reward")]
    assert account.explain(2.5) == [], "each row explains once"


def test_every_kind_becomes_its_entry() -> None:
    for row, entry in (
        (a_row("reward", 3), Income(usd(3), "reward")),
        (a_row("rebate", 1.25), Income(usd(1.25), "rebate")),
        (a_row("deposit", 500), Flow(usd(500))),
        (a_row("withdrawal", 40), Flow(usd(-40))),
        (a_row("split", 30, market=MARKET, size=shares(30)), Flow(usd(-30))),
        (a_row("merge", 20, market=MARKET, size=shares(20)), Merge(shares(20))),
    ):
        account = Account(a_stake(50, 50))
        account.read(row)
        assert account.explain(cash_of([entry]) / MICRO) == [entry], row.kind


def test_what_does_not_tell_its_direction_explains_nothing() -> None:
    account = Account()
    account.read(a_row("other", 5), a_row("convert", 5), a_row("trade", 5))
    assert account.explain(5) == [] == account.explain(-5)
    assert account.activity.unseen(0.0, NOON + DAY) == []


def test_income_counts_for_the_day_before_it_was_paid() -> None:
    """Rewards are paid after midnight (market-making.md 3.6)."""
    account = Account()
    midnight = 20_000 * DAY
    account.read(a_row("reward", 3, unix=midnight + 300.0), a_row("deposit", 7, unix=midnight + 301.0))
    reward, deposit = account.activity.explain(usd(10), 0.0)
    assert (reward.unix, deposit.unix) == (midnight - 1, midnight + 301.0)


def test_a_sum_of_several_rows_is_explained_by_all_of_them() -> None:
    account = Account()
    account.read(a_row("reward", 3, 1), a_row("withdrawal", 100, 2), a_row("rebate", 1, 3))
    assert account.explain(-96) == [Income(usd(3), "reward"), Flow(usd(-100)), Income(usd(1), "rebate")]


def test_a_run_that_fits_to_the_cent_goes_before_one_that_explains_more() -> None:
    account = Account()
    account.read(a_row("deposit", 90, 1), a_row("reward", 5, 2), a_row("deposit", 2, 3))
    assert account.explain(5.001) == [Income(usd(5), "reward")]
    assert account.explain(92) == [Flow(usd(90)), Flow(usd(2))], "what is left"


def test_what_is_only_partly_known_is_partly_explained_and_never_more_than_there_is() -> None:
    account = Account()
    account.read(a_row("reward", 5, 1))
    assert account.explain(3) == [] == account.explain(-5), "less than the row, or the other way"
    assert account.explain(105) == [Income(usd(5), "reward")], "a hundred may be a deposit that is not indexed yet"


def test_rows_before_the_opening_are_in_it() -> None:
    account = Account()
    account.read(a_row("deposit", 100, 0), a_row("deposit", 100, 10))
    [line] = account.activity.explain(usd(100), NOON + 60)
    assert line.unix == NOON + 600
    assert account.activity.explain(usd(100), NOON + 60) == []


def test_rows_of_our_own_transactions_only_confirm() -> None:
    """Also when the hash is learnt after the row."""
    account = Account(a_stake(10, 10))
    account.read(a_row("merge", 10, transaction="0xAbC", size=shares(10), market=MARKET))
    account.own.add("0xabc")
    assert account.explain(10) == [] == account.activity.vanished(MARKET, 0.0)
    assert account.activity.unseen(0.0, NOON + DAY) == []


def test_what_an_earlier_session_booked_explains_nothing_again() -> None:
    account = Account(a_stake(10, 0, payout=Usd(MICRO)))
    rows = (a_row("deposit", 4, 1), a_row("redeem", 10, 2, market=MARKET, size=shares(10)), a_row("reward", 2, 3))
    account.read(*rows)
    assert len(account.explain(16)) == 3
    account.activity = account.again()
    account.read(*rows)
    assert account.explain(16) == [] == account.explain(4)


def test_a_payment_in_several_rows_is_one_line() -> None:
    account = Account()
    parts = [a_row("rebate", dollars, transaction="0xday", market=MARKET) for dollars in (1, 2.25)]
    account.read(*parts, a_row("rebate", 4, transaction="0xday", market="other"))
    account.read(*parts)
    lines = account.book(account.activity.explain(usd(7.25), 0.0))
    assert {(line.market, line.entry) for line in lines} == {
        (MARKET, Income(usd(3.25), "rebate")), ("other", Income(usd(4), "rebate")),
    }  # fmt: skip


def test_a_payment_whose_last_rows_come_later_is_whole_in_the_end() -> None:
    """And a later reading that lacks rows takes none away."""
    account = Account()
    parts = [a_row("rebate", dollars, transaction="0xday", market=MARKET) for dollars in (1, 2.25)]
    account.read(parts[0])
    account.read(*parts)
    account.read(parts[1], complete=False)
    assert account.explain(3.25) == [Income(usd(3.25), "rebate")]


def test_rows_without_a_transaction_are_told_apart_by_their_time() -> None:
    account = Account()
    account.read(*(a_row("reward", 1, minute, transaction="") for minute in (1, 2)))
    assert len(account.explain(2)) == 2
    assert activity_key(a_row("reward", 1, transaction="")) == f"activity {NOON} reward"
    assert activity_key(a_row("redeem", 1, transaction="0xAB", market=MARKET)) == f"activity 0xab redeem {MARKET}"


# What a balance showed before the index did


def test_a_flow_gets_its_name_when_the_index_has_caught_up() -> None:
    """The reward of the day is on the balance within seconds, and in the index minutes later."""
    account = Account()
    account.flow(2.5)
    back, income = account.read(a_row("reward", 2.5, 20, market=MARKET))
    assert (back.market, back.entry, back.unix) == ("", Flow(usd(-2.5)), NOON)
    assert (income.market, income.entry) == (MARKET, Income(usd(2.5), "reward"))
    assert income.unix < NOON, "of the day before"
    assert account.read(a_row("reward", 2.5, 20, market=MARKET)) == [] and account.explain(2.5) == []


def test_a_deposit_that_was_a_flow_already_stays_one_and_explains_nothing_more() -> None:
    account = Account()
    account.flow(100)
    assert account.read(a_row("deposit", 100, 5)) == [] and account.explain(100) == []
    account.read(a_row("deposit", 100, 9))
    assert account.explain(100) == [Flow(usd(100))], "the next one of the same size is another"


def test_a_flow_that_was_named_is_no_flow_to_an_heir() -> None:
    """After a restart the book tells both, and only what was not named may be."""
    account = Account()
    account.flow(2.5)
    [back, _] = account.read(a_row("reward", 2.5, 20))
    account.activity = account.again()
    account.flow(2.5)
    account.activity.booked(Booking(2, "", back.key, back.unix, back.entry, "index"))
    assert account.read(a_row("reward", 2.5, 20)) == [], "booked"
    assert account.read(a_row("rebate", 2.5, 30)) == [], "and no flow is left"
    assert account.explain(2.5) == [Income(usd(2.5), "rebate")]


def test_flows_of_other_amounts_days_and_sources_are_none_of_a_row() -> None:
    account = Account()
    account.flow(2.5 + CENT / MICRO)
    account.flow(2.5, NOON - SAME_SEC - 1, "flow 2")
    account.activity.booked(Booking(3, "", "opening", NOON, Flow(usd(2.5)), "start"))
    assert account.read(a_row("reward", 2.5)) == []


def test_rewards_of_several_markets_that_came_at_one_midnight_are_named_together() -> None:
    """All of a night is one difference of cash; what was only booked as part of a flow stays one."""
    account = Account()
    account.flow(9.75)
    rows = a_row("reward", 2.5, 1, market=MARKET), a_row("rebate", 1.25, 1, market="other"), a_row("deposit", 6, 2)
    assert account.read(*rows[:2]) == [], "nobody knows yet what the rest is"
    back, *lines = account.read(*rows)
    assert (back.entry, back.unix) == (Flow(usd(-9.75)), NOON)
    assert {(line.market, line.entry) for line in lines} == {
        (MARKET, Income(usd(2.5), "reward")), ("other", Income(usd(1.25), "rebate")), ("", Flow(usd(6))),
    }  # fmt: skip
    assert account.read(*rows) == [] == account.explain(9.75)


def test_a_redemption_that_was_taken_for_a_deposit_takes_its_shares_in_the_end() -> None:
    """Not before its payout is known; its profit would never exist, and its shares would stay for ever."""
    account = Account(a_stake(0, 12))
    account.flow(12)
    row = a_row("redeem", 12, 5, market=MARKET, size=shares(12))
    assert account.read(row) == [] and account.activity.waiting(0.0) == {MARKET}
    account.stake = a_stake(0, 12, payout=Usd(0))
    back, line = account.read(row)
    assert (back.entry, line.entry) == (Flow(usd(-12)), Redeem("NO", shares(12), usd(12)))


def test_the_name_of_a_flow_is_the_amount_that_was_paid() -> None:
    """What rounding of trades has added to the flow is no reward."""
    account = Account()
    account.flow(2.500003)
    back, income = account.read(a_row("reward", 2.5, 1))
    assert (back.entry, income.entry) == (Flow(usd(-2.5)), Income(usd(2.5), "reward"))


def test_rows_from_before_cash_agreed_with_the_chain_explain_nothing_later() -> None:
    """A deposit that a balance showed together with somebody's purchase is no part of a later redemption."""
    account = Account()
    account.read(a_row("deposit", 5, 1), a_row("deposit", 40, 9))
    account.activity.agreed(NOON + 120)
    assert account.explain(50) == [Flow(usd(40))]


def test_all_that_the_chain_has_already_can_be_told_whatever_else_has_happened() -> None:
    account = Account()
    account.read(a_row("reward", 3, 1, market=MARKET), a_row("deposit", 20, 2), a_row("withdrawal", 7, 30))
    lines = account.book(account.activity.happened(0.0, NOON + 600))
    assert [line.entry for line in lines] == [Income(usd(3), "reward"), Flow(usd(20))]
    assert account.activity.happened(0.0, NOON + 600) == []
    account.activity.agreed(NOON + 1_900)
    assert account.activity.happened(0.0, NOON + 3_600) == []


# Shares that went with it


def test_a_redemption_by_somebody_else_takes_our_shares_for_what_they_pay() -> None:
    account = Account(a_stake(30, 12, payout=Usd(0)))
    account.read(a_row("redeem", 12, market=MARKET, size=shares(42)))
    assert account.explain(12) == [Redeem("YES", shares(30), Usd(0)), Redeem("NO", shares(12), usd(12))]


def test_a_redemption_waits_for_its_payout() -> None:
    account = Account(a_stake(30, 0))
    account.read(a_row("redeem", 30, market=MARKET, size=shares(30)))
    assert account.explain(30) == [] and account.activity.waiting(0.0) == {MARKET}
    account.stake = a_stake(30, 0, payout=Usd(MICRO))
    assert account.activity.waiting(0.0) == set() and account.explain(30) == [Redeem("YES", shares(30), usd(30))]


def test_a_redemption_of_shares_that_are_none_of_ours_waits_for_nothing() -> None:
    account = Account(a_stake(apart=(30, 0)))
    account.read(a_row("redeem", 30, market=MARKET, size=shares(30)))
    assert account.activity.waiting(0.0) == set() and account.explain(30) == [Flow(usd(30))]


def test_only_markets_that_matter_are_asked_for() -> None:
    """A deposit is of no market."""

    def stake(market: str) -> Stake:
        assert market == MARKET
        return a_stake(5, 5)

    activity = Activity(lambda key: False, lambda name: False, stake)
    rows = (a_row("deposit", 1, 1), a_row("reward", 1, 2, market="other"), a_row("merge", 5, 3, market=MARKET))
    activity.take(ActivityRead(asked_s=1.0, after_unix=0, rows=rows, complete=True))
    assert len(activity.explain(usd(7), 0.0)) == 3


def test_winners_redeemed_alone_leave_the_losers() -> None:
    account = Account(a_stake(30, 12, payout=Usd(MICRO)))
    account.read(a_row("redeem", 30, market=MARKET, size=shares(30)))
    assert account.explain(30) == [Redeem("YES", shares(30), usd(30))]


def test_half_a_dollar_each_is_paid_to_the_micro_dollar() -> None:
    """Either token is rounded down by the contract; the sum that came is what counts."""
    account = Account(Stake(Shares(1_000_001), Shares(3_000_001), payout=Usd(MICRO // 2)))
    account.read(a_row("redeem", 0, market=MARKET, size=Shares(4_000_002), usd=Usd(2_000_001)))
    entries = account.explain(2.000001)
    assert [type(entry) for entry in entries] == [Redeem, Redeem] and cash_of(entries) == 2_000_001


def test_money_of_shares_that_are_not_ours_is_a_flow() -> None:
    account = Account(a_stake(10, 0, apart=(5, 0), payout=Usd(MICRO)))
    account.read(a_row("redeem", 15, market=MARKET, size=shares(15)))
    assert account.explain(15) == [Redeem("YES", shares(10), usd(10)), Flow(usd(5))]
    account = Account(a_stake(10, 10, apart=(8, 6)))
    account.read(a_row("merge", 9, market=MARKET, size=shares(9)))
    assert account.explain(9) == [Merge(shares(1)), Flow(usd(8))], "what is apart goes first"


def test_losers_that_vanish_for_nothing_are_named_too() -> None:
    account = Account(a_stake(0, 25, payout=Usd(MICRO)))
    account.read(a_row("redeem", 0, market=MARKET, size=shares(25)), a_row("deposit", 3, 1))
    assert account.activity.vanished("other", 0.0) == []
    [line] = account.book(account.activity.vanished(MARKET, 0.0))
    assert line.entry == Redeem("NO", shares(25), Usd(0)) and account.activity.vanished(MARKET, 0.0) == []


def test_cash_that_no_balance_shows_is_told_once_and_not_believed() -> None:
    account = Account()
    account.read(a_row("deposit", 7, market=MARKET))
    assert account.activity.unseen(0.0, NOON + UNSEEN_SEC - 1) == [] == account.activity.unseen(NOON + 1, NOON + DAY)
    [found] = account.activity.unseen(0.0, NOON + UNSEEN_SEC)
    assert (found.code, found.severity, found.effect, found.venue) == ("unseen_activity", "info", "none", "7")
    assert "900 s ago" in found.text and account.activity.unseen(0.0, NOON + DAY) == []


def test_memory_is_bounded() -> None:
    account = Account()
    for minute in range(KEPT + 50):
        account.read(a_row("deposit", 1, minute), a_row("trade", 1, minute), complete=False)
    assert account.activity.read_s is None, "no complete reading yet"
    assert len(account.explain(10 * KEPT)) == KEPT


KINDS: list[ActivityKind] = ["reward", "rebate", "deposit", "withdrawal", "redeem", "merge", "split"]
ROWS = st.lists(
    st.builds(
        lambda kind, micro, minute, market: a_row(kind, 0, minute, usd=Usd(micro), size=Shares(micro), market=market),
        st.sampled_from(KINDS),
        st.integers(1, 10**12),
        st.integers(0, 10_000),
        st.sampled_from(["", MARKET]),
    ),
    max_size=12,
    unique_by=activity_key,
)
STAKES = st.builds(
    Stake, *[st.integers(0, 10**9).map(Shares)] * 4, st.sampled_from([Usd(0), Usd(MICRO // 2), Usd(MICRO)])
)


@laws(150)
@given(ROWS, STAKES, st.integers(-(10**12), 10**12))
def test_what_is_explained_is_cash_of_rows_and_never_more_than_the_difference(
    rows: list[ActivityRow], stake: Stake, difference: int
) -> None:
    """Whatever is held: lines sum to the rows' cash exactly, and leave less of the difference than there was."""
    account = Account(stake)
    account.read(*rows)
    total = cash_of(line.entry for line in account.book(account.activity.explain(Usd(difference), 0.0)))
    assert abs(difference - total) <= abs(difference)
    assert total in (0, difference) or abs(difference - total) < CENT or (difference > total) == (difference > 0)


@laws(150)
@given(ROWS, STAKES)
def test_a_difference_made_of_all_rows_is_explained_whole(rows: list[ActivityRow], stake: Stake) -> None:
    signs = {"withdrawal": -1, "split": -1}
    account = Account(stake)
    account.read(*rows)
    everything = sum(signs.get(row.kind, 1) * row.usd for row in rows)
    lines = account.book(account.activity.explain(Usd(everything), 0.0))
    assert abs(cash_of(line.entry for line in lines) - everything) < CENT
