"""The pane of the market list: where it is from, what waits, why each market stands as it does, what is unusable."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from core.views import ProposalLineView, RejectedRowView, RuleView
from polymm_tui.themes import THEME_NAMES
from tests.widgets.harness import WidgetApp, pictures, texts
from tests.widgets.view_builders import (
    HOSTILE,
    NOON,
    a_listed,
    a_listed_view,
    a_listing,
    a_proposal,
    a_view,
    an_income,
    some_listed,
    some_rejected,
    some_rules,
    usd,
)
from widgets import market_list
from widgets.market_list import STANDINGS, MarketList, change_words, list_news, list_page, why_words


def said(view, width=118, **options):
    return texts(list_page(view, options.pop("selected", ""), width, **options).rows)


def roles_of(view, text, width=118, **options):
    """Roles of the pieces that contain a text."""
    page = list_page(view, options.pop("selected", ""), width, **options)
    return {span.role for line in page.rows for span in line.spans if text in span.text}


def of_list(**changes):
    """A session with this list and nothing that waits."""
    return a_listed_view(**({"proposal": None} | changes))


def many(count):
    """So many markets, every standing among them."""
    kinds = some_listed()
    return tuple(
        msgspec.structs.replace(kinds[number % len(kinds)], market=f"0x{number:064x}", title=f"Market {number}?")
        for number in range(count)
    )


def test_without_a_list_it_says_so():
    assert "no figures yet" in "\n".join(said(None))
    assert "there is no market list here" in "\n".join(said(a_view()))


# Where it is read


def test_it_tells_source_age_next_reading_and_notes():
    assert said(of_list())[:4] == [
        ' source     sheet "Selected Markets"',
        " read       3m ago, 13:01:12 UTC; looked at again in 1m",
        ' note       column "Comment" is not known and not read',
        "",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"read_unix": None, "next_s": None}, " read       not yet"),
        ({"read_unix": None, "next_s": 4.0}, " read       not yet; looked at again in 4s"),
        ({"next_s": 0.0}, " read       3m ago, 13:01:12 UTC; looked at again now"),
        ({"read_unix": NOON + 9_000}, " read       0s ago, 14:30:00 UTC; looked at again in 1m"),
    ],
    ids=["never", "first", "now", "from the future"],
)
def test_the_last_and_the_next_reading_are_told_whatever_is_known(changes, words):
    assert words in said(of_list(**changes))


async def test_a_low_pane_begins_with_the_markets():
    """Of six lines, none is spent on where the list is from while all is well with it."""
    pane = MarketList()
    view = a_listed_view(proposal=None, notes=())
    async with WidgetApp(pane, lambda: pane.show(view, "")).run_test(size=(118, 8)) as pilot:
        await pilot.pause()
        drawn = texts(pane.rows)
        assert drawn[0].startswith(" MARKETS") and sum(line[1] in "●◐△×▲○" for line in drawn) >= 4
        pane.show(a_listed_view(proposal=None, notes=(), trouble="Google says 403"), "")
        assert "Google says 403" in "".join(texts(pane.rows))


def test_trouble_is_told_in_words_and_that_nothing_changed_and_is_not_red():
    trouble = "Google says 403: share the sheet with bot@x.iam; see docs/markets.md"
    view = of_list(trouble=trouble)
    place = next(number for number, line in enumerate(said(view)) if line.startswith(" trouble"))
    assert said(view)[place : place + 2] == [
        f" trouble    ▲ {trouble}",
        "            the list in force stays as it is",
    ]
    assert roles_of(view, "▲ Google") == {"warn"}


def test_long_trouble_ends_with_a_sign_and_many_notes_are_counted():
    lines = said(of_list(trouble="403 " * 400, notes=tuple(f"note {number}" for number in range(9))), 78)
    trouble = [line for line in lines if "403" in line]
    assert len(trouble) == 6 and trouble[-1].endswith("…")
    assert "            and 3 more notes" in lines and not any("note 6" in line for line in lines)


# What waits for approval


def test_a_proposal_stands_above_the_markets_as_a_diff_in_signs_and_words():
    lines = said(a_listed_view(), keys="A: approve; N: reject")
    start = next(number for number, line in enumerate(lines) if line.startswith(" PROPOSAL"))
    assert lines[start : start + 8] == [
        " PROPOSAL  ▲ 4 changes wait since 12:52:10 UTC, 12m: not done yet",
        "   2 of 5 markets would leave the list at once; at most 1 leaves without being asked for",
        "   A: approve; N: reject",
        "   - remove Fed cuts rates in December?                         its row is gone; 1,240 YES are held",
        "   - remove Rain in NYC on Tuesday                              enabled: yes, now no",
        "   + add    Will Mars be visited by 2030?                       profile slow, at most $200.00",
        "   ~ change BTC above $120k on Dec 31?                          at most $600.00, now $900.00",
        "",
    ]
    assert lines[start + 8].startswith(" MARKETS")


def test_on_a_narrow_terminal_the_change_stands_below_its_market_in_full():
    text = "its row is gone; " * 9
    proposal = a_proposal(lines=(ProposalLineView("remove", "0xfed", "Fed cuts?", text),))
    lines = said(a_listed_view(proposal=proposal), 78)
    start = lines.index("   - remove Fed cuts?")
    assert " ".join(line.strip() for line in lines[start + 1 : start + 4]) == text.strip()


def test_the_words_of_a_change_have_sign_word_market_and_text():
    assert [change_words(change) for change in a_proposal().lines[1:3]] == [
        "- remove Rain in NYC on Tuesday: enabled: yes, now no",
        "+ add Will Mars be visited by 2030?: profile slow, at most $200.00",
    ]
    assert change_words(ProposalLineView("add", "0x1", "", "")) == "+ add 0x1"


def test_nothing_waits_and_nothing_is_said_of_it():
    assert not any("PROPOSAL" in line for line in said(of_list()))


# The markets


def test_markets_stand_by_standing_in_the_views_order_with_every_standing_counted():
    shuffled = tuple(reversed(some_listed()))
    page = list_page(of_list(markets=shuffled), "", 118)
    assert [market.standing for market in page.markets] == [
        "made", "made", "draining", "waiting", "failed", "refused", "off",
    ]  # fmt: skip
    assert [market.market for market in page.markets][:2] == ["0xbtc", "0xfed"], "stable within a standing"
    assert " MARKETS  2 made, 1 draining, 1 waiting, 1 failed, 1 refused, 1 off" in texts(page.rows)


def test_a_list_of_nothing_says_so():
    assert " MARKETS  the list names none" in said(of_list(markets=(), rejected=()))


@pytest.mark.parametrize("standing", STANDINGS)
def test_every_standing_has_a_sign_and_its_word(standing):
    """No state is told by a colour alone."""
    lines = said(of_list(markets=(a_listed(standing=standing),), rejected=()))
    assert lines[-1].split()[0] in "●◐△×▲○" and standing in lines[-1].split()


def test_a_line_has_reason_failing_rules_with_number_and_bound_figures_and_note():
    failed = a_listed(
        standing="failed", reason="the screen", rules=some_rules(liquidity="$812", trend=""), note="by hand",
        figures="Gamma's",
    )  # fmt: skip
    assert why_words(failed) == (
        "the screen; liquidity $812 (at least $5,000); trend not told (at least 0.30); figures: Gamma's; note: by hand"
    )
    named = msgspec.structs.replace(failed, reason="liquidity, trend", figures="", note=failed.title)
    assert why_words(named) == "liquidity $812 (at least $5,000); trend not told (at least 0.30)", "nothing twice"
    assert why_words(a_listed(figures="")) == ""


def test_a_market_takes_one_line_where_there_is_room_and_two_where_there_is_not():
    wide = next(line for line in said(of_list(), 198) if "Rain in NYC" in line)
    assert "off the list since 12:41 UTC; figures: Gamma's: the list's are 3d old; note: watch" in wide
    assert wide.split()[-5:] == ["weather", "$150", "2.31M", "−0.12", "−0.02%"]
    lines = said(of_list(), 78)
    place = next(number for number, line in enumerate(lines) if "Rain in NYC" in line)
    assert lines[place].split()[-4:] == ["draining", "2.31M", "−0.12", "−0.02%"]
    assert lines[place + 1].startswith("   off the list since 12:41 UTC; figures: Gamma's")


@pytest.mark.parametrize(
    ("changes", "figures"),
    [
        ({"score": None, "income_usd": None, "income_frac": None}, ["–", "–", "–"]),
        ({"score": 0.0, "income_usd": 0.0, "income_frac": 0.0}, ["0", "+0.00", "+0.00%"]),
        ({"score": 999.4, "income_usd": 999.99, "income_frac": 0.5}, ["999", "+999.99", "+50.00%"]),
        ({"score": 999.6, "income_usd": 1234.5, "income_frac": 9.9}, ["1.00k", "+1,234", "+990.00%"]),
        ({"score": 45_678.0, "income_usd": -0.5, "income_frac": -0.01}, ["45.7k", "−0.50", "−1.00%"]),
        ({"score": 1e9, "income_usd": math.nan, "income_frac": math.inf}, ["1.00B", "–", "–"]),
        ({"score": 1e18, "income_usd": 1e12, "income_frac": 1e9}, ["1e+18", "#########", "#########"]),
        ({"score": math.nan, "income_usd": -math.inf, "income_frac": math.nan}, ["–", "–", "–"]),
    ],
)
def test_figures_fit_their_columns_and_a_wrong_one_is_never_shown(changes, figures):
    view = of_list(markets=(a_listed(**changes),), rejected=())
    line = said(view)[-1]
    assert "".join(line.split())[-len("".join(figures)) :] == "".join(figures)


def test_the_selected_market_wears_the_mark_in_one_and_in_two_lines():
    for width in (78, 118):
        page = list_page(of_list(), "0xrain", width)
        marked = [line for line in page.rows if line.ground == "cursor"]
        assert len(marked) == page.each and marked[0].text.startswith("›◐ Rain")


# One market in full


def test_the_selected_market_tells_every_rule_with_number_and_bound():
    view = of_list()
    market = next(each for each in some_listed() if each.standing == "failed")
    lines = said(view, selected=market.market, unfolds=True)
    start = next(number for number, line in enumerate(lines) if line.startswith("›× Will it snow"))
    assert [" ".join(line.split()) for line in lines[start + 1 : start + 15]] == [
        "market Will it snow in Austin?",
        f"id {market.market}",
        "list row 7",
        "rules 2 of 8 fail",
        "× fails liquidity $812 at least $5,000",
        "✓ passes weekly volume $412,900 at least $50,000",
        "× fails trend 0.21 at least 0.30",
        "✓ passes score 18.2M at least 1M",
        "✓ passes spread 1.2c at most 3c",
        "✓ passes time to end 44 days from 2 to 180 days",
        "✓ passes category politics, economy any of politics, economy, weather",
        "✓ passes taker fee not told at most 2 %",
        "figures Gamma's: the list has none",
        "income not known; score 23.1k",
    ]
    assert roles_of(view, "× fails", selected=market.market, unfolds=True) == {"warn"}
    assert roles_of(view, "✓ passes", selected=market.market, unfolds=True) == {"good"}


def test_a_market_in_full_tells_limits_reason_note_and_the_estimate_term_by_term():
    lines = [line[3:] for line in said(of_list(), selected="0xrain", unfolds=True)]
    assert "list     row 5, profile weather, loses at most $150.00 at cost" in lines
    assert "why      off the list since 12:41 UTC" in lines
    assert "note     watch the forecast" in lines and "rules    all 8 pass" in lines
    income = " ".join(" ".join(lines).split())
    assert "−0.12 dollars a day, an estimate, −0.02% a day of what is at risk; score 2.31M" in income
    assert "rewards +0.90, rebates +0.11, spread +0.62, drift −0.35, capital −0.04; at risk 401.00 dollars" in income
    assert "nothing is left of it when the price drifts 0.63c a share against us; 30 of 1,000 dollars" in income


def test_an_estimate_without_fills_has_no_break_even():
    view = of_list(markets=(a_listed(market="0xfed", income=an_income(break_even_cents=None)),))
    assert "drifts" not in "\n".join(said(view, selected="0xfed", unfolds=True))


def test_a_market_that_was_not_screened_says_so():
    refused = next(each for each in some_listed() if each.standing == "refused")
    assert "   rules    it was not screened" in said(of_list(), selected=refused.market, unfolds=True)


@pytest.mark.parametrize("width", [68, 78, 118])
def test_the_whole_id_is_told_at_every_width(width):
    refused = next(each for each in some_listed() if each.standing == "refused")
    assert any(line.endswith(refused.market) for line in said(of_list(), width, selected=refused.market, unfolds=True))


def test_long_numbers_and_bounds_of_rules_go_over_several_lines():
    tags = ", ".join(f"category{number}" for number in range(12))
    market = a_listed(market="0xfed", standing="failed", rules=(RuleView("category", False, tags, f"one of {tags}"),))
    for width in (68, 118):
        told = " ".join(said(of_list(markets=(market,)), width, selected="0xfed", unfolds=True))
        assert told.count("category11") >= 2, "nothing is cut"


# Rows that cannot be used


def test_rejected_rows_tell_row_column_value_and_reason():
    lines = said(of_list())
    start = next(number for number, line in enumerate(lines) if line.startswith(" REJECTED"))
    assert [" ".join(line.split()) for line in lines[start:]] == [
        "REJECTED 3 rows of the list cannot be used",
        "ROW COLUMN VALUE REASON",
        "6 yes_token_id 1.23456789012346E+76 the spreadsheet made a number of it: format the column as",
        "plain text",
        "10 Liquidity (empty) is empty: a number of dollars is wanted",
        "11 Volume_7d #REF! its formula has an error",
    ]
    assert " REJECTED  1 row of the list cannot be used" in said(of_list(rejected=some_rejected()[:1]))
    assert not any("REJECTED" in line for line in said(of_list(rejected=())))


def test_on_a_narrow_terminal_the_reason_stands_below_in_full():
    rejected = (RejectedRowView(123_456, "", "'" * 99, "because of it " * 20),)
    lines = said(of_list(rejected=rejected), 68)
    start = next(number for number, line in enumerate(lines) if line.startswith(" 123456  –"))
    assert lines[start].endswith("…")
    assert " ".join(line.strip() for line in lines[start + 1 :]) == ("because of it " * 20).strip()


# The strip


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        (None, []),
        (a_listing(), []),
        (a_listing(trouble="timeout"), ["not renewed"]),
        (a_listing(proposal=a_proposal()), ["4 changes wait"]),
        (a_listing(proposal=a_proposal(lines=a_proposal().lines[:1])), ["1 change waits"]),
        (a_listing(trouble="timeout", proposal=a_proposal()), ["not renewed", "4 changes wait"]),
    ],
)
def test_what_wants_eyes_is_said_in_a_few_words(listing, words):
    assert list_news(listing) == words


# Thousands of rows


def test_of_a_long_list_only_what_is_in_sight_is_made(monkeypatch):
    """A paint must cost the same at 2,000 rows as at seven."""
    made = []
    draw = market_list._market_rows
    monkeypatch.setattr(market_list, "_market_rows", lambda *given: made.append(given) or draw(*given))
    page = list_page(of_list(markets=many(2_000)), f"0x{3:064x}", 118, unfolds=True)
    assert len(page.rows) > 2_000 and made == []
    assert len(page.rows[1_000:1_034]) == 34
    assert len(made) == 34


@given(
    st.integers(0, 30), st.none() | st.integers(0, 40), st.booleans(), st.sampled_from([68, 78, 100, 118, 150, 198]),
    st.booleans(),
)  # fmt: skip
@settings(deadline=None)
def test_lines_and_markets_find_each_other(count, selected, unfolds, width, waits):
    """What is clicked, scrolled to and drawn is the same market."""
    view = a_listed_view(markets=many(count), proposal=a_proposal() if waits else None)
    identity = f"0x{selected:064x}" if selected is not None else ""
    page = list_page(view, identity, width, unfolds=unfolds)
    owners = [page.place_at(line) for line in range(len(page.rows))]
    assert page.place_at(-1) is None and owners[: page.first] == [None] * page.first
    for place, market in enumerate(page.markets):
        lines = page.each + (page.details if place == page.unfolded else 0)
        start = page.line_of(place)
        assert owners[start : start + lines] == [place] * lines
        assert market.title in page.rows[start].text
    assert owners.count(None) == len(page.rows) - page.each * count - page.details


async def test_it_scrolls_through_thousands_and_the_title_counts_them():
    pane, view = MarketList(), a_listed_view(markets=many(2_000), trouble="timeout")
    async with WidgetApp(pane, lambda: pane.show(view, "")).run_test(size=(80, 20)) as pilot:
        await pilot.pause()
        assert str(pane.border_title) == "Market list 2,000, 572 made, not renewed, 4 changes wait"
        assert str(pane.border_subtitle).startswith("1–20 of 40")
        pane.scroll_lines(999_999)
        assert "its formula has an error" in pane.rows[-1].text


async def test_the_selection_stays_in_sight_with_its_rules():
    pane, view = MarketList(), of_list(markets=many(300))
    async with WidgetApp(pane, lambda: pane.show(view, "")).run_test(size=(80, 40)) as pilot:
        await pilot.pause()
        shown = ""
        for _ in range(290):
            shown = pane.neighbour(1)
            pane.show(view, shown)
            pane.unfold(shown)
            drawn = texts(pane.rows)
            place = next(number for number, line in enumerate(drawn) if line.startswith("›"))
            assert any("rules  " in line for line in drawn[place:]), "its rules are in sight with it"
        last = pane.neighbour(1)
        for _ in range(400):
            pane.unfold(pane.neighbour(1))
        assert pane.neighbour(1) == list_page(view, "", 80).markets[-1].market != last


async def test_a_selection_out_of_sight_goes_on_from_what_is_seen():
    """After paging through 2,000 rows nobody wants to be thrown back to where he came from."""
    pane, view = MarketList(), of_list(markets=many(2_000))
    order = [market.market for market in list_page(view, "", 120).markets]
    async with WidgetApp(pane, lambda: pane.show(view, order[0])).run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        pane.unfold(order[0])
        assert pane.neighbour(1) == order[1], "its own rules are in sight"
        pane.scroll_lines(1_000)
        first = next(line for line in texts(pane.rows) if line)
        below, above = order.index(pane.neighbour(1)), order.index(pane.neighbour(-1))
        assert first[3:].startswith(list_page(view, "", 120).markets[below].title)
        assert above - below == 35


async def test_without_a_selection_it_begins_with_what_is_seen_and_knows_the_ends():
    pane, view = MarketList(), of_list()
    async with WidgetApp(pane, lambda: pane.show(view, "")).run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert (pane.neighbour(1), pane.neighbour(-1)) == ("0xfed", some_listed()[-1].market)
        pane.show(view, "0xfed")
        assert (pane.neighbour(-1), pane.neighbour(1)) == ("0xfed", "0xbtc")
        pane.show(of_list(markets=()), "0xfed")
        assert pane.neighbour(1) is None
        pane.unfold("0xgone")
        assert not any(line.text.startswith("›") for line in pane.rows)


async def test_folding_goes_back_to_the_top():
    pane, view = MarketList(), a_listed_view()
    async with WidgetApp(pane, lambda: pane.show(view, "0xfed")).run_test(size=(80, 18)) as pilot:
        await pilot.pause()
        pane.unfold("0xrain")
        assert not pane.rows[0].text.startswith(" source")
        pane.fold()
        assert pane.rows[0].text.startswith(" source") and len(list_page(view, "0xrain", 80).rows) == pane._count


async def test_a_click_picks_the_market_and_its_rules_belong_to_it():
    picked = []

    class App(WidgetApp):
        def on_market_list_picked(self, message: MarketList.Picked) -> None:
            picked.append(message.market)

    pane, view = MarketList(), of_list(proposal=None)
    async with App(pane, lambda: pane.show(view, "0xfed")).run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        pane.unfold("0xfed")
        first = next(y for y, line in enumerate(pane.rows) if line.text.startswith("›"))
        for y in (0, first, first + 3, first + list_page(view, "0xfed", 120, unfolds=True).details + 1):
            await pilot.click(MarketList, offset=(9, y))
            await pilot.pause()
        assert picked == ["0xfed", "0xfed", "0xbtc"]


# Foreign text, widths, pictures


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("width", [68, 118, 198])
def test_every_line_stays_on_its_line(text, width):
    listing = a_listing(
        source=text, trouble=text, notes=(text,) * 9, read_unix=-1e12, next_s=1e12,
        markets=tuple(
            a_listed(
                market=text, title=text, standing=standing, reason=text, figures=text, note=text, profile=text,
                max_usd=usd(10**9), row=10**9, rules=(RuleView(text, False, text, text), RuleView(text, True, "", "")),
                income=an_income(words=(text, text), reward_usd=math.nan, drift_usd=1e300, at_risk_usd=-math.inf),
            )
            for standing in STANDINGS
        ),
        rejected=(RejectedRowView(10**12, text, text, text),),
        proposal=a_proposal(why=text, since_unix=1e11, lines=(ProposalLineView("change", text, text, text),)),
    )  # fmt: skip
    for line in list_page(a_view(market_list=listing), text, width, keys="A: approve", unfolds=True).rows:
        assert line.text.isprintable()
        assert cell_len(line.text) <= width, line.text


@pictures
@pytest.mark.parametrize("theme", THEME_NAMES)
def test_picture(snap_compare, theme):
    pane = MarketList()
    view = a_listed_view(trouble="Google says 429: too many requests; nothing to do, it is read again")
    failed = next(each for each in some_listed() if each.standing == "failed").market

    def show():
        pane.show(view, failed, "A: approve; N: reject; both show it and ask first")
        pane.unfold(failed)

    assert snap_compare(WidgetApp(pane, show, theme), terminal_size=(118, 50))


def test_what_its_sources_tell_is_below_the_selected_market():
    view = of_list(markets=(a_listed(notes=("no end is told", "past its end")),))
    lines = [line[3:] for line in said(view, selected=a_listed().market, unfolds=True)]
    assert "told     no end is told; past its end" in lines
    assert not any("no end is told" in line for line in said(view))
