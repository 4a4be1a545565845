"""Confirmation strips: what they say, when they close, what they leave in sight, and that nothing but a yes acts."""

import pytest
from textual.events import Key
from textual.geometry import Region, Size

from core.runtime.link import CommandResult
from polymm_tui.screens.dialogs import KillScreen
from polymm_tui.screens.form_screen import FormScreen
from polymm_tui.screens.placing import place_sheet
from polymm_tui.screens.question import ConfirmScreen
from tests.polymm_tui.piloting import changed_first, console, press, settle
from tests.widgets.harness import PREVIEW, FakeLink, screen_text
from tests.widgets.view_builders import a_control, a_market, a_suspect, a_view, an_alarm, an_inventory, shares

# Flattening


async def test_flatten_shows_its_preview_and_the_safe_answer_is_marked():
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        assert [(each.act, each.market, each.preview) for each in link.sent] == [("flatten", "0xfed", True)]
        assert isinstance(app.screen, ConfirmScreen)
        shown = screen_text(app)
        assert "Flatten: Fed cuts rates in December?" in shown
        assert all(line in shown for line in PREVIEW.split("\n"))
        await press(pilot, "enter")
        assert link.acts == []
        assert app.screen is app.page


@pytest.mark.parametrize("keys", [("y",), ("tab", "enter"), ("right", "enter"), ("tab", "tab", "tab", "enter")])
async def test_flatten_goes_out_after_a_yes_with_what_its_preview_gave(keys):
    async with console() as (_, link, pilot):
        await press(pilot, "F", *keys)
        assert link.acts == [("flatten", "0xfed")]
        assert link.sent[-1].confirm == "token-1"


@pytest.mark.parametrize("keys", [("n",), ("escape",), ("tab", "tab", "enter"), ("z",), ("q",), ("F",)])
async def test_flatten_stays_unsent_after_anything_else(keys):
    async with console() as (app, link, pilot):
        await press(pilot, "F", *keys)
        assert link.acts == []
        assert app.screen is app.page


async def test_a_yes_typed_before_the_question_stood_is_not_heard():
    async with console(clock=lambda: 5.0) as (app, link, pilot):
        await press(pilot, "F", "y")
        assert link.acts == []
        assert isinstance(app.screen, ConfirmScreen)


@pytest.mark.parametrize(
    "changes",
    [
        {"inventory": an_inventory(yes=shares(1641))},
        {"inventory": an_inventory(no=shares(399))},
        {"bids": a_market().bids[2:]},
        {"asks": a_market().asks[2:]},
        {"bids": ()},
        {"data": a_suspect()},
        {"tick_text": "0.01"},
    ],
    ids=["yes", "no", "bid", "ask", "no bids", "unproven", "tick"],
)
async def test_the_question_closes_when_what_its_preview_rests_on_has_moved(changes):
    """A cost that was shown for another position, another touch or a proven book is no answer any more."""
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        app.show(changed_first(**changes))
        await pilot.pause()
        assert app.screen is app.page
        assert link.acts == []


async def test_the_question_stays_while_the_touch_moves_by_a_tick():
    async with console() as (app, _, pilot):
        await press(pilot, "F")
        app.show(changed_first(bids=a_market().bids[1:]))
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)


async def test_a_question_closes_when_its_time_is_over_but_not_below_the_kill_dialog():
    async with console() as (app, link, pilot):
        await press(pilot, "F")
        question = app.screen
        app.expire_dialog(50.0)
        await press(pilot, "f12")
        app.expire_dialog(74.0)
        app.expire_dialog(75.9)
        assert isinstance(app.screen, KillScreen)
        app.expire_dialog(76.0)
        await pilot.pause()
        assert app.screen is question
        app.expire_dialog(76.1)
        await pilot.pause()
        assert app.screen is app.page
        assert link.acts == [] and link.kills == []


async def test_a_refused_preview_is_told_and_asks_nothing():
    link = FakeLink(result=CommandResult(False, "nothing is held here"))
    async with console(link=link, notifications=True) as (app, _, pilot):
        await press(pilot, "F", "y")
        assert link.acts == []
        assert app.screen is app.page
        assert "nothing is held here" in screen_text(app)


async def test_a_preview_that_comes_while_something_else_is_asked_asks_nothing():
    link = FakeLink()
    link.answers_at_once = False
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "F", "q")
        question = app.screen
        link.futures[0].set_result(link.preview)
        await pilot.pause()
        assert app.screen is question
        await press(pilot, "y")
    assert link.acts == []


