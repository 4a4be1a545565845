"""The market list in the console: its pane, what is selected there, and answers to what waits for approval."""

from contextlib import asynccontextmanager

import msgspec
import pytest
from textual.geometry import Size

from core.runtime.link import CommandResult
from core.views import ProposalLineView
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap, load_keymap
from polymm_tui.screens.dialogs import wrapped
from polymm_tui.screens.listing import list_question
from polymm_tui.screens.question import ConfirmScreen
from tests.widgets.harness import FakeLink, screen_text
from tests.widgets.view_builders import HOSTILE, HOSTILE_IDS, NOON, a_listed_view, a_proposal, a_view, some_listed

SENATE = next(each.market for each in some_listed() if each.standing == "waiting")


@asynccontextmanager
async def console(view=None, size=(120, 36), link=None, keymap=None, **options):
    """A running console that has drawn a view, its link, and a pilot."""
    seconds = iter(range(10_000))
    link = link or FakeLink()
    app = ConsoleApp(link, keymap or builtin_keymap(), fps=0, clock=lambda: float(next(seconds)))
    async with app.run_test(size=size, **options) as pilot:
        await pilot.pause()
        app.show(view or a_listed_view())
        await pilot.pause()
        yield app, link, pilot


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


def of_lines(count, **changes):
    lines = tuple(
        ProposalLineView("remove", f"0x{number}", f"Market {number}", "its row is gone") for number in range(count)
    )
    return a_proposal(lines=lines, **changes)


# Answers


@pytest.mark.parametrize(("key", "act", "word"), [("A", "list_approve", "Approve"), ("N", "list_reject", "Reject")])
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_an_answer_shows_the_diff_and_names_what_was_shown(key, act, word, size):
    """The token goes out with it, so a proposal that changed meanwhile is refused by the session too."""
    async with console(size=size) as (app, link, pilot):
        await press(pilot, key)
        assert isinstance(app.screen, ConfirmScreen) and link.sent == []
        shown = screen_text(app)
        assert f"{word} changes of the market list" in shown
        assert "4 changes wait since 12:52:10 UTC, 12m: not done yet." in shown
        assert "- remove Fed cuts rates in December?: its row is gone; 1,240 YES are held" in shown
        assert "+ add Will Mars be visited by 2030?" in shown and "~ change BTC above $120k" in shown
        await press(pilot, "y")
        (command,) = link.sent
        assert (command.act, command.confirm, command.market, command.view_seq) == (act, "proposal-1", "", 7)
        assert not command.preview and app.screen is app.page


@pytest.mark.parametrize("keys", [("enter",), ("n",), ("escape",), ("A",), ("q",), ("tab", "tab", "enter")])
async def test_anything_but_a_yes_leaves_it_waiting(keys):
    async with console() as (app, link, pilot):
        await press(pilot, "A", *keys)
        assert link.sent == [] and app.screen is app.page


async def test_a_yes_typed_before_the_question_stood_is_not_heard():
    link = FakeLink()
    app = ConsoleApp(link, builtin_keymap(), fps=0, clock=lambda: 5.0)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.show(a_listed_view())
        await press(pilot, "A", "y")
        assert link.sent == [] and isinstance(app.screen, ConfirmScreen)


@pytest.mark.parametrize("proposal", [None, a_proposal(token="proposal-2")], ids=["gone", "another"])
async def test_the_question_closes_when_the_proposal_has_changed(proposal):
    async with console(notifications=True) as (app, link, pilot):
        await press(pilot, "A")
        app.show(a_listed_view(proposal=proposal))
        await pilot.pause()
        assert app.screen is app.page and link.sent == []
        assert "has changed; ask again" in screen_text(app)


async def test_the_question_stays_while_only_ages_move():
    async with console() as (app, link, pilot):
        await press(pilot, "A")
        app.show(msgspec.structs.replace(a_listed_view(next_s=3.0), unix=NOON + 3_900, seq=8))
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        await press(pilot, "y")
        assert link.sent[0].confirm == "proposal-1"


@pytest.mark.parametrize("key", ["A", "N"])
@pytest.mark.parametrize(
    ("view", "words"),
    [
        (a_listed_view(proposal=None), "No change of the market list waits for approval."),
        (a_view(), "There is no market list here."),
    ],
    ids=["nothing waits", "no list"],
)
async def test_with_nothing_to_answer_it_says_so(key, view, words):
    async with console(view, notifications=True) as (app, link, pilot):
        await press(pilot, key, "y")
        assert words in screen_text(app)
        assert link.sent == [] and app.screen is app.page


async def test_before_the_first_view_there_is_nothing_to_answer():
    link = FakeLink()
    app = ConsoleApp(link, builtin_keymap(), fps=0)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await press(pilot, "A", "y", "L")
        assert [command.act for command in link.sent] == ["list_refresh"]
        assert "There is no market list here." in screen_text(app)


