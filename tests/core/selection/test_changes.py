"""What a reading of the market list may change by itself, and what waits."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from core.config import Settings
from core.errors import ListError
from core.selection.changes import (
    DAY_SEC,
    Bounds,
    Kept,
    Weighed,
    approved,
    begun,
    bounds_of,
    marked,
    rejected,
    renewed,
    retired,
    weigh,
    words,
)
from core.selection.listed import Figures, ListRow, MarketList, RejectedRow
from core.units import Usd

BOUNDS = Bounds(1, 0.25, 150.0)
T0 = 1_790_000_000.0


def market(n: int) -> str:
    return f"0x{n:064x}"


def row(n: int, **over: Any) -> ListRow:
    return ListRow(**{"row": n + 2, "market": market(n), "yes_token": f"1{n}", "no_token": f"2{n}", **over})


def reading(*rows: ListRow, rejected: tuple[RejectedRow, ...] = (), **over: Any) -> MarketList:
    return MarketList(**{"source": "a sheet", "kind": "sheet", "rows": rows, "rejected": rejected, **over})


def of(*numbers: int) -> MarketList:
    return reading(*(row(n) for n in numbers))


def unusable(n: int | None) -> RejectedRow:
    return RejectedRow(9, "market_id", "1E+76", "no id", "" if n is None else market(n))


def enabled(kept: Kept) -> list[int]:
    """Numbers of the markets that are on the list."""
    return sorted(int(entry.row.market, 16) for entry in kept.listed if entry.row.enabled)


def in_force(*numbers: int, taken: bool = True) -> Kept:
    """A list in force whose markets are made."""
    kept = begun(of(*numbers), T0)
    return marked(kept, {market(n): T0 for n in numbers}, {}) if taken else kept


def after(kept: Kept, *readings: MarketList, bounds: Bounds = BOUNDS) -> Weighed:
    """Readings, five minutes from one to the next."""
    weighed = Weighed(kept)
    for one in readings:
        weighed = weigh(weighed.kept, one, bounds, weighed.kept.read_unix + 300)
    return weighed


def refused(kept: Kept) -> Kept:
    assert kept.proposal is not None
    return rejected(kept, kept.proposal.token)


# What applies by itself


def test_the_first_list_is_in_force_as_it_is() -> None:
    kept = begun(reading(row(1), row(2, enabled=False), rejected=(unusable(None),)), T0)
    assert enabled(kept) == [1] and len(kept.listed) == 2 and kept.read_unix == T0


def test_additions_apply_at_once() -> None:
    weighed = after(in_force(1, 2), of(1, 2, 3, 4, 5))
    assert enabled(weighed.kept) == [1, 2, 3, 4, 5] and weighed.kept.proposal is None
    assert [change.kind for change in weighed.applied] == ["add"] * 3


def test_a_row_that_is_cut_and_pasted_elsewhere_stays() -> None:
    """Between the two the sheet has been read once without it."""
    kept = in_force(1, 2, 3, 4)
    once = after(kept, of(1, 2, 3))
    assert (
        enabled(once.kept) == [1, 2, 3, 4] and once.kept.missing == {market(4): T0 + 300} and once.kept.proposal is None
    )
    back = after(once.kept, of(4, 1, 2, 3))
    assert enabled(back.kept) == [1, 2, 3, 4] and back.kept.missing == {}
    assert enabled(after(back.kept, of(1, 2, 3)).kept) == [1, 2, 3, 4], "it counts anew"


@pytest.mark.parametrize("gone", [None, row(4, enabled=False)])
def test_a_removal_applies_when_two_readings_say_it(gone: ListRow | None) -> None:
    rest = reading(row(1), row(2), row(3), *(() if gone is None else (gone,)))
    weighed = after(in_force(1, 2, 3, 4), rest, rest)
    assert enabled(weighed.kept) == [1, 2, 3]
    leaving = [entry for entry in (*weighed.kept.leaving, *weighed.kept.listed) if not entry.row.enabled]
    assert [(e.row.market, e.taken, e.made_unix) for e in leaving] == [(market(4), True, None)], "it is looked after"
    assert [change.kind for change in weighed.applied] == ["remove"]


def test_two_readings_within_a_moment_are_one_word() -> None:
    """Whoever asks for the list twice while rows are cut and pasted takes none off."""
    short = of(1, 2, 3)
    kept = weigh(in_force(1, 2, 3, 4), short, BOUNDS, T0).kept
    for later in (1, 149):
        kept = weigh(kept, short, BOUNDS, T0 + later).kept
        assert kept.missing == {market(4): T0}, "it counts from the first"
    assert enabled(weigh(kept, short, BOUNDS, T0 + 150).kept) == [1, 2, 3]
    set_back = weigh(weigh(kept, short, BOUNDS, T0 - 7200).kept, short, BOUNDS, T0 - 7000).kept
    assert enabled(set_back) == [1, 2, 3], "a clock that is set back does not keep it for ever"


def test_a_list_that_runs_dry_row_by_row_is_asked_about() -> None:
    """Each reading alone is within the bounds; a day is not."""
    kept = in_force(*range(20))
    for left in range(19, 0, -1):
        kept = after(kept, of(*range(left)), of(*range(left))).kept
    assert len(enabled(kept)) == 15 and kept.proposal is not None
    kept = after(in_force(*range(20)), *[of(*range(left)) for left in (19, 19, 18, 18, 17, 17, 16, 16, 15, 15)]).kept
    one_more = after(kept, of(*range(14))).kept
    assert one_more.proposal is not None
    assert (
        one_more.proposal.why
        == "1 would leave the list after 5 within a day; at most 25% of 20 may by themselves in a day"
    )
    assert weigh(kept, of(*range(14)), BOUNDS, T0 + DAY_SEC - 1).kept.proposal is not None
    day = weigh(kept, of(*range(14)), BOUNDS, T0 + DAY_SEC + 1200).kept
    assert day.proposal is None and len(day.removed) == 3, "the first two left a day ago"


def test_what_is_back_on_the_list_has_not_left_it() -> None:
    kept = in_force(1, 2, 3, 4)
    for _ in range(3):
        kept = after(kept, of(1, 2, 3), of(1, 2, 3)).kept
        assert enabled(kept) == [1, 2, 3] and list(kept.removed) == [market(4)]
        kept = after(kept, of(1, 2, 3, 4)).kept
        assert enabled(kept) == [1, 2, 3, 4]


def test_what_was_approved_does_not_count() -> None:
    kept = after(in_force(1, 2, 3, 4, 5, 6), of(1, 2, 3, 4)).kept
    assert kept.proposal is not None
    kept = approved(kept, kept.proposal.token, T0).kept
    assert kept.removed == {} and enabled(after(kept, of(1, 2, 3), of(1, 2, 3)).kept) == [1, 2, 3]


def test_what_was_approved_after_it_had_left_and_come_back_does_not_count_either() -> None:
    kept = after(in_force(*range(8)), of(*range(7)), of(*range(7))).kept
    kept = after(kept, reading(*(row(n) for n in (0, 1, 2, 3, 7)))).kept
    assert kept.proposal is not None
    kept = approved(kept, kept.proposal.token, T0).kept
    kept = after(kept, of(0, 1)).kept
    assert kept.proposal is not None
    assert approved(kept, kept.proposal.token, T0).kept.removed == {}


def test_what_left_keeps_nothing_from_being_added() -> None:
    """Though more had left than may by now."""
    kept = after(in_force(1, 2, 3, 4), of(1, 2, 3), of(1, 2, 3)).kept
    assert enabled(after(kept, of(1, 2, 3, 5), bounds=Bounds(1, 0.0, 0)).kept) == [1, 2, 3, 5]


def test_a_market_that_was_never_made_leaves_without_more_ado() -> None:
    weighed = after(in_force(1, 2, 3, 4, taken=False), of(1, 2, 3), of(1, 2, 3))
    assert enabled(weighed.kept) == [1, 2, 3] and weighed.kept.leaving == ()


def test_a_market_that_comes_back_is_the_one_that_was_leaving() -> None:
    kept = after(in_force(1, 2, 3, 4), of(1, 2, 3), of(1, 2, 3)).kept
    back = after(kept, of(1, 2, 3, 4)).kept
    assert enabled(back) == [1, 2, 3, 4] and back.leaving == ()
    assert all(entry.taken for entry in back.listed)
    swapped = after(back, reading(row(1), row(2), row(3), row(4, yes_token="9")))
    assert market(4) in dict(swapped.held), "and with the tokens that were confirmed"


def test_a_row_that_goes_after_it_was_switched_off_takes_nothing_along() -> None:
    """Shares may be left in the market; it is drained on."""
    off = reading(row(1), row(2), row(3), row(4, enabled=False))
    kept = after(in_force(1, 2, 3, 4), off, off, of(1, 2, 3)).kept
    assert [entry.row.market for entry in kept.listed] == list(map(market, (1, 2, 3)))
    assert [entry.row.market for entry in kept.leaving] == [market(4)]


def test_a_row_that_is_switched_off_does_not_bring_back_one_that_is_leaving() -> None:
    """Or switching it on again would forget that shares may be held in it."""
    gone = after(in_force(1, 2, 3, 4), of(1, 2, 3), of(1, 2, 3)).kept
    assert [entry.row.market for entry in gone.leaving] == [market(4)]
    off = after(gone, reading(row(1), row(2), row(3), row(4, enabled=False))).kept
    assert [(e.row.market, e.taken) for e in (*off.leaving, *off.listed) if e.row.market == market(4)] == [
        (market(4), True)
    ]
    on = after(off, of(1, 2, 3, 4)).kept
    assert [(e.taken, e.row.enabled) for e in on.listed if e.row.market == market(4)] == [(True, True)]
    assert not on.leaving


def test_one_that_has_nothing_left_is_forgotten() -> None:
    kept = after(in_force(1, 2, 3, 4), of(1, 2, 3), of(1, 2, 3)).kept
    assert retired(kept, market(4)).leaving == ()
    off = reading(row(1), row(2), row(3), row(4, enabled=False))
    kept = retired(after(in_force(1, 2, 3, 4), off, off).kept, market(4))
    assert [entry.taken for entry in kept.listed] == [True, True, True, False]
    assert retired(in_force(1), market(1)) == in_force(1, taken=False), "one that is on the list may be made anew"


@pytest.mark.parametrize(
    ("before", "now"),
    [({}, {"max_usd": Usd(5)}), ({"max_usd": Usd(9)}, {"max_usd": Usd(5)}), ({}, {"profile": "careful"})],
)
def test_what_narrows_applies_at_once(before: dict[str, Any], now: dict[str, Any]) -> None:
    kept = begun(reading(row(1, **before)), T0)
    weighed = after(kept, reading(row(1, **now)))
    assert weighed.kept.listed[0].row == row(1, **now) and weighed.kept.proposal is None


# What waits


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"max_usd": Usd(5)}, {}),
        ({"max_usd": Usd(5)}, {"max_usd": Usd(9)}),
        ({"profile": "careful"}, {}),
        ({"profile": "careful"}, {"profile": "bold"}),
    ],
)
def test_what_loosens_waits(before: dict[str, Any], now: dict[str, Any]) -> None:
    """A column ``max_usd`` that lost its name would take the limits of all markets away."""
    kept = begun(reading(row(1, **before), row(2)), T0)
    weighed = after(kept, reading(row(1, **now), row(2), row(3)))
    assert weighed.kept.listed == kept.listed, "the whole reading waits"
    assert weighed.kept.proposal is not None and "loosened" in weighed.kept.proposal.why
    done = approved(weighed.kept, weighed.kept.proposal.token, T0)
    assert enabled(done.kept) == [1, 2, 3] and done.kept.listed[0].row == row(1, **now)


LOW, HIGH = Usd(50), Usd(5000)


def limits(kept: Kept, n: int) -> list[Usd | None]:
    """``max_usd`` of a market that is on the list, if it is."""
    return [entry.row.max_usd for entry in kept.listed if entry.row.market == market(n) and entry.row.enabled]


@pytest.mark.parametrize(
    "gone",
    [
        (None,),
        (row(1, enabled=False, max_usd=LOW),),
        (row(1, enabled=False, max_usd=HIGH),),
        (row(1, enabled=False, max_usd=LOW), row(1, enabled=False, max_usd=HIGH)),
        (row(1, enabled=False, max_usd=LOW), None, row(1, enabled=False, max_usd=HIGH)),
    ],
)
def test_a_limit_is_not_loosened_in_two_steps(gone: tuple[ListRow | None, ...]) -> None:
    """Taken off and put back with another limit is a loosened limit, whatever the row said in between."""
    rest = (row(2), row(3), row(4))
    kept = marked(begun(reading(row(1, max_usd=LOW), *rest), T0), {market(n): T0 for n in (1, 2, 3, 4)}, {})
    kept = after(kept, *(reading(*rest, *filter(None, (one,))) for one in gone for _ in range(2))).kept
    assert enabled(kept) == [2, 3, 4] and kept.proposal is None
    back = reading(row(1, max_usd=HIGH), *rest)
    asked = after(kept, back, back).kept
    assert limits(asked, 1) == [] and asked.proposal is not None and "loosened" in asked.proposal.why
    assert words(asked.proposal.changes[0]).startswith("row 3: is to be made again; at most 0.00005 dollars -> at most")
    assert limits(approved(asked, asked.proposal.token, T0).kept, 1) == [HIGH]
    assert limits(after(kept, reading(row(1, max_usd=LOW), *rest)).kept, 1) == [LOW], "with the old one it is back"
    assert limits(after(kept, reading(row(1, max_usd=Usd(9)), *rest)).kept, 1) == [Usd(9)], "and with a lower one"


def test_a_limit_that_is_lowered_while_the_market_is_off_is_the_one_that_holds() -> None:
    off = reading(row(1, enabled=False, max_usd=LOW), row(2))
    kept = after(begun(reading(row(1, enabled=False, max_usd=HIGH), row(2)), T0), off).kept
    assert limits(after(kept, reading(row(1, max_usd=LOW), row(2))).kept, 1) == [LOW]
    assert after(kept, reading(row(1, max_usd=HIGH), row(2))).kept.proposal is not None


@pytest.mark.parametrize("left", [(), (1,), (1, 2), (1, 2, 3, 4)])
def test_half_a_list_changes_nothing_however_often_it_is_read(left: tuple[int, ...]) -> None:
    kept = in_force(1, 2, 3, 4, 5, 6)
    weighed = after(kept, *[of(*left)] * 5)
    assert weighed.kept.listed == kept.listed and weighed.applied == ()
    proposal = weighed.kept.proposal
    assert proposal is not None and proposal.since_unix == T0 + 300, "it is one and the same all the time"
    assert f"{6 - len(left)} of 6 markets would leave the list" in proposal.why


@pytest.mark.parametrize(
    ("bounds", "gone", "waits"),
    [
        (Bounds(1, 1.0, 0), 1, False), (Bounds(1, 1.0, 0), 2, True), (Bounds(0, 1.0, 0), 1, True),
        (Bounds(9, 0.25, 0), 2, False), (Bounds(9, 0.25, 0), 3, True), (Bounds(9, 0.0, 0), 1, True),
        (Bounds(9, 1.0, 0), 8, False),
    ],
)  # fmt: skip
def test_both_bounds_hold(bounds: Bounds, gone: int, waits: bool) -> None:
    """Of 8 markets; a bound that is reached is not exceeded."""
    short = of(*range(gone, 8))
    weighed = after(in_force(*range(8)), short, short, bounds=bounds)
    assert (weighed.kept.proposal is not None) == waits
    assert len(enabled(weighed.kept)) == (8 if waits else 8 - gone)


def test_the_bounds_are_settings() -> None:
    assert bounds_of(Settings(list_removals_max=3, list_shrink_frac=0.5, list_refresh_sec=60)) == Bounds(3, 0.5, 30)


def test_one_after_another_in_one_reading_counts_together() -> None:
    """One is missing for the second time and another for the first: two would leave."""
    weighed = after(in_force(1, 2, 3, 4, 5, 6, 7, 8), of(2, 3, 4, 5, 6, 7, 8), of(3, 4, 5, 6, 7, 8))
    assert len(enabled(weighed.kept)) == 8 and weighed.kept.proposal is not None


def test_a_half_list_is_no_first_word_of_a_removal() -> None:
    weighed = after(in_force(1, 2, 3, 4), of(1), of(1, 2, 3))
    assert len(enabled(weighed.kept)) == 4 and market(4) in weighed.kept.missing and weighed.kept.proposal is None


def test_nor_does_it_stand_between_two_readings_in_a_row() -> None:
    """The word before it is as little to be trusted as the sheet was at that time."""
    once = after(in_force(1, 2, 3, 4), of(1, 2, 3)).kept
    half = after(once, of(1)).kept
    assert enabled(after(half, of(1, 2, 3)).kept) == [1, 2, 3, 4]
    assert enabled(after(refused(half), of(1), of(1, 2, 3)).kept) == [1, 2, 3, 4], "nor when it was rejected"


def test_what_takes_nothing_off_applies_beside_a_row_that_cannot_be_used() -> None:
    garbled = reading(row(1, max_usd=Usd(5)), row(2), row(3), rejected=(unusable(None),))
    kept = after(in_force(1, 2), garbled).kept
    assert kept.proposal is None and enabled(kept) == [1, 2, 3] and limits(kept, 1) == [Usd(5)]


def test_a_row_that_was_never_made_and_is_off_comes_and_goes() -> None:
    kept = after(begun(reading(row(1), row(2, enabled=False)), T0), of(1)).kept
    assert [entry.row.market for entry in (*kept.listed, *kept.leaving)] == [market(1)]


def test_a_row_that_cannot_be_used_may_be_the_one_that_is_missing() -> None:
    short = reading(row(1), row(2), row(3), rejected=(unusable(None),))
    weighed = after(in_force(1, 2, 3, 4), short, short)
    assert len(enabled(weighed.kept)) == 4 and weighed.kept.proposal is not None
    assert "may be in what cannot be used: row 9" in weighed.kept.proposal.why


def test_a_row_that_cannot_be_used_and_names_its_market_changes_nothing_about_it() -> None:
    garbled = reading(row(1), row(2), row(3), row(5), rejected=(unusable(4),))
    weighed = after(in_force(1, 2, 3, 4), garbled, garbled)
    assert enabled(weighed.kept) == [1, 2, 3, 4, 5] and weighed.kept.proposal is None and weighed.kept.missing == {}
    assert dict(weighed.held) == {market(4): "its row cannot be used"}


def test_a_market_with_two_rows_of_which_one_cannot_be_used_stays_as_it_is() -> None:
    kept = begun(reading(row(1, max_usd=Usd(5))), T0)
    weighed = after(kept, reading(row(1, max_usd=Usd(3)), rejected=(unusable(1),)))
    assert weighed.kept.listed == kept.listed and market(1) in dict(weighed.held)


def test_other_tokens_of_a_made_market_are_refused_by_name() -> None:
    """YES and NO swapped would invert every quote (reliability.md D13)."""
    swapped = reading(row(1, yes_token="21", no_token="11", max_usd=Usd(1)), row(2))
    weighed = after(in_force(1, 2), swapped, swapped)
    assert weighed.kept.listed == in_force(1, 2).listed and weighed.kept.proposal is None
    assert "other token ids" in dict(weighed.held)[market(1)]
    kept = after(in_force(1, 2, 3, 4), of(1, 2, 3), of(1, 2, 3)).kept
    back = after(kept, reading(row(1), row(2), row(3), row(4, yes_token="9")))
    assert enabled(back.kept) == [1, 2, 3], "nor does it come back with others while it is drained"


def test_a_market_keeps_the_tokens_that_the_venue_told_where_its_list_had_none() -> None:
    """Begun with ids in the settings, then with a sheet that has YES and NO swapped."""
    setting = reading(row(1, yes_token="", no_token=""), kind="setting")
    kept = marked(begun(setting, T0), {market(1): T0}, {}, {market(1): ("11", "21")})
    swapped = after(kept, reading(row(1, yes_token="21", no_token="11")))
    assert swapped.kept.listed == kept.listed and "other token ids" in dict(swapped.held)[market(1)]
    right = after(kept, of(1))
    assert right.held == () and right.kept.listed[0].row == row(1)
    later = marked(right.kept, {market(1): T0}, {}, {market(1): ("5", "6")})
    assert later.listed[0].tokens == ("11", "21"), "what was confirmed once stays"


def test_an_approval_changes_no_tokens_of_what_was_made_meanwhile() -> None:
    """The row was a correction when it was read; then the venue confirmed the tokens that were in force."""
    begin = begun(reading(row(1, max_usd=Usd(5)), row(2)), T0)
    kept = after(begin, reading(row(1, yes_token="77"), row(2))).kept
    assert kept.proposal is not None
    kept = approved(marked(kept, {market(1): T0}, {}), kept.proposal.token, T0).kept
    assert kept.listed[0].row == row(1)


def test_tokens_of_a_market_that_was_never_made_may_be_corrected() -> None:
    weighed = after(in_force(1, taken=False), reading(row(1, yes_token="77")))
    assert weighed.kept.listed[0].row.yes_token == "77"


# Approving and rejecting


def test_an_approval_applies_what_was_shown_and_nothing_else() -> None:
    kept = after(in_force(1, 2, 3, 4), of(1, 5)).kept
    assert kept.proposal is not None
    shown = {change.market: change.kind for change in kept.proposal.changes}
    assert shown == {market(2): "remove", market(3): "remove", market(4): "remove", market(5): "add"}
    later = after(kept, of(1, 5)).kept
    done = approved(later, kept.proposal.token, T0)
    assert enabled(done.kept) == [1, 5] and done.kept.proposal is None and done.applied == later.proposal.changes  # type: ignore[union-attr]
    assert sorted(entry.row.market for entry in done.kept.leaving) == [market(n) for n in (2, 3, 4)]
    assert after(done.kept, of(1, 5)).kept.proposal is None, "the list now says what is in force"


@pytest.mark.parametrize("answer", [lambda kept, token: approved(kept, token, T0), rejected])
def test_only_what_waits_can_be_answered(answer: Any) -> None:
    nothing = in_force(1, 2, 3, 4)
    with pytest.raises(ListError, match="no changes"):
        answer(nothing, "")
    first = after(nothing, of(1)).kept
    second = after(first, of(2)).kept
    assert first.proposal is not None and second.proposal is not None
    for token in ("", first.proposal.token):
        with pytest.raises(ListError, match="others now"):
            answer(second, token)


def test_what_was_rejected_is_not_raised_again_until_the_list_differs() -> None:
    kept = after(in_force(1, 2, 3, 4), of(1)).kept
    assert kept.proposal is not None
    kept = rejected(kept, kept.proposal.token)
    assert after(kept, of(1), of(1)).kept.proposal is None
    assert after(kept, of(2)).kept.proposal is not None, "other changes"
    assert after(kept, of(1, 2, 3, 4), of(1)).kept.proposal is not None, "it was well meanwhile"


def test_what_was_rejected_is_not_done_by_itself_later() -> None:
    """Neither when more markets make the rest a smaller part of the list, nor when a day has passed."""
    kept = refused(after(in_force(1, 2, 3), of(1, 2)).kept)
    more = (1, 2, 5, 6, 7)
    kept = after(kept, of(1, 2), of(*more), of(*more), of(*more)).kept
    assert enabled(kept) == [1, 2, 3, 5, 6, 7] and kept.proposal is None
    late = weigh(kept, of(*more), BOUNDS, T0 + 2 * DAY_SEC).kept
    assert enabled(late) == [1, 2, 3, 5, 6, 7] and late.rejected is not None


def test_one_removal_less_than_what_was_rejected_is_looked_at_anew() -> None:
    kept = refused(after(in_force(1, 2, 3, 4), of(1, 2)).kept)
    kept = after(kept, of(1, 2, 4)).kept
    assert kept.rejected is None and list(kept.missing) == [market(3)] and kept.proposal is None


def test_what_applies_by_itself_is_not_bound_up_with_what_was_rejected() -> None:
    """Or a limit that is lowered would not hold because of rows that somebody wants to keep."""
    kept = refused(after(in_force(1, 2, 3, 4), of(1, 2, 7)).kept)
    low = reading(row(1, max_usd=LOW), row(2), row(7), row(8))
    weighed = after(kept, low)
    assert weighed.kept.proposal is None and limits(weighed.kept, 1) == [LOW]
    assert enabled(weighed.kept) == [1, 2, 3, 4, 8], "7 was shown and rejected, 8 was not"
    assert [change.market for change in weighed.applied] == [market(1), market(8)]
    assert weighed.kept.read_unix == kept.read_unix + 300, "it is in force"
    more = after(weighed.kept, reading(row(1, max_usd=HIGH), row(2), row(7), row(8))).kept
    assert more.proposal is not None and more.read_unix == weighed.kept.read_unix, "another question is the whole again"


def test_a_market_that_leaves_meanwhile_does_not_come_back_with_what_was_rejected() -> None:
    """Once it has left it is a new one, which needs no word; but this word was given."""
    rest = (row(2), row(3), row(4))
    kept = marked(begun(reading(row(1, max_usd=LOW), *rest), T0), {market(n): T0 for n in (1, 2, 3, 4)}, {})
    back = reading(row(1, max_usd=HIGH), *rest)
    kept = refused(after(kept, reading(*rest), reading(*rest), back).kept)
    kept = after(retired(kept, market(1)), back, back).kept
    assert enabled(kept) == [2, 3, 4] and kept.proposal is None and kept.rejected is not None


def test_a_row_that_is_switched_on_in_what_was_rejected_stays_off_and_on_the_list() -> None:
    begin = begun(reading(row(1), row(2), row(3), row(4, enabled=False)), T0)
    kept = after(refused(after(begin, of(1, 4)).kept), of(1, 4)).kept
    assert [(e.row.market, e.row.enabled) for e in kept.listed] == [(e.row.market, e.row.enabled) for e in begin.listed]


def test_an_approval_ends_a_rejection() -> None:
    """What was not wanted then is asked again: the list that it was held against is another one."""
    start = begun(reading(row(1, max_usd=LOW), row(2), row(3), row(4)), T0)
    half = reading(row(1, max_usd=LOW), row(2))
    kept = after(refused(after(start, half).kept), reading(row(1, max_usd=HIGH), row(2), row(3), row(4))).kept
    assert kept.proposal is not None and kept.rejected is not None
    kept = approved(kept, kept.proposal.token, T0).kept
    assert after(kept, reading(row(1, max_usd=HIGH), row(2))).kept.proposal is not None


def test_a_list_is_as_old_as_its_reading_whenever_it_is_approved() -> None:
    kept = after(in_force(1, 2, 3, 4), of(1), of(1)).kept
    assert kept.proposal is not None and kept.proposal.since_unix == T0 + 300
    read_unix = kept.proposal.read_unix
    assert approved(kept, kept.proposal.token, T0 + 9000).kept.read_unix == read_unix > T0


def test_a_list_that_is_whole_again_takes_the_proposal_back() -> None:
    kept = after(in_force(1, 2, 3, 4), of(1), of(1, 2, 3, 4)).kept
    assert kept.proposal is None and len(enabled(kept)) == 4


def test_figures_notes_and_row_numbers_make_no_other_proposal() -> None:
    """Liquidity changes at every reading; the question to the operator stays the same."""
    kept = after(in_force(1, 2, 3, 4), of(1)).kept
    moved = reading(row(1, row=77, note="x", figures=Figures(liquidity=5.0)))
    later = after(kept, moved).kept
    assert kept.proposal is not None and later.proposal is not None
    assert kept.proposal.token == later.proposal.token and kept.proposal.since_unix == later.proposal.since_unix


def test_words_tell_before_and_after() -> None:
    before = begun(reading(row(1, max_usd=Usd(5_000_000)), row(2), row(3)), T0)
    kept = weigh(before, reading(row(1, max_usd=Usd(9_500_000)), row(3, enabled=False), row(4)), BOUNDS, T0).kept
    assert kept.proposal is not None
    told = {change.market: words(change) for change in kept.proposal.changes}
    assert told[market(1)] == "row 3: at most 5 dollars -> at most 9.5 dollars"
    assert told[market(2)].startswith("its row is gone") and told[market(3)].startswith("row 5: not enabled")
    assert told[market(4)] == "row 6: is to be made"


def test_ids_of_the_settings_apply_as_they_are() -> None:
    """They are the operator's own word of this start."""
    setting = reading(row(9, yes_token="", no_token=""), kind="setting")
    weighed = renewed(in_force(1, 2, 3, 4), setting, T0)
    assert enabled(weighed.kept) == [9] and len(weighed.kept.leaving) == 4 and weighed.kept.proposal is None


