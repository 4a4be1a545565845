"""Five sources beside each other: what is compared, what is told once, with which numbers and ages."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from core.account.cross_check import CASH, LASTING_SEC, Own, Sources
from core.actions import Finding
from core.events import BalancesRead, ChainRead, FillSeen, PositionsRead, TradesRead
from tests.builders import MARKET, NO, YES, shares, usd


def chain(asked_s: float, yes: float = 10, cash: float = 100) -> ChainRead:
    return ChainRead(asked_s=asked_s, cash=usd(cash), holdings=((YES, shares(yes)),), complete=True)


def venue(asked_s: float, yes: float = 10, cash: float = 100) -> BalancesRead:
    return BalancesRead(asked_s=asked_s, cash=usd(cash), holdings=((YES, shares(yes)),), complete=True)


def index(asked_s: float, yes: float = 10) -> PositionsRead:
    return PositionsRead(asked_s=asked_s, holdings=((YES, shares(yes)),), complete=True)


def ours(yes: float = 10, cash: float = 100, changed_s: float = 0.0, is_settling: bool = False) -> list[Own]:
    return [
        Own(CASH, "", usd(cash), changed_s, is_settling),
        Own(YES, MARKET, shares(yes), changed_s, is_settling),
    ]


def told(sources: Sources, own: Sequence[Own], now: float) -> list[tuple[str, str, str, str]]:
    return [(one.code, one.subject, one.ours, one.venue) for one in sources.compare(own, now)]


def twice(sources: Sources, own: Sequence[Own], *reads: BalancesRead | ChainRead | PositionsRead) -> list[Finding]:
    """What is found once the same readings came again, later than a difference must last."""
    for wait_s in (0.0, LASTING_SEC):
        for read in reads:
            later = replace(read, asked_s=read.asked_s + wait_s)
            match later:
                case BalancesRead():
                    sources.take_balances(later)
                case ChainRead():
                    sources.take_chain(later)
                case PositionsRead():
                    sources.take_positions(later)
        found = sources.compare(own, reads[0].asked_s + wait_s + 1.0)
    return found


def test_sources_that_agree_find_nothing() -> None:
    assert twice(Sources(), ours(), chain(10), venue(11), index(12)) == []


def test_a_difference_is_told_once_when_a_later_reading_shows_it_again() -> None:
    """One reading may be of another moment; both numbers and both ages are in the words."""
    sources = Sources()
    sources.take_chain(chain(10, yes=7.5))
    assert told(sources, ours(), 11) == [] == told(sources, ours(), 500), "one reading does not get truer by waiting"
    sources.take_chain(chain(10 + LASTING_SEC, yes=7.5))
    [found] = sources.compare(ours(), 40)
    assert (found.code, found.severity, found.market, found.subject) == ("chain_balance", "warning", MARKET, YES)
    assert (found.ours, found.venue, found.effect) == ("10", "7.5", "none")
    assert "own book 10 shares (40 s old), chain 7.5 (5 s old)" in found.text
    sources.take_chain(chain(80, yes=7.5))
    assert told(sources, ours(), 81) == []


def test_a_difference_that_moves_begins_anew_and_one_that_ends_is_forgotten() -> None:
    sources = Sources()
    for asked_s, yes in ((10.0, 7.5), (30.0, 7.0), (50.0, 10.0), (60.0, 7.0), (70.0, 7.0)):
        sources.take_chain(chain(asked_s, yes))
        assert told(sources, ours(), asked_s + 1) == []
    sources.take_chain(chain(60 + LASTING_SEC, 7.0))
    assert told(sources, ours(), 90) == [("chain_balance", YES, "10", "7")]


def test_a_stale_cache_of_the_venue_is_told_against_the_chain_and_not_against_us() -> None:
    [found] = twice(Sources(), ours(), chain(10), venue(10, cash=0))
    assert (found.code, found.subject, found.ours, found.venue) == ("venue_balance", CASH, "100", "0")
    assert found.severity == "info" and "chain 100 dollars" in found.text and "venue 0" in found.text


def test_what_chain_and_venue_say_alike_is_for_the_balances_to_act_upon() -> None:
    """One difference, one finding: theirs."""
    assert twice(Sources(), ours(), chain(10, yes=3, cash=1), venue(10, yes=3, cash=1)) == []
    found = twice(Sources(), ours(), chain(10, yes=3), venue(10, yes=4))
    assert [one.code for one in found] == ["chain_balance", "venue_balance"]


def test_the_lagging_index_is_info_only() -> None:
    [found] = twice(Sources(), ours(), index(10, yes=0))
    assert (found.code, found.severity, found.effect) == ("positions_index", "info", "none")
    assert "lags" in found.text


@pytest.mark.parametrize(
    "own",
    [ours(yes=12, cash=90, changed_s=1_000.0), ours(yes=12, cash=90, is_settling=True)],
    ids=["older", "settling"],
)
def test_readings_from_before_our_last_change_or_amid_a_settlement_are_not_compared(own: list[Own]) -> None:
    assert twice(Sources(), own, chain(10), venue(10), index(10)) == []


def test_crumbs_do_not_differ() -> None:
    """Under a hundredth of a share, under a cent (reliability.md X17)."""
    assert twice(Sources(), ours(), chain(10, yes=10.009999, cash=100.009999), index(10, yes=9.990001)) == []
    assert len(twice(Sources(), ours(), chain(10, yes=10.01, cash=100.01))) == 2


def test_a_token_that_the_index_forgets_is_no_token_of_zero_shares() -> None:
    sources = Sources()
    sources.take_positions(index(10, yes=3))
    sources.take_positions(PositionsRead(asked_s=50.0, complete=False))
    assert sources.reading("index", YES) == (shares(3), 10.0), "an incomplete list takes nothing away"
    sources.take_positions(PositionsRead(asked_s=60.0, complete=True))
    assert sources.reading("index", YES) is None and told(sources, ours(), 61) == []


def test_an_answer_that_was_overtaken_changes_nothing() -> None:
    sources = Sources()
    sources.take_chain(chain(20, yes=5))
    sources.take_chain(chain(10, yes=9))
    assert sources.reading("chain", YES) == (shares(5), 20.0)


def test_parts_of_an_incomplete_reading_count() -> None:
    sources = Sources()
    sources.take_chain(ChainRead(asked_s=5.0, holdings=((NO, shares(2)),), problem="no cash"))
    assert sources.reading("chain", NO) == (shares(2), 5.0) and sources.reading("chain", CASH) is None


def a_fill(side: str, size: float, **over: object) -> FillSeen:
    plain = FillSeen(
        trade_id="t", order_id="o", size=shares(size), settlement="matched", unix=1.0, token=YES, order_side="BUY"
    )
    return replace(plain, order_side=side, **over)


def test_every_source_has_its_row_with_amount_and_age() -> None:
    sources = Sources()
    sources.take_chain(chain(95))
    sources.take_balances(venue(90, yes=9))
    fills = (a_fill("BUY", 12), a_fill("SELL", 2), a_fill("BUY", 50, settlement="failed"))
    sources.take_trades(TradesRead(asked_s=80.0, after_unix=1_000, fills=fills, complete=True))
    sources.take_trades(TradesRead(asked_s=99.0, after_unix=1_000, complete=False))
    rows = {(row.subject, row.source): (row.amount, row.age_s) for row in sources.rows(ours(changed_s=60.0), 100.0)}
    assert rows == {
        (CASH, "own book"): (usd(100), 40.0),
        (CASH, "venue"): (usd(100), 10.0),
        (CASH, "chain"): (usd(100), 5.0),
        (YES, "own book"): (shares(10), 40.0),
        (YES, "trades"): (shares(10), 20.0),
        (YES, "venue"): (shares(9), 10.0),
        (YES, "chain"): (shares(10), 5.0),
        (YES, "index"): (None, None),
    }
