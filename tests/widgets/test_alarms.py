"""The alarms as they are drawn: what it is, what to do first, in which state; whatever strangers call their markets."""

import msgspec
import pytest
from rich.cells import cell_len

from core.views import AlarmView
from tests.widgets.harness import WidgetApp, pictures
from tests.widgets.view_builders import HOSTILE, HOSTILE_IDS, NOON
from widgets.alarms import Alarms, alarm_page, ordered

UNIX = NOON + 3862
TITLES = {"0xfed": "Fed cuts rates in December?", "0xrain": "Will it rain in NYC on Tuesday?"}


def an_alarm(**changes):
    base = AlarmView(
        key="unknown_order:0xfed",
        code="unknown_order",
        priority=1,
        market="0xfed",
        text="1 order unknown for 41 s: read 1 of 2, list wanted, trades wanted",
        consequence="it may rest or have filled; its market is closed",
        action="cancel the market: that cancels it at the venue too",
        pane="orders",
        since_unix=UNIX - 41,
        count=1,
        standing=True,
    )
    return msgspec.structs.replace(base, **changes)


def a_feed_alarm(**changes):
    return an_alarm(
        **{
            "key": "market_feed", "code": "market_feed", "priority": 2, "market": "", "pane": "findings",
            "text": "1 of 2 sockets up, last heard 0 s ago: no pong", "since_unix": UNIX - 130,
            "consequence": "the books it carries are not believed, and not quoted",
            "action": "wait for it to reconnect, else check the network",
        } | changes
    )  # fmt: skip


def a_book_alarm(market="0xfed", **changes):
    return an_alarm(
        **{
            "key": f"book:{market}", "code": "book", "priority": 2, "market": market, "pane": "why",
            "text": "frozen: REST shows 44c/46c, we have 41.3c/41.6c; asking for a fresh book, try 5",
            "consequence": "its quotes are pulled", "since_unix": UNIX - 125, "cause": "market_feed",
            "action": "see what is done about it; pause the market if it goes on",
        } | changes
    )  # fmt: skip


def a_trend(**changes):
    return an_alarm(
        **{
            "key": "markout:0xrain", "code": "markout", "priority": 3, "market": "0xrain", "pane": "fills",
            "text": "-0.31c a share 30 s after 64 fills, error 0.11c", "consequence": "the market costs money",
            "action": "widen it, or quote it smaller", "since_unix": UNIX - 4_000, "count": 3,
        } | changes
    )  # fmt: skip


def a_shelved(**changes):
    return an_alarm(
        **{
            "key": "rate_budget", "code": "rate_budget", "priority": 2, "market": "", "pane": "findings",
            "text": "11 of 60 orders left", "consequence": "fewer orders are placed, so that cancels stay possible",
            "action": "pause a market, or widen: quotes move less", "since_unix": UNIX - 700, "by": "operator",
            "shelved_s": 1_740.0, "reason": "the tier is raised this afternoon",
        } | changes
    )  # fmt: skip


def a_storm():
    """As a view has them: by priority, then newest; what is shelved or follows from another comes last."""
    return (
        an_alarm(),
        an_alarm(
            key="heartbeat", code="heartbeat", market="", standing=False, since_unix=UNIX - 320,
            text="last acknowledged 10 s ago: HTTP 500",
            consequence="nothing new is placed, and the venue cancels everything by itself",
            action="read what holds it back; check the network", pane="findings",
        ),
        a_feed_alarm(),
        an_alarm(
            key="settlement:0xrain", code="settlement", priority=2, market="0xrain", acknowledged=True, by="operator",
            text="60 shares not final, the oldest for 11 min", since_unix=UNIX - 70, pane="fills",
            consequence="its shares count and cannot be sold; after 30 minutes its market is closed",
            action="look for the trade on the chain",
        ),
        a_trend(),
        a_book_alarm(),
        a_book_alarm("0xrain"),
        a_shelved(),
    )  # fmt: skip


def lines(alarms, width=120, selected="", titles=TITLES):
    return [row.text.rstrip() for row in alarm_page(alarms, titles, UNIX, width, selected).rows]


def test_without_alarms_it_says_so():
    assert [line for line in lines(()) if line] == ["  no alarm: nothing wants you"]