# How old figures are


def test_figures_of_a_sheet_have_an_age_once_they_were_seen_to_change() -> None:
    first = begun(reading(row(1, figures=Figures(1.0))), T0)
    assert first.listed[0].figures_unix is None
    same = weigh(first, reading(row(1, figures=Figures(1.0))), BOUNDS, T0 + 300).kept
    assert same.listed[0].figures_unix is None
    other = weigh(same, reading(row(1, figures=Figures(2.0))), BOUNDS, T0 + 600).kept
    assert other.listed[0].figures_unix == T0 + 600
    later = weigh(other, reading(row(1, figures=Figures(2.0))), BOUNDS, T0 + 900).kept
    assert later.listed[0].figures_unix == T0 + 600


def test_figures_of_a_file_are_as_old_as_the_file_or_older() -> None:
    first = begun(reading(row(1, figures=Figures(1.0)), changed_unix=T0 - 50), T0)
    assert first.listed[0].figures_unix == T0 - 50
    touched = weigh(first, reading(row(1, figures=Figures(1.0)), row(2), changed_unix=T0 + 10), BOUNDS, T0 + 20).kept
    assert [entry.figures_unix for entry in touched.listed] == [T0 - 50, T0 + 10]
    other = weigh(touched, reading(row(1, figures=Figures(2.0)), row(2), changed_unix=T0 + 30), BOUNDS, T0 + 90).kept
    assert [entry.figures_unix for entry in other.listed] == [T0 + 30, T0 + 10]


