"""Which markets are made, drained or left out."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.selection.changes import Kept, marked, retired
from core.selection.standings import LOST, NOT_ENABLED, OFF_LIST, Judged, choose
from tests.builders import a_market
from tests.core.selection.test_changes import T0, after, in_force, market, of, row

FACTS = st.tuples(
    st.booleans(), st.sampled_from(("", "different tokens")), st.sampled_from(("", "late")), st.booleans()
)


def judged(n: int, *, refusal: str = "", lags: str = "", passes: bool = True, income: float | None = 1.0) -> Judged:
    instrument = a_market(market=market(n), yes=f"1{n}", no=f"2{n}")
    return Judged(row(n), instrument, refusal, lags, passes, "" if passes else "liquidity", income)


@given(
    facts=st.lists(FACTS, min_size=1, max_size=8),
    made=st.sets(st.integers(0, 7)),
    most=st.integers(0, 8),
    incomes=st.lists(st.none() | st.floats(-5, 5), min_size=8, max_size=8),
)
def test_room_and_reasons(
    facts: list[tuple[bool, str, str, bool]], made: set[int], most: int, incomes: list[float | None]
) -> None:
    """Whatever was found out: nobody is made without room or against a reason, nobody made is dropped, all is said."""
    numbers = range(len(facts))
    kept = in_force(*numbers, taken=False)
    found = {
        market(n): judged(n, refusal=refusal, lags=lags, passes=passes, income=incomes[n])
        for n, (is_known, refusal, lags, passes) in enumerate(facts)
        if is_known
    }
    before = {market(n): "" for n in made if n in numbers}
    standings = choose(kept, found, before, most)
    assert standings.keys() == {market(n) for n in numbers}
    now = {name for name, each in standings.items() if each.standing == "made"}
    assert len(now) <= max(most, 0)
    for name, each in standings.items():
        one = found.get(name)
        if name in before:
            assert each.standing in ("made", "draining")
            assert each.standing == "draining" or one is None or not one.against
        elif each.standing == "made":
            assert one is not None and not one.against and not one.lags and len(before) < most
        assert bool(each.reason) == (each.standing != "made") and bool(each.drain) == (each.standing == "draining")
    new = [(found[name].income, name) for name in now - before.keys()]
    waiting = [found[name].income for name, each in standings.items() if each.standing == "waiting" and name in found]
    for income, _ in new:
        assert all((other is None) or (income is not None and income >= other) for other in waiting), "the best first"


def test_what_is_off_the_list_is_drained_until_nothing_is_left_and_then_gone() -> None:
    kept = after(in_force(1, 2, 3, 4), of(1, 2, 3), of(1, 2, 3)).kept
    made = {market(n): "" for n in (1, 2, 3, 4)}
    assert choose(kept, {}, made, 9)[market(4)].drain == OFF_LIST
    assert market(4) not in choose(retired(kept, market(4)), {}, made, 9)


def test_what_is_not_enabled_is_drained_or_off() -> None:
    kept = switched_off()
    assert choose(kept, {}, {market(1): ""}, 9)[market(1)].drain == NOT_ENABLED
    assert choose(retired(kept, market(1)), {}, {}, 9)[market(1)].standing == "off"


def switched_off() -> Kept:
    kept = in_force(1)
    entry = kept.listed[0]
    return Kept(kept.source, T0, (type(entry)(row(1, enabled=False), T0, taken=True),))


def test_what_was_found_out_for_other_tokens_counts_for_nothing() -> None:
    kept = in_force(1, taken=False)
    other = Judged(row(1, yes_token="9"), a_market(), passes=True)
    assert choose(kept, {market(1): other}, {}, 9)[market(1)].standing == "waiting"


def test_one_drained_before_stays_so_while_nobody_says_more_but_not_for_having_been_off_the_list() -> None:
    kept = in_force(1, 2)
    standings = choose(kept, {}, {market(1): "the screen: liquidity", market(2): OFF_LIST}, 9)
    assert standings[market(1)].drain == "the screen: liquidity" and standings[market(2)].drain == ""


def test_markets_of_an_earlier_session_of_which_nobody_tells_anything() -> None:
    """They keep their room, and are made or drained as soon as somebody does: shares may lie there."""
    kept = marked(in_force(1, 2, 3, 4, 5, taken=False), {market(n): T0 for n in (1, 2, 3, 4)}, {})
    one, two, three, four, five = kept.listed
    kept = replace(kept, listed=(one, two, replace(three, row=row(3, enabled=False)), five), leaving=(four,))
    found = {market(n): judged(n) for n in (1, 5)}
    standings = choose(kept, found, {}, 4)
    assert {int(name, 16): (each.standing, each.reason) for name, each in standings.items() if int(name, 16) != 5} == {
        1: ("made", ""),
        2: ("waiting", LOST),
        3: ("draining", f"{NOT_ENABLED}; {LOST}"),
        4: ("draining", f"{OFF_LIST}; {LOST}"),
    }
    assert standings[market(5)].standing == "waiting" and "max_markets" in standings[market(5)].reason, "no room"
    assert choose(kept, found, {}, 5)[market(5)].standing == "made"
    found = {market(n): judged(n) for n in range(1, 6)}
    assert {int(name, 16): each.drain for name, each in choose(kept, found, {}, 4).items()} == {
        1: "", 2: "", 3: NOT_ENABLED, 4: OFF_LIST, 5: ""
    }  # fmt: skip


def test_those_without_room_do_not_swap_places_as_estimates_move() -> None:
    kept = marked(in_force(1, 2, 3), {market(1): T0, market(2): T0, market(3): None}, {})
    made = {market(1): "", market(2): "", market(3): "others promise more"}
    found = {market(n): judged(n, income=float(n)) for n in (1, 2, 3)}
    assert [choose(kept, found, made, 2)[market(n)].standing for n in (1, 2, 3)] == ["made", "made", "draining"]
    assert [choose(kept, found, made, 1)[market(n)].standing for n in (1, 2, 3)] == ["draining", "made", "draining"]
