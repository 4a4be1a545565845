"""The help: every sentence whole, the ways to stop first, a page a key."""

import pytest

from polymm_tui.operator import ACTS, acts_in
from polymm_tui.screens.bindings import live_keys
from polymm_tui.screens.help import HelpScreen
from tests.polymm_tui.piloting import console, press
from tests.widgets.harness import screen_text

SIZES = [(80, 24), (120, 36), (200, 60)]


@pytest.mark.parametrize("width", [40, 78, 118, 198])
async def test_no_sentence_is_cut_and_every_word_keeps_its_distance(width):
    async with console() as (app, _, _):
        screen = HelpScreen(app.page, app._desk.keys_of)
        lines = [line.text for line in screen.lines(width)]
        told = " ".join(" ".join(lines).split())
        for act in [act for act in ACTS if act.id in live_keys(app.page)] + list(acts_in("leader")):
            if act.id == "all.back":
                continue
            words = act.sentence.split()
            assert all(word in told for word in words)
            assert width < 60 or " ".join(words[:3]) in told
            assert f" {act.word} " in told
        if width >= 78:
            assert max(map(len, lines)) <= width


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_page_tells_how_to_kill_and_the_box_is_as_wide_as_the_terminal(size):
    async with console(size=size) as (app, _, pilot):
        await press(pilot, "?")
        shown = screen_text(app)
        assert "KILL: ! k k or f12 twice" in shown and "pause all" in shown
        assert "ALL MARKETS" in shown and app.screen.sheet.size.width == size[0] - 2


async def test_a_page_key_turns_a_page_and_the_end_is_told():
    async with console(size=(80, 24)) as (app, _, pilot):
        await press(pilot, "?")
        height = app.screen.sheet.size.height
        await press(pilot, "pagedown")
        assert f"{height - 1}–{2 * height - 2} of" in screen_text(app)
        for _ in range(9):
            await press(pilot, "pagedown")
        assert "pgup goes back" in screen_text(app) and "pgdn for more" not in screen_text(app)
        assert "scores for rewards" in screen_text(app)


async def test_a_toast_does_not_stand_over_the_help():
    async with console(size=(80, 24), notifications=True) as (app, _, pilot):
        await press(pilot, "K", "?")
        assert "There is no such alarm." not in screen_text(app) and "KILL: ! k k" in screen_text(app)