async def test_flatten_all_wants_its_word_typed():
    """The largest act of all: no key, however often it is hit, does it."""
    async with console() as (app, link, pilot):
        await press(pilot, "!", "F")
        assert isinstance(app.screen, FormScreen)
        assert all(line in screen_text(app) for line in PREVIEW.split("\n"))
        await press(pilot, "enter", *"flatten", "enter")
        assert link.acts == [] and "type FLATTEN in capitals" in screen_text(app)
        await press(pilot, *["backspace"] * 7, *"FLATTEN", "enter")
        assert link.acts == [("flatten_all", "")]
        assert link.sent[-1].confirm == "token-1"
        assert app.screen is app.page


async def test_flatten_all_that_is_refused_shows_what_holds_now_and_keeps_the_word():
    """Positions of a market that trades move while the word is typed: nobody should have to begin anew."""
    link = FakeLink(result=CommandResult(False, "a position has moved; ask again"))
    link.preview = CommandResult(True, PREVIEW, confirm="token-1")
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "!", "F", *"FLATTEN")
        link.preview = CommandResult(True, "Close 1,300 YES.", confirm="token-2")
        await press(pilot, "enter")
        await pilot.pause()
        assert isinstance(app.screen, FormScreen)
        assert "a position has moved; ask again" in screen_text(app)
        assert "Close 1,300 YES." in screen_text(app) and "Close 1,240 YES" not in screen_text(app)
        link.result = CommandResult(True, "flattening 1 market")
        await press(pilot, "enter")
        assert [command.confirm for command in link.sent if not command.preview] == ["token-1", "token-2"]
        assert app.screen is app.page


async def test_a_form_that_is_refused_says_why_and_stays():
    link = FakeLink(result=CommandResult(False, "there is no such market"))
    async with console(link=link) as (app, _, pilot):
        await press(pilot, "b", "enter")
        assert isinstance(app.screen, FormScreen)
        assert "there is no such market" in screen_text(app)


# Resuming

WILL_PLACE = "will place 6 orders, $1,141\nask 3 not placed: below the least size"


def a_resuming_link(**options):
    link = FakeLink(**options)
    link.resume_preview = CommandResult(True, WILL_PLACE)
    return link


@pytest.mark.parametrize(
    ("keys", "act", "market", "title"),
    [(("r",), "resume", "0xfed", "Resume: Fed cuts"), (("!", "r"), "resume_all", "", "Resume all")],
)
async def test_a_resume_tells_what_it_will_place_and_wants_one_key_more(keys, act, market, title):
    async with console(link=a_resuming_link()) as (app, link, pilot):
        await press(pilot, *keys)
        assert [(each.act, each.market, each.preview) for each in link.sent] == [(act, market, True)]
        shown = screen_text(app)
        assert title in shown and "will place 6 orders, $1,141" in shown
        await press(pilot, "y")
        assert link.acts == [(act, market)] and link.sent[-1].view_seq == 7
        assert app.screen is app.page


@pytest.mark.parametrize("keys", [("n",), ("escape",), ("enter",), ("r",)])
async def test_a_resume_that_is_not_confirmed_resumes_nothing(keys):
    async with console(link=a_resuming_link()) as (app, link, pilot):
        await press(pilot, "r", *keys)
        assert link.acts == [] and app.screen is app.page


async def test_the_question_about_a_resume_closes_when_another_state_comes_into_force():
    """Somebody paused everything meanwhile: what was shown would not happen."""
    async with console(link=a_resuming_link()) as (app, link, pilot):
        await press(pilot, "r")
        app.show(a_view(seq=8, controls=(a_control(market="", source="operator"),)))
        await pilot.pause()
        assert app.screen is app.page and link.acts == []


async def test_a_resume_that_cannot_be_is_told_and_asks_nothing():
    async with console(link=FakeLink(result=CommandResult(False, "no such market")), notifications=True) as (
        app,
        link,
        pilot,
    ):
        await press(pilot, "r", "y")
        await settle(pilot)
        assert link.acts == [] and app.screen is app.page
        assert "no such market" in screen_text(app)


# Time