def test_wide_an_alarm_is_one_line_and_the_selected_one_says_what_to_do():
    assert lines((an_alarm(), a_feed_alarm()), 130, selected="unknown_order:0xfed") == [
        "›!1 unknown order   now        41s  Fed cuts rates in Decemb… 1 order unknown for 41 s: read 1 of 2, "
        "list wanted, trades wanted",
        "     do first    cancel the market: that cancels it at the venue too (orders)",
        "     until then  it may rest or have filled; its market is closed",
        "     since       13:03:41 UTC, 41s",
        " ▲2 market feed     now         2m                            1 of 2 sockets up, last heard 0 s ago: no pong",
    ]


def test_what_is_cut_in_its_line_is_told_in_full_when_it_is_selected():
    said = lines((an_alarm(),), 100, selected="unknown_order:0xfed")
    assert said[0].endswith("…") and said[1] == f"     in full     {an_alarm().text}"


def test_narrow_an_alarm_is_two_lines_with_what_to_do_before_what_follows():
    assert lines((an_alarm(), a_trend()), 80, selected="") == [
        " !1 unknown order 41s  Fed cuts rates in December?: 1 order unknown for 41 s: r…",
        "     do: cancel the market: that cancels it at the venue too; it may rest or h…",
        " ·3 markout 1h  it rain in NYC on Tuesday?: -0.31c a share 30 s after 64 fills,…",
        "     do: widen it, or quote it smaller; the market costs money",
    ]


def test_what_follows_from_another_stands_below_it_and_takes_one_line():
    said = lines(a_storm(), 80)
    place = next(number for number, line in enumerate(said) if "market feed" in line)
    assert [line[:19] for line in said[place + 2 : place + 4]] == [" └ ▲2 book follows "] * 2


def test_what_follows_from_a_consequence_stands_below_the_same_cause():
    quoted = an_alarm(key="not_quoted:0xfed", code="not_quoted", priority=3, cause="book:0xfed")
    assert [each.key for each in ordered((a_feed_alarm(), quoted, a_book_alarm()))] == [
        "market_feed",
        "not_quoted:0xfed",
        "book:0xfed",
    ]


def test_a_consequence_whose_cause_is_not_listed_stays_where_it_is():
    assert ordered((a_book_alarm(), a_trend())) == (a_book_alarm(), a_trend())


def test_causes_that_go_in_a_circle_lose_nothing():
    one, other = an_alarm(key="a", cause="b"), an_alarm(key="b", cause="a")
    assert ordered((one, other)) == (one, other)


@pytest.mark.parametrize(
    ("changes", "state", "told"),
    [
        ({}, "now", ""),
        ({"count": 3}, "now", ", raised 3 times"),
        ({"standing": False}, "over", ", over; it stays here until it is acknowledged"),
        ({"acknowledged": True, "by": "ann"}, "seen", ", acknowledged by ann"),
        ({"cause": "market_feed"}, "follows", ", follows from market feed, and calls nobody"),
        (
            {"shelved_s": 600.0, "by": "ann", "reason": "being mended"},
            "shelf 10m",
            ", shelved by ann for 10m more: being mended",
        ),
    ],
)
def test_the_state_is_a_word(changes, state, told):
    said = lines((an_alarm(**changes),), 130, selected="unknown_order:0xfed")
    assert said[0][20:30].strip() == state and said[-1] == f"     since       13:03:41 UTC, 41s{told}"


def test_the_red_ground_is_for_urgent_ones_that_nobody_has_seen():
    def ground(**changes):
        return alarm_page((an_alarm(**changes),), TITLES, UNIX, 120, "").rows[0].ground

    assert ground() == ground(standing=False) == "alarm"
    for changes in ({"acknowledged": True}, {"priority": 2}, {"shelved_s": 60.0}, {"cause": "x"}):
        assert ground(**changes) == ""


def test_priorities_have_signs_that_need_no_colour():
    for width in (80, 120):
        said = lines((an_alarm(), a_feed_alarm(), a_trend()), width)
        signs = [line[1:3] for line in said if not line.startswith("   ")]
        assert signs == ["!1", "▲2", "·3"]