# Whatever comes

NUMBERS = range(6)
KINDS = ("same", "same", "same", "gone", "off", "low", "high", "profile", "tokens", "unusable")


def row_of(n: int, kind: str) -> ListRow | None:
    over: Mapping[str, Any] = {
        "same": {}, "off": {"enabled": False}, "low": {"max_usd": Usd(3)}, "high": {"max_usd": Usd(8)},
        "profile": {"profile": "careful"}, "tokens": {"yes_token": f"2{n}", "no_token": f"1{n}"},
    }.get(kind, {})  # fmt: skip
    return None if kind in ("gone", "unusable") else row(n, **over)


def reading_of(kinds: tuple[str, ...], unclear: bool) -> MarketList:
    rows = [found for n, kind in enumerate(kinds) if (found := row_of(n, kind)) is not None]
    garbled = [unusable(n) for n, kind in enumerate(kinds) if kind == "unusable"]
    return reading(*rows, rejected=(*garbled, *([unusable(None)] if unclear else [])))


READINGS = st.builds(
    reading_of, st.tuples(*(st.sampled_from(KINDS) for _ in NUMBERS)), st.integers(0, 4).map(lambda n: n == 0)
)


def looser(before: ListRow, now: ListRow) -> bool:
    cap = before.max_usd is not None and (now.max_usd is None or now.max_usd > before.max_usd)
    return cap or bool(before.profile and now.profile != before.profile)