async def test_the_time_left_is_counted_down_and_repaints_one_line_a_second():
    async with console() as (app, _, pilot):
        await press(pilot, "F")
        assert "closes in 25s" in screen_text(app)
        app.expire_dialog(50.0)
        painted = []
        sheet = app.screen.sheet
        refresh = sheet.refresh
        sheet.refresh = lambda *regions, **options: (painted.append(regions), refresh(*regions, **options))[1]
        for tenth in range(1, 25):
            app.expire_dialog(50.0 + tenth / 10)
            await pilot.pause()
        assert "closes in 23s" in screen_text(app)
        assert [len(regions) for regions in painted] == [1, 1], "one line, twice in 2.4 seconds"


async def test_a_form_with_a_time_tells_it_and_renews_it_with_its_preview():
    async with console() as (app, _, pilot):
        await press(pilot, "!", "F")
        assert isinstance(app.screen, FormScreen) and "closes in 25s" in screen_text(app)
        app.expire_dialog(50.0)
        app.expire_dialog(60.5)
        await pilot.pause()
        assert "closes in 15s" in screen_text(app)


# What stays in sight


@pytest.mark.parametrize("size", [(120, 36), (140, 40), (200, 60)])
@pytest.mark.parametrize("keys", [("F",), ("r",), ("a", "enter")])
async def test_a_question_about_a_market_leaves_its_ladder_and_the_strip_in_sight(size, keys):
    text = "\n".join(f"line {number} " + "of what would be done " * 4 for number in range(5))
    link = FakeLink(result=CommandResult(True, text))
    link.preview = CommandResult(True, text, confirm="token-1")
    async with console(size=size, link=link) as (app, _, pilot):
        await press(pilot, *keys)
        await settle(pilot)
        assert isinstance(app.screen, ConfirmScreen)
        sheet, ladder = app.screen.sheet.region, app.page.ladder.region
        assert not sheet.overlaps(ladder)
        assert sheet.y >= 2 and sheet.bottom <= size[1]
        shown = screen_text(app)
        assert "line 0" in shown and "closes in" in shown


async def test_a_question_moves_with_the_terminal():
    async with console(size=(200, 60)) as (app, _, pilot):
        await press(pilot, "F")
        for size in ((120, 36), (80, 24), (200, 60)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            shown = screen_text(app)
            assert "y  flatten" in shown and "n  keep the position" in shown
            assert size[0] < 120 or not app.screen.sheet.region.overlaps(app.page.ladder.region)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
@pytest.mark.parametrize("keys", [("q",), ("!", "F"), ("f12",), ("!",)])
async def test_no_dialog_covers_the_strip(size, keys):
    async with console(size=size) as (app, _, pilot):
        before = screen_text(app).split("\n")[:2]
        await press(pilot, *keys)
        assert app.screen is not app.page
        assert app.screen.sheet.region.y >= 2
        assert screen_text(app).split("\n")[:2] == before


LADDER = Region(51, 2, 69, 20)


@pytest.mark.parametrize(
    ("terminal", "ladder", "lines", "place"),
    [
        (Size(120, 36), None, 9, (120, 34, "center")),
        (Size(80, 24), Region(0, 2, 80, 20), 9, (80, 22, "center")),  # too small to keep anything in sight
        (Size(120, 36), LADDER, 14, (120, 14, "center")),
        (Size(120, 36), LADDER, 15, (51, 34, "left")),
        (Size(120, 36), Region(0, 2, 60, 20), 15, (60, 34, "right")),
        (Size(120, 36), Region(0, 2, 120, 33), 15, (120, 34, "center")),  # the ladder has the whole page
    ],
)
def test_a_sheet_stands_below_the_ladder_or_beside_it(terminal, ladder, lines, place):
    assert place_sheet(terminal, ladder, lambda width: lines) == place


@pytest.mark.parametrize("opening", ["q", "F", "?", "/", "!", "a", "Z", "f12"])
@pytest.mark.parametrize("packet", [("escape", "escape"), ("ctrl+x", "ctrl+y"), ("enter", "escape"), ("p", "X")])
async def test_keys_that_come_in_one_packet_close_a_dialog_once(opening, packet):
    """The second one found a screen that was closed already, and the console died of it."""
    async with console(a_view(alarms=(an_alarm(),)), size=(80, 24)) as (app, link, pilot):
        await press(pilot, opening)
        dialog = app.screen
        assert dialog is not app.page
        for key in packet:
            dialog.post_message(Key(key, key if len(key) == 1 else None))
        await settle(pilot)
        assert app.is_running and app.return_code in (None, 0)
        assert opening == "!" or all(each.preview for each in link.sent), "what followed was not meant for the page"