@pytest.mark.parametrize("width", [24, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("text", HOSTILE, ids=HOSTILE_IDS)
def test_foreign_text_stays_on_its_line(text, width):
    alarms = tuple(
        msgspec.structs.replace(each, text=text, reason=text, by=text, market=text, code=text) for each in a_storm()
    )
    for selected in ("", "market_feed", "rate_budget"):
        for row in alarm_page(alarms, {text: text}, UNIX, width, selected).rows:
            assert cell_len(row.text) <= max(width, 40)
            assert row.text.isprintable()


# The widget


def shown(pane, alarms=None, titles=TITLES, size=(120, 24)):
    return WidgetApp(pane, lambda: pane.show(a_storm() if alarms is None else alarms, titles, UNIX)).run_test(size=size)


async def test_the_cursor_moves_by_alarms_and_stays_on_its_alarm_when_others_come_and_go():
    pane = Alarms()
    async with shown(pane) as pilot:
        await pilot.pause()
        assert pane.selected is not None and pane.selected.key == "unknown_order:0xfed"
        pane.move(2)
        assert pane.selected.key == "market_feed" and any(row.text.startswith("›▲2 market feed") for row in pane.rows)
        newer = an_alarm(key="journal", code="journal", market="")
        pane.show((newer, *a_storm()[1:]), TITLES, UNIX)
        assert pane.selected.key == "market_feed"
        pane.show(tuple(each for each in a_storm() if each.key != "market_feed"), TITLES, UNIX)
        assert pane.selected.key == "settlement:0xrain", "the next one takes its place"
        pane.move(-99)
        assert pane.selected.key == "unknown_order:0xfed"
        pane.move(99)
        assert pane.selected.key == "rate_budget"
        pane.show((), TITLES, UNIX)
        assert pane.selected is None
        pane.move(1)


async def test_the_cursor_stays_in_sight():
    pane = Alarms()
    storm = tuple(an_alarm(key=f"book:{n}", text=f"number {n}") for n in range(30))
    async with shown(pane, storm, size=(80, 10)) as pilot:
        await pilot.pause()
        for _ in range(29):
            pane.move(1)
            assert pane.selected is not None
            place = next(n for n, row in enumerate(pane.rows) if row.text.startswith("›"))
            assert pane.selected.text in pane.rows[place].text and place + 3 < len(pane.rows)
        assert "of 62 lines" in str(pane.border_subtitle)
        pane.move(-29)
        assert pane.rows[0].text.startswith("›") and "number 0" in pane.rows[0].text


async def test_its_border_counts_what_waits_by_priority_and_the_rest():
    pane = Alarms()
    async with shown(pane) as pilot:
        await pilot.pause()
        assert pane.border_title == "Alarms: 2 act now, 1 act soon, 1 look, 4 quiet"
        pane.show((), TITLES, UNIX)
        assert pane.border_title == "Alarms"


PICTURES = [
    ("empty", (), (120, 14), "polymm-dark"),
    ("storm", a_storm(), (120, 14), "polymm-dark"),
    ("storm-narrow", a_storm(), (80, 22), "polymm-dark"),
    ("storm-mono", a_storm(), (120, 14), "polymm-mono"),
    ("hostile", tuple(msgspec.structs.replace(each, text=HOSTILE[2], reason=HOSTILE[4]) for each in a_storm()),
     (80, 22), "polymm-dark"),
]  # fmt: skip


@pictures
@pytest.mark.parametrize(
    ("alarms", "size", "theme"), [each[1:] for each in PICTURES], ids=[each[0] for each in PICTURES]
)
def test_picture(snap_compare, alarms, size, theme):
    pane = Alarms()
    app = WidgetApp(pane, lambda: pane.show(alarms, TITLES | {"0xrain": HOSTILE[4]}, UNIX), theme)
    assert snap_compare(app, terminal_size=size)


def test_in_a_low_box_the_selected_alarm_only_says_what_to_do():
    """The tabs of a page of 36 lines have room for five: the list has to stay a list."""
    rows = alarm_page(a_storm(), TITLES, UNIX, 118, "market_feed", height=5).rows
    place = next(number for number, row in enumerate(rows) if row.text.startswith("›"))
    assert rows[place + 1].text.strip() == (
        "do: wait for it to reconnect, else check the network; the books it carries are not believed, and not quoted"
    )
    assert len(rows) == len(a_storm()) + 1


@pytest.mark.parametrize("width", [60, 118])
def test_what_is_over_tells_no_consequence(width):
    """An alarm that waits for acknowledgement alone leaves no empty sentence behind."""
    over = an_alarm(standing=False, consequence="", action="acknowledge it, it is over")
    told = "\n".join(row.text for row in alarm_page((over,), TITLES, UNIX, width, over.key).rows)
    assert "acknowledge it, it is over" in told and "until then" not in told and "; \n" not in f"{told}\n"