class AnyHistory(RuleBasedStateMachine):
    """Readings, approvals and rejections in any order, against a plain account of what may happen."""

    @initialize(kinds=st.tuples(*(st.sampled_from(("same", "same", "high", "gone")) for _ in NUMBERS)))
    def begin(self, kinds: tuple[str, ...]) -> None:
        self.kept = begun(reading_of(kinds, False), T0)
        self.unix = T0
        self.last: MarketList | None = None
        self.taken: set[str] = set()
        self.tokens: dict[str, tuple[str, str]] = {}
        """Of what was taken up, as they were then."""
        self.absent: dict[str, float] = {}
        """Markets that no row was on for, and since when."""
        self.left: dict[str, float] = {}
        """Markets that left by themselves, and when."""
        self.limits = self.rows()
        """Rows that markets were last on the list with, while anything is known of them."""

    def rows(self) -> dict[str, ListRow]:
        return {entry.row.market: entry.row for entry in self.kept.listed if entry.row.enabled}

    def with_other_tokens(self, one: MarketList, before: Mapping[str, ListRow]) -> set[str]:
        """Markets that were taken up and whose row is no instruction, because it speaks of other tokens."""
        rows = [(found, before[found.market]) for found in one.rows if found.market in self.taken & before.keys()]
        return {now.market for now, was in rows if (now.yes_token, now.no_token) != (was.yes_token, was.no_token)}

    @rule(one=READINGS, times=st.integers(1, 3), seconds=st.sampled_from((20, 300, 300, 30_000)))
    def read(self, one: MarketList, times: int, seconds: int = 300) -> None:
        for _ in range(times):
            before, self.unix = self.rows(), self.unix + seconds
            weighed = weigh(self.kept, one, BOUNDS, self.unix)
            self.kept = weighed.kept
            now = self.rows()
            told = {found.market for found in one.rows if found.enabled}
            named = {found.market for found in one.rejected if found.market}
            said_again = self.last is not None
            for gone in before.keys() - now.keys():
                last = {found.market for found in self.last.rows if found.enabled} if self.last else set()
                last |= {found.market for found in self.last.rejected if found.market} if self.last else set()
                missing = before.keys() - told - named - self.with_other_tokens(one, before)
                assert said_again and gone not in last and gone not in told, "it was not twice in a row"
                assert len(missing) <= min(BOUNDS.removals, BOUNDS.fraction * len(before)), "beyond the bounds"
                assert all(found.market for found in one.rejected), "it may have been in a row that cannot be used"
                assert self.unix - self.absent[gone] >= BOUNDS.apart_sec, "it was twice within a moment"
            self.left = {name: at for name, at in self.left.items() if self.unix - at < DAY_SEC and name not in before}
            if removed := before.keys() - now.keys():
                self.left |= dict.fromkeys(removed, self.unix)
                most = BOUNDS.fraction * (len(now.keys() & before.keys()) + len(self.left))
                assert len(self.left) <= most, "beyond the bound of a day"
            known = told | named | self.with_other_tokens(one, before)
            self.absent = {market(n): self.absent.get(market(n), self.unix) for n in NUMBERS if market(n) not in known}
            assert now.keys() - before.keys() <= told - (named & self.taken), "nothing is made that no row asks for"
            for name in now.keys() & self.limits.keys():
                assert not looser(self.limits[name], now[name]), "a limit was loosened by itself"
            self.note_limits()
            for kept in before.keys() & now.keys():
                if kept in self.taken:
                    assert (now[kept].yes_token, now[kept].no_token) == (before[kept].yes_token, before[kept].no_token)
            if self.kept.proposal is not None:
                assert weighed.applied == () and now == before, "the whole reading waits"
            self.last = one

    def note_limits(self) -> None:
        known = {entry.row.market for entry in (*self.kept.listed, *self.kept.leaving)}
        self.limits = {name: found for name, found in self.limits.items() if name in known} | self.rows()

    @rule()
    def take_up(self) -> None:
        """The venue has confirmed what is on the list, and it is made."""
        self.kept = marked(self.kept, dict.fromkeys(self.rows(), self.unix), {})
        self.tokens = {name: (row.yes_token, row.no_token) for name, row in self.rows().items()} | {
            name: self.tokens[name] for name in self.taken
        }
        self.taken |= self.rows().keys()

    @precondition(lambda self: self.kept.proposal is not None)
    @rule()
    def approve(self) -> None:
        proposal = self.kept.proposal
        assert proposal is not None
        expected = self.rows()
        for change in proposal.changes:
            expected.pop(change.market, None)
            if change.kind != "remove":
                assert change.after is not None
                name, row = change.market, change.after
                if name in self.taken:
                    confirmed = self.tokens[name]
                    row = replace(row, yes_token=confirmed[0], no_token=confirmed[1])
                expected[name] = row
        self.kept = approved(self.kept, proposal.token, self.unix).kept
        assert self.rows() == expected and self.kept.proposal is None
        self.last, self.absent = None, {}
        self.note_limits()

    @precondition(lambda self: self.kept.proposal is not None)
    @rule()
    def reject(self) -> None:
        proposal, before = self.kept.proposal, self.rows()
        assert proposal is not None and self.last is not None
        self.kept = rejected(self.kept, proposal.token)
        assert self.rows() == before
        self.read(self.last, 1)
        if self.kept.rejected is not None:
            changed = self.rows().keys() ^ before.keys()
            assert not changed & {change.market for change in proposal.changes}, "what was not wanted is not done"
        raised = self.kept.proposal  # another one, if a market was taken up since: then its tokens are no correction
        assert raised is None or raised.token != proposal.token, "it was raised again"

    @rule(n=st.sampled_from(NUMBERS))
    def retire(self, n: int) -> None:
        name = market(n)
        before = self.rows()
        self.kept = retired(self.kept, name)
        assert self.rows() == before
        self.note_limits()
        self.taken.discard(name)

    @invariant()
    def what_may_hold_shares_is_looked_after(self) -> None:
        """A market that was made is on the list or leaves it, until nothing is left in it."""
        if hasattr(self, "kept"):
            known = [entry.row.market for entry in (*self.kept.listed, *self.kept.leaving) if entry.taken]
            assert sorted(known) == sorted(self.taken)

    @invariant()
    def it_comes_back_from_the_disk_as_it_was(self) -> None:
        if hasattr(self, "kept"):
            assert msgspec.json.decode(msgspec.json.encode(self.kept), type=Kept) == self.kept


AnyHistory.TestCase.settings = hypothesis_settings(max_examples=300, stateful_step_count=25, deadline=None)
TestAnyHistory = AnyHistory.TestCase


def test_marking_what_is_known_changes_nothing() -> None:
    """So the file is not written again for it."""
    kept = in_force(1, 2)
    assert marked(kept, {market(1): T0}, {market(1): ""}) is kept
    drained = marked(kept, {market(1): None}, {market(1): "Will it?"})
    assert drained.listed[0] == replace(kept.listed[0], made_unix=None, title="Will it?")