async def test_nothing_is_answered_that_cannot_be_read():
    async with console(size=(60, 12)) as (app, link, pilot):
        await press(pilot, "A", "N", "y")
        assert link.sent == [] and app.screen is app.page


async def test_without_any_market_the_list_can_still_be_answered():
    """The first list of all may be one that waits."""
    async with console(msgspec.structs.replace(a_listed_view(), markets=())) as (_, link, pilot):
        await press(pilot, "A", "y")
        assert [command.act for command in link.sent] == ["list_approve"]


async def test_a_refusal_of_the_session_is_told_in_its_words():
    link = FakeLink(result=CommandResult(False, "the proposal has changed [/x]; look at it again"))
    async with console(link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "A", "y")
        await pilot.pause()
        assert "the proposal has changed [/x]; look at it again" in screen_text(app)


async def test_the_list_is_read_now_without_a_question():
    async with console() as (_, link, pilot):
        await press(pilot, "L")
        assert link.acts == [("list_refresh", "")]


@pytest.mark.parametrize(
    ("words", "keys", "act"),
    [
        ("list: approve", ("y",), "list_approve"),
        ("list: reject", ("y",), "list_reject"),
        ("read the list", (), "list_refresh"),
    ],
)
async def test_the_palette_finds_them(words, keys, act):
    async with console() as (app, link, pilot):
        await press(pilot, "ctrl+p", *words)
        await app.workers.wait_for_complete()
        await press(pilot, "enter")
        await pilot.pause()
        await press(pilot, *keys)
        assert link.acts == [(act, "")]


async def test_the_palette_finds_the_pane():
    async with console(size=(80, 24)) as (app, _, pilot):
        await press(pilot, "ctrl+p", *"pane:", "space", *"list")
        await app.workers.wait_for_complete()
        await press(pilot, "enter")
        await pilot.pause()
        assert app.page.shown == {"list"}


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_two_thousand_changes_are_counted_and_both_answers_are_in_sight(size):
    async with console(a_listed_view(proposal=of_lines(2_000)), size=size) as (app, _, pilot):
        await press(pilot, "N")
        shown = screen_text(app)
        first = shown.count("- remove Market ")
        assert first >= 3 and f"and {2_000 - first:,} more, in the pane of the market list" in shown
        assert "y  reject" in shown and "n  leave it waiting" in shown


@pytest.mark.parametrize("count", [1, 4, 9, 2_000])
@pytest.mark.parametrize("act", ["list_approve", "list_reject"])
def test_the_question_fits_every_terminal_and_counts_what_it_leaves_out(act, count):
    why = "20 of 30 markets would leave the list at once; at most 1 leaves without being asked for " * 4
    proposal = of_lines(count, why=why)
    for height in range(16, 61):
        terminal = Size(80, height)
        lines = list_question(act, proposal, NOON + 3_862, terminal).sentences
        assert wrapped(lines, terminal) == lines, "nothing is cut or counted twice"
        told = sum(line.startswith("- remove Market") for line in lines)
        more = [line for line in lines if line.startswith("and ") and "more" in line]
        assert more == ([] if told == count else [f"and {count - told:,} more, in the pane of the market list"])
        assert told or height < 18


def test_what_does_not_fit_the_question_ends_with_a_sign():
    proposal = a_proposal(why="because " * 99, lines=(ProposalLineView("remove", "0x1", "Long title " * 30, "gone"),))
    lines = list_question("list_approve", proposal, NOON + 3_862, Size(80, 24)).sentences
    assert lines[2].endswith("…") and lines[4].endswith("…") and lines[3].startswith("- remove Long title")


@pytest.mark.parametrize("foreign", HOSTILE, ids=HOSTILE_IDS)
async def test_foreign_text_in_the_question_is_harmless(foreign):
    proposal = a_proposal(why=foreign, lines=(ProposalLineView("add", foreign, foreign, foreign),) * 3)
    async with console(a_listed_view(proposal=proposal), size=(80, 24)) as (app, link, pilot):
        await press(pilot, "A")
        assert all(line.isprintable() for line in screen_text(app).split("\n"))
        await press(pilot, "y")
        assert link.sent[0].confirm == "proposal-1"


# The pane


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_the_pane_is_a_key_away_and_names_the_keys_as_they_are(size, tmp_path):
    mine = tmp_path / "keymap.toml"
    mine.write_text('[list]\napprove = "Y"\n[pane]\nlist = "G"\n')
    async with console(size=size, keymap=load_keymap(mine)) as (app, _, pilot):
        await press(pilot, "G")
        assert "list" in app.page.shown and app.page.focused is app.page.panes.market_list
        shown = screen_text(app)
        if size == (120, 36):  # the box has six lines: the bottom line has the keys
            assert "Y approve…  N reject…" in shown
        else:
            assert 'source     sheet "Selected Markets"' in shown
            assert "Y: approve; N: reject; both show it and ask first" in shown
        assert "▲ list: 4 changes wait" in shown.split("\n")[1]


