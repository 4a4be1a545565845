"""What the exchange lists: ids in the venue's form, events that hang together, markets of every kind."""

from itertools import pairwise

import pytest
from msgspec import structs
from polymarket._internal.protocol import decode_v2_outcome_position_id, is_v2_position_id

from core.exchange.listing import MAX_MARKETS, Listing, extra_listing, is_complete, listings, siblings
from core.exchange.plots import PLOTS
from core.units import grid_of

START = 1_790_000_000


def tokens_of(each: Listing) -> tuple[str, str]:
    return each.instrument.yes_token, each.instrument.no_token


def events(found: list[Listing]) -> dict[str, list[Listing]]:
    out: dict[str, list[Listing]] = {}
    for each in found:
        out.setdefault(each.event_id, []).append(each)
    return out


def test_ids_follow_from_the_seed_and_are_never_shared() -> None:
    found = listings(9, MAX_MARKETS, START)
    assert found == listings(9, MAX_MARKETS, START)
    assert found[:4] == listings(9, 4, START), "more markets change no other"
    assert found[0].instrument.market != listings(10, 1, START)[0].instrument.market
    found += [extra_listing(9, number, START) for number in range(30)]
    tokens = [token for each in found for token in tokens_of(each)]
    assert len(set(tokens)) == 2 * len(found)
    for ids in (
        [each.instrument.market for each in found],
        [each.gamma_id for each in found],
        [each.question_id for each in found],
        [each.slug for each in found],
        [each.plot.question for each in found],
    ):
        assert len(set(ids)) == len(found)
    assert all(len(each.instrument.market) == 66 for each in found)


def test_markets_by_number_are_those_of_the_whole_list() -> None:
    """A single long shot can be measured without the questions before it."""
    assert listings(9, (37, 3), START) == [listings(9, MAX_MARKETS, START)[number] for number in (37, 3)]


@pytest.mark.parametrize("markets", [0, MAX_MARKETS + 1, (), (3, 3), (-1,), (MAX_MARKETS,)])
def test_markets_that_are_not_there_are_refused(markets: int | tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="markets must be"):
        listings(9, markets, START)


def test_tokens_have_the_form_of_their_protocol() -> None:
    """The official client signs for Exchange V3 exactly the tokens of v2 markets (polymarket-api.md 2.1)."""
    versions = set()
    for each in listings(9, MAX_MARKETS, START):
        versions.add(each.plot.version)
        for index, token in enumerate(tokens_of(each)):
            assert is_v2_position_id(token) == (each.plot.version == "v2")
            if each.plot.version == "v1":
                assert len(token) in (77, 78) and int(token) < 2**256
                continue
            decoded = decode_v2_outcome_position_id(token)
            assert decoded.outcome_index == index
            assert each.instrument.market == decoded.condition_id + "00" and len(decoded.condition_id) == 64
            assert f"{int(token):064x}"[:2] == ("02" if each.instrument.neg_risk else "01"), "the module"
    assert versions == {"v1", "v2"}


def test_the_demo_markets_are_plain() -> None:
    """Four markets on two grids, one of them neg-risk; nothing among the first eight needs a special client."""
    first = listings(1, 8, START)
    assert [each.instrument.tick_text for each in first[:4]] == ["0.01", "0.001", "0.01", "0.001"]
    assert [each.plot.category for each in first[:4]] == ["Economics", "Sports", "Crypto", "Weather"]
    assert sum(each.instrument.neg_risk for each in first) == 1
    assert all(each.plot.version == "v1" and each.plot.delay_ms == 0 for each in first)


def test_there_are_markets_of_every_kind() -> None:
    found = listings(1, MAX_MARKETS, START)
    assert len(found) >= 50
    assert any(each.plot.delay_ms == 250 for each in found)
    shared = [event for event in events(found).values() if len(event) > 1]
    assert sum(event[0].instrument.neg_risk for event in shared) >= 2
    assert any(not event[0].instrument.neg_risk for event in shared)
    assert sum(is_complete([each.plot for each in event]) for event in shared) == 1, "conversions need a whole event"


@pytest.mark.parametrize("count", [4, 12, MAX_MARKETS])
def test_an_event_is_shared_and_consistent(count: int) -> None:
    """One id, title, end and neg-risk id; neg-risk events leave room for another outcome or are complete; strikes fall.

    The question ids of a neg-risk event are its own id with the number of the outcome in the last byte.
    """
    for event in events(listings(3, count, START)).values():
        first = event[0]
        for each in event:
            assert (each.event_title, each.event_slug, each.end_unix) == (
                first.event_title,
                first.event_slug,
                first.end_unix,
            )
            assert each.neg_risk_market_id == first.neg_risk_market_id
            assert bool(each.neg_risk_market_id) == each.instrument.neg_risk == first.instrument.neg_risk
        starts = [each.plot.start for each in event]
        if first.instrument.neg_risk:
            assert sum(starts) < 1 or is_complete([each.plot for each in event])
            if len(event) > 1:
                numbers = [int(each.question_id, 16) - int(each.neg_risk_market_id, 16) for each in event]
                assert numbers == list(range(len(event)))
        else:
            assert all(low < high for high, low in pairwise(starts))


def test_every_plot_can_be_quoted() -> None:
    for plot in PLOTS:
        assert 10 * grid_of(plot.tick_text).tick < plot.start < 1 - 10 * grid_of(plot.tick_text).tick, plot.question
        assert plot.daily_reward > 0 and plot.reward_size >= 5
        assert (plot.fee_bps == 0) == (plot.category == "Geopolitics")
    assert len(siblings(PLOTS[1])) >= 4 and siblings(PLOTS[0]) == []


def test_a_market_opened_later_may_live_for_minutes() -> None:
    short = extra_listing(1, 0, START, days=5 / 1_440)
    assert short.end_unix - short.start_unix == 300
    assert short.instrument.end_unix == short.end_unix
    own = structs.replace(PLOTS[0], question="Will it rain in the demo?", delay_ms=250, event="A day in the demo")
    pair = [
        extra_listing(1, number, START, plot=structs.replace(own, question=text))
        for number, text in enumerate("ab", start=1)
    ]
    assert pair[0].event_id == pair[1].event_id and pair[0].event_title == "A day in the demo"
    assert pair[0].end_unix == START + 38 * 86_400
    assert pair[0].instrument.market != pair[1].instrument.market


@pytest.mark.parametrize("count", [0, MAX_MARKETS + 1])
def test_more_markets_than_questions_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to {MAX_MARKETS}"):
        listings(1, count, 0)
