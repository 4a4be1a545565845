"""The page at three sizes, in pictures and as plain text that can be read in a diff."""

from pathlib import Path

import msgspec
import pytest

from core.runtime.link import CommandResult
from core.views import FeedView
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.themes import DEFAULT_THEME
from tests.widgets.harness import FakeLink, pictures, screen_text
from tests.widgets.view_builders import (
    NOON,
    a_book_that_does_not_add_up,
    a_data,
    a_frozen,
    a_killed_view,
    a_listed_view,
    a_reasoned_market,
    a_risky_view,
    a_troubled_account,
    a_view,
    an_earning_account,
    an_unproven,
    usd,
)

FIGURES = (("6",), ("7",), ("e",))
"""Keys of the pages that need all that is known of a market."""
PREVIEW = "1 of 6 orders would be re-quoted, 0 new\nreplace bid 41.2c 300 sh: aggressive"
SIZES = [(80, 24), (120, 36), (200, 60)]
TWINS = Path(__file__).parent / "__snapshots__" / "text"


def app_of(theme=DEFAULT_THEME):
    return ConsoleApp(FakeLink(), builtin_keymap(), fps=0, theme=theme)


def in_trouble():
    """One book frozen, one that nobody vouches for, one checked by its touch only, a socket down, hashes sampled."""
    frozen, unproven, weak, *rest = a_view().markets
    blocked = {"quoting": False, "orders": ()}
    frozen_by = f"book resyncing: {a_frozen().reason}"
    return a_view(
        feeds=(FeedView("market", True, 1, 2, 0.8, 3, ""), FeedView("user", True, 1, 1, 0.4, 0, "")),
        messages_per_s=2913.0,
        hash_every=3,
        markets=(
            msgspec.structs.replace(frozen, data=a_frozen(), blocked_by=frozen_by, **blocked),
            msgspec.structs.replace(unproven, data=an_unproven(), **blocked),
            msgspec.structs.replace(weak, data=a_data(check_every=0, age_s=2.0), quoting=True, blocked_by=""),
            *rest,
        ),
    )


def reasoned():
    """The usual view with all that is known about the quotes of its first market."""
    return a_view(markets=(a_reasoned_market(), *a_view().markets[1:]), cancels_per_1000=210.4)


def draw(keys=(), view=None):
    """Draws a view, the fixed one unless told, with four minutes of equity before it, and presses keys."""

    async def run(pilot):
        await pilot.pause()
        for second in range(240):
            pilot.app.page.chart.note(NOON + second, usd(50_000 + (second * 37 % 50) / 5 + second / 20))
        pilot.app.show(view or a_view())
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    return run


@pictures
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
def test_page(snap_compare, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw())


@pictures
def test_page_in_mono(snap_compare):
    assert snap_compare(app_of("polymm-mono"), terminal_size=(120, 36), run_before=draw())


@pictures
@pytest.mark.parametrize("theme", [DEFAULT_THEME, "polymm-mono"], ids=["dark", "mono"])
def test_page_in_trouble(snap_compare, theme):
    assert snap_compare(app_of(theme), terminal_size=(120, 36), run_before=draw(view=in_trouble()))


@pictures
def test_page_in_light(snap_compare):
    assert snap_compare(app_of("polymm-light"), terminal_size=(120, 36), run_before=draw())


@pictures
@pytest.mark.parametrize(
    "keys",
    [("v",), ("3",), ("5",), ("?",), ("!",), ("f12",), ("F",), ("q",)],
    ids=["ladder", "orders", "money", "help", "leader", "kill", "flatten", "quit"],
)
def test_small_page(snap_compare, keys):
    assert snap_compare(app_of(), terminal_size=(80, 24), run_before=draw(keys))


@pictures
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize("keys", [("6",), ("7",), ("a",), ("e",)], ids=["why", "results", "adjust", "settings"])
def test_reasons_and_forms(snap_compare, keys, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw(keys, reasoned()))


@pictures
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize("keys", [(), ("3",), ("8",)], ids=["page", "orders", "findings"])
def test_troubled_account(snap_compare, keys, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw(keys, a_troubled_account()))


@pictures
def test_troubled_account_in_mono(snap_compare):
    app = app_of("polymm-mono")
    assert snap_compare(app, terminal_size=(120, 36), run_before=draw(("8",), a_troubled_account()))


@pictures
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize("keys", [("9",), ("i",)], ids=["inventory", "operation"])
def test_whole_account(snap_compare, keys, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw(keys, an_earning_account()))


@pictures
def test_books_that_do_not_add_up_in_mono(snap_compare):
    app = app_of("polymm-mono")
    assert snap_compare(app, terminal_size=(120, 36), run_before=draw(("9",), a_book_that_does_not_add_up()))


@pictures
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize(
    "keys", [("0",), ("b",), ("F",), ("!", "f")], ids=["risk", "control", "flatten", "flatten-all"]
)
def test_what_stops_orders(snap_compare, keys, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw(keys, a_risky_view()))