async def test_next_and_previous_go_through_the_list_and_tell_the_rules():
    async with console(size=(80, 24)) as (app, _, pilot):
        await press(pilot, "l")
        assert "rules" not in screen_text(app)
        await press(pilot, "down")
        assert "›● BTC above" in screen_text(app) and "all 8 pass" in screen_text(app)
        await press(pilot, "down", "down", "down")
        shown = screen_text(app)
        assert "›× Will it snow in Austin?" in shown and "2 of 8 fail" in shown
        await press(pilot, "up")
        assert "›△ Will the Senate flip" in screen_text(app)


async def test_acts_reach_the_market_that_wears_the_mark_or_none():
    """One that is not made can be looked at; a key that acts on a market must never mean another one then."""
    async with console(size=(80, 24)) as (app, link, pilot):
        await press(pilot, "l", "down", "p")
        assert link.acts == [("pause", "0xbtc")]
        await press(pilot, "down", "p")
        assert link.acts[1:] == [("pause", "0xrain")]
        await press(pilot, "down", "p", "X", "F", "w", "a", "b", "y")
        assert app.page.market is None and len(link.sent) == 2
        states = {active.binding.id: active.enabled for active in app.screen.active_bindings.values()}
        assert not states["market.pause"] and states["list.approve"]
        assert app.screen is app.page
        await press(pilot, "up", "p")
        assert link.acts[2:] == [("pause", "0xrain")]


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_leaving_the_list_selects_the_market_that_was_selected_before(size):
    async with console(size=size) as (app, link, pilot):
        await press(pilot, "l", "down", "down", "down", "down")
        assert app.page.market is None
        await press(pilot, "1", "p")
        assert link.acts == [("pause", "0xrain")]
        states = {active.binding.id: active.enabled for active in app.screen.active_bindings.values()}
        assert states["market.pause"]


async def test_an_unmade_selection_holds_while_views_come_and_ends_with_the_market():
    async with console(size=(80, 24)) as (app, _, pilot):
        await press(pilot, "l", "down", "down", "down")
        app.show(msgspec.structs.replace(a_listed_view(), seq=8))
        await pilot.pause()
        assert app.page.market is None and "›△ Will the Senate flip" in screen_text(app)
        app.show(msgspec.structs.replace(a_listed_view(markets=some_listed()[:2]), seq=9))
        await pilot.pause()
        assert app.page.market.market == "0xfed", "it is gone from the list"


async def test_a_selected_market_that_comes_to_be_made_can_be_acted_on():
    async with console(size=(80, 24)) as (app, link, pilot):
        await press(pilot, "l", "down", "down", "down")
        made = msgspec.structs.replace(a_view().markets[0], market=SENATE)
        app.show(msgspec.structs.replace(a_listed_view(), seq=8, markets=(*a_view().markets, made)))
        await pilot.pause()
        await press(pilot, "p")
        assert link.acts == [("pause", SENATE)]


async def test_a_click_in_the_list_selects_and_the_key_of_the_pane_folds_it_again():
    async with console(a_listed_view(proposal=None), size=(80, 24)) as (app, link, pilot):
        await press(pilot, "l")
        lines = screen_text(app).split("\n")
        y = next(number for number, line in enumerate(lines) if "Rain in NYC" in line)
        await pilot.click(offset=(10, y))
        await pilot.pause()
        assert "›◐ Rain in NYC" in screen_text(app) and "all 8 pass" in screen_text(app)
        await press(pilot, "l")
        assert "all 8 pass" not in screen_text(app) and "›◐ Rain in NYC" in screen_text(app)
        await press(pilot, "p")
        assert link.acts == [("pause", "0xrain")]


async def test_pages_of_a_long_list_scroll_and_next_goes_on_from_there():
    kinds = some_listed()
    markets = tuple(
        msgspec.structs.replace(kinds[4], market=f"0x{number:064x}", title=f"Market {number}?")
        for number in range(2_000)
    )
    async with console(a_listed_view(markets=markets, proposal=None), size=(80, 24)) as (app, _, pilot):
        await press(pilot, "l", "pagedown", "pagedown", "pagedown")
        first = next(line for line in screen_text(app).split("\n")[3:] if "Market " in line)
        await press(pilot, "down")
        (marked,) = [line for line in screen_text(app).split("\n") if line.startswith("│›")]
        assert marked.split("failed")[0].strip("│› ") == first.split("failed")[0].strip("│› ")


async def test_tab_reaches_the_pane_on_a_small_terminal():
    async with console(size=(80, 24)) as (app, _, pilot):
        seen = set()
        for _ in range(16):
            await press(pilot, "tab")
            seen |= app.page.shown
        assert "list" in seen


async def test_a_replay_has_no_list():
    async with console(a_view()) as (app, link, pilot):
        await press(pilot, "l", "down", "up", "pagedown")
        assert "there is no market list here" in screen_text(app)
        assert link.sent == [] and app.page.market.market == "0xfed"
