"""The page at three sizes, in pictures and as plain text that can be read in a diff."""

from pathlib import Path

import msgspec
import pytest

from core.runtime.link import CommandResult
from core.views import AccountView, FeedView
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import builtin_keymap
from polymm_tui.themes import DEFAULT_THEME, THEME_NAMES
from tests.widgets.harness import FakeLink, pictures, screen_text
from tests.widgets.view_builders import (
    NOON,
    a_book_that_does_not_add_up,
    a_data,
    a_day_view,
    a_frozen,
    a_killed_view,
    a_listed_view,
    a_pnl,
    a_reasoned_market,
    a_risky_view,
    a_troubled_account,
    a_view,
    an_alarm,
    an_earning_account,
    an_unproven,
    some_fills,
    usd,
    with_title,
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
            pilot.app.page.panes.chart.note(NOON + second, usd(50_000 + (second * 37 % 50) / 5 + second / 20))
        pilot.app.show(view or a_view())
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()

    return run


def normal():
    """A day under way, with fills and two alarms that stand."""
    return a_day_view(fills=some_fills(), alarms=(an_alarm(), an_alarm(key="markout", priority=3)))


def empty():
    """A session that has only just begun: no market, no order, nothing earned."""
    nothing = usd(0)
    return a_view(
        markets=(),
        events=(),
        feeds=(FeedView("market", False, 0, 2, None, 0, ""), FeedView("user", False, 0, 1, None, 0, "")),
        open_orders=0,
        open_notional=nothing,
        in_flight=0,
        rejects=0,
        last_reject_age_s=None,
        messages=0,
        messages_per_s=0.0,
        decisions=0,
        pnl=a_pnl(realised=nothing, unrealised=nothing, total=nothing, fills=0),
        account=AccountView(),
        gross_exposure=nothing,
    )


def disconnected():
    """Both channels are down, and nobody can say what the books are."""
    lost = a_data(
        age_s=46.0,
        proven_s=46.0,
        state="RESYNCING",
        reason="no socket covers it",
        freshness="unproven",
        repair="connecting, try 3",
    )
    return a_view(
        feeds=(FeedView("market", False, 0, 2, 44.0, 3, ""), FeedView("user", False, 0, 1, 44.0, 2, "")),
        markets=tuple(
            msgspec.structs.replace(
                market, data=lost, quoting=False, orders=(), blocked_by="book resyncing: no socket covers it"
            )
            for market in a_view().markets
        ),
    )


def hostile():
    """Foreign texts that mean harm: markup, escape sequences, wide and reversed characters, and no end."""
    return with_title("[/x] [YES] \x1b[2J\x1b]52;c;aGk=\x07 日本語 🚀 \u202egnol\u202c " + "long " * 2_000)


STATES = {
    "normal": normal,
    "empty": empty,
    "stale": in_trouble,
    "disconnected": disconnected,
    "killed": a_killed_view,
    "hostile": hostile,
}
SILENT_S = {"disconnected": 12.0}
"""How long the engine has been silent."""


def draw_state(state):
    """Draws the page in one of its states."""

    async def run(pilot):
        await draw((), STATES[state]())(pilot)
        pilot.app.page.show_health(SILENT_S.get(state, 0.0), "")
        await pilot.pause()

    return run


@pictures
@pytest.mark.parametrize("theme", THEME_NAMES, ids=[name.removeprefix("polymm-") for name in THEME_NAMES])
@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize("state", STATES)
def test_page(snap_compare, state, size, theme):
    assert snap_compare(app_of(theme), terminal_size=size, run_before=draw_state(state))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x36", "200x60"])
@pytest.mark.parametrize("state", STATES)
async def test_page_as_text(state, size, request):
    app = app_of()
    async with app.run_test(size=size) as pilot:
        await draw_state(state)(pilot)
        same_text(screen_text(app) + "\n", f"page-{state}-{size[0]}x{size[1]}", request)


def same_text(shown, name, request):
    """Compare with the text kept under a name, or keep it."""
    twin = TWINS / f"{name}.txt"
    if request.config.getoption("--snapshot-update"):
        twin.parent.mkdir(parents=True, exist_ok=True)
        twin.write_text(shown, encoding="utf-8")
    assert twin.read_text(encoding="utf-8") == shown


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
@pytest.mark.parametrize("keys", [("3",), ("8",)], ids=["orders", "findings"])
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
def test_killed(snap_compare, size):
    assert snap_compare(app_of(), terminal_size=size, run_before=draw(("0",), a_killed_view()))


LIST_KEYS = {
    "list": ("l",),
    "rules": ("l", "z", "down", "down", "down", "down"),
    "approve": ("A",),
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
    assert snap_compare(app_of(theme), terminal_size=(120, 36), run_before=draw(("l", "down"), view))


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
        ((80, 24), ("v",), "80x24-ladder"),
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
    same_text(shown, name, request)