@pictures
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize("keys", [(), ("0",)], ids=["page", "risk"])
def test_killed(snap_compare, keys, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw(keys, a_killed_view()))


@pictures
@pytest.mark.parametrize("theme", ["polymm-light", "polymm-contrast", "polymm-mono"], ids=["light", "contrast", "mono"])
def test_killed_in_every_theme(snap_compare, theme):
    assert snap_compare(app_of(theme), terminal_size=(120, 36), run_before=draw(("0",), a_killed_view()))


LIST_KEYS = {
    "list": ("l",),
    "rules": ("l", "j", "j", "j", "j"),
    "approve": ("A",),
    "page": (),
}


@pictures
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize("keys", LIST_KEYS.values(), ids=LIST_KEYS.keys())
def test_market_list(snap_compare, keys, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw(keys, a_listed_view()))


@pictures
@pytest.mark.parametrize("theme", ["polymm-light", "polymm-contrast", "polymm-mono"], ids=["light", "contrast", "mono"])
def test_market_list_in_every_theme(snap_compare, theme):
    view = a_listed_view(trouble="Google says 403: share the sheet with the service account")
    assert snap_compare(app_of(theme), terminal_size=(120, 36), run_before=draw(("l", "j"), view))


@pictures
def test_question_after_a_form(snap_compare):
    app = ConsoleApp(FakeLink(result=CommandResult(True, PREVIEW)), builtin_keymap(), fps=0)
    assert snap_compare(app, terminal_size=(80, 24), run_before=draw(("a", "enter"), reasoned()))


@pictures
def test_a_toast_leaves_strip_and_keys_alone(snap_compare):
    assert snap_compare(app_of(), terminal_size=(80, 24), run_before=draw(("p",)))


@pytest.mark.parametrize(
    ("size", "keys", "name"),
    [
        ((80, 24), (), "80x24"),
        ((80, 24), ("v",), "80x24-ladder"),
        ((120, 36), (), "120x36"),
        ((200, 60), (), "200x60"),
        ((80, 24), (), "80x24-trouble"),
        ((80, 24), ("v",), "80x24-ladder-trouble"),
        ((80, 24), ("5",), "80x24-money-trouble"),
        ((80, 24), ("6",), "80x24-why"),
        ((120, 36), ("6",), "120x36-why"),
        ((80, 24), ("7",), "80x24-results"),
        ((80, 24), ("e",), "80x24-settings"),
        ((80, 24), (), "80x24-account"),
        ((80, 24), ("3",), "80x24-orders-account"),
        ((80, 24), ("5",), "80x24-money-account"),
        ((80, 24), ("8",), "80x24-findings-account"),
        ((120, 36), (), "120x36-account"),
        ((80, 24), ("9",), "80x24-inventory"),
        ((120, 36), ("9",), "120x36-inventory"),
        ((200, 60), ("9",), "200x60-inventory"),
        ((80, 24), ("5",), "80x24-money-inventory"),
        ((80, 24), ("i",), "80x24-operation-inventory"),
        ((80, 24), ("9",), "80x24-broken"),
        ((80, 24), (), "80x24-risk"),
        ((80, 24), ("0",), "80x24-pane-risk"),
        ((120, 36), ("0",), "120x36-pane-risk"),
        ((200, 60), ("0",), "200x60-pane-risk"),
        ((80, 24), ("F",), "80x24-flatten-risk"),
        ((80, 24), ("!", "f"), "80x24-all-risk"),
        ((80, 24), ("b",), "80x24-control-risk"),
        ((80, 24), ("0",), "80x24-killed"),
        ((120, 36), (), "120x36-killed"),
        ((80, 24), ("l",), "80x24-pane-list"),
        ((120, 36), ("l",), "120x36-pane-list"),
        ((200, 60), ("l",), "200x60-pane-list"),
        ((80, 24), LIST_KEYS["rules"], "80x24-rules-list"),
        ((120, 36), LIST_KEYS["rules"], "120x36-rules-list"),
        ((80, 24), ("A",), "80x24-approve-list"),
        ((120, 36), ("N",), "120x36-reject-list"),
        ((80, 24), (), "80x24-list"),
        ((200, 60), (), "200x60-list"),
    ],
)
async def test_plain_text_twin(size, keys, name, request):
    app = app_of()
    async with app.run_test(size=size) as pilot:
        views = {
            "trouble": in_trouble,
            "account": a_troubled_account,
            "inventory": an_earning_account,
            "broken": a_book_that_does_not_add_up,
            "risk": a_risky_view,
            "killed": a_killed_view,
            "list": a_listed_view,
        }
        view = views.get(name.rpartition("-")[2], reasoned if keys in FIGURES else a_view)()
        await draw(keys, view)(pilot)
        shown = screen_text(app) + "\n"
    twin = TWINS / f"{name}.txt"
    if request.config.getoption("--snapshot-update"):
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(shown, encoding="utf-8")
    assert twin.read_text(encoding="utf-8") == shown
