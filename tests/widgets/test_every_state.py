"""Ladder, orders, reasons, quote, inventory, profit and account in every state of a session, as plain text.

Each state has to be said in words at every width; nothing leaves its line and no foreign text does harm.
"""

import msgspec
import pytest
from rich.cells import cell_len

from tests.widgets.view_builders import (
    HOSTILE,
    HOSTILE_IDS,
    NOON,
    a_data,
    a_frozen,
    a_job,
    a_kill,
    a_laddered_market,
    a_reasoned_market,
    a_split,
    a_view,
    an_account,
    an_adjustment,
    an_empty_book,
    an_unknown_order,
    an_unproven,
    flat_inventory,
    some_caps,
)
from widgets.account import account_rows
from widgets.inventory import account_row, inventory_rows
from widgets.ladder_rows import ladder_rows
from widgets.orders import order_rows
from widgets.pnl import pnl_rows
from widgets.quote import quote_rows
from widgets.why import why_rows

WIDTHS = (50, 67, 118)
HEIGHT = 24
LEAST = {"orders": 66, "account": 68}
"""Least widths of panes that always have the whole page."""


def a_full_market(**changes):
    """A market with marks, reasons and a session's causes."""
    details = a_reasoned_market()
    names = ("detailed", "layers", "adjustments", "regime", "group", "profile")
    base = a_laddered_market(split=a_split(), **{name: getattr(details, name) for name in names})
    return msgspec.structs.replace(base, **changes)


def a_whole_view(market, **changes):
    """One market, caps, an operation, a session's causes."""
    account = an_account(jobs=(a_job(state="mined"),))
    base = {"markets": (market,), "caps": some_caps(), "account": account, "split": a_split()}
    return a_view(**base | changes)


def an_empty_market():
    """Nothing known, nothing held, nothing planned."""
    return a_full_market(
        bids=(), asks=(), orders=(), layers=(), adjustments=(), fair=None, reservation=None, half_spread=None,
        sigma_h=None, last_price=None, last_size=None, last_buy=None, group=None, split=None, quoting=False,
        blocked_by="waiting for the first book", data=an_empty_book(), inventory=flat_inventory(),
    )  # fmt: skip


STATES = {
    "normal": a_full_market(),
    "empty": an_empty_market(),
    "stale": a_full_market(data=an_unproven(), quoting=False, blocked_by="unproven: nobody vouches for the book"),
    "frozen": a_full_market(data=a_frozen(), quoting=False, orders=()),
    "silent": a_full_market(data=a_data(freshness="quiet", age_s=700.0)),
    "disconnected": a_full_market(quoting=False, blocked_by="user feed is down", orders=()),
    "paused": a_full_market(control="PAUSED", quoting=False, blocked_by="paused: by the operator", orders=()),
    "killed": a_full_market(control="KILLED", quoting=False, blocked_by="", orders=()),
    "unknown": a_full_market(orders=(an_unknown_order(state="CANCEL_SENT"),)),
}


def drawn(market, view, width, height=HEIGHT):
    """Rows of every pane about one market."""
    order = market.orders[0] if market is not None and market.orders else None
    markets = () if market is None else (market,)
    return {
        "ladder": ladder_rows(market, 425, width, height),
        "orders": order_rows(markets, "0xfed", 0, max(LEAST["orders"], width), height),
        "why": why_rows(market, width, order),
        "quote": quote_rows(market, width, height),
        "inventory": inventory_rows(market, width, height, view),
        "pnl": pnl_rows(view, market, width, height),
        "account": account_rows(view, market, max(LEAST["account"], width)),
        "line": [account_row(view, market, width)],
    }


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("state", STATES)
def test_nothing_leaves_its_line(state, width):
    market = STATES[state]
    for name, rows in drawn(market, a_whole_view(market), width).items():
        assert rows, name
        for row in rows:
            assert cell_len(row.text) <= max(LEAST.get(name, 0), width), (name, row.text)
            assert row.text.isprintable()


SAID = {
    "normal": {"ladder": "quoting", "orders": "RESTING", "why": "quoting", "quote": "41.52", "inventory": "+1,240"},
    "empty": {
        "ladder": "no book yet", "orders": "no open orders", "why": "by itself, with the first book",
        "quote": "warming up", "inventory": "flat", "pnl": "–", "account": "0",
    },
    "stale": {"ladder": "? unproven", "why": "when the book is proven again", "quote": "unproven"},
    "frozen": {"ladder": "■ frozen", "orders": "frozen", "why": "asking for a fresh book", "quote": "frozen"},
    "silent": {"ladder": "quiet 11m"},
    "disconnected": {
        "ladder": "user feed is down", "orders": "user feed is down", "why": "when the user stream is back",
        "quote": "user feed is down",
    },
    "paused": {"ladder": "paused", "orders": "paused", "why": "by resume", "quote": "paused"},
    "killed": {
        "ladder": "killed: cancels repeat", "orders": "killed: cancels", "why": "by re-arming", "quote": "killed",
    },
    "unknown": {"ladder": "?", "orders": "may be at the venue, cancelling", "why": "UNKNOWN for 12s"},
}  # fmt: skip


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("state", STATES)
def test_every_state_is_said_in_words(state, width):
    """The same words at every width, so that nobody has to know a colour or widen the terminal."""
    market = STATES[state]
    kill = a_kill() if state == "killed" else a_view().kill
    shown = drawn(market, a_whole_view(market, kill=kill), width)
    for name, words in SAID[state].items():
        if width < 58 and (state, name) == ("unknown", "ladder"):
            continue  # the list of a narrow ladder tells own best orders, not their states
        assert words in " ".join(" ".join(row.text for row in shown[name]).split()), name


@pytest.mark.parametrize("width", WIDTHS)
def test_without_a_market_and_without_a_view_every_pane_says_so(width):
    words = {
        "ladder": "no market selected", "orders": "no market is made", "why": "no market selected",
        "quote": "no market selected", "inventory": "no market selected", "pnl": "no figures yet",
        "account": "no figures yet", "line": "no market that is made is selected",
    }  # fmt: skip
    for name, rows in drawn(None, None, width).items():
        assert words[name] in "\n".join(row.text for row in rows)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("text", HOSTILE, ids=HOSTILE_IDS)
def test_foreign_text_in_every_field_is_harmless(text, width):
    """Titles, reasons, evidence, notes, names of caps and words of relayers: none moves, hides or widens a line."""
    usual = a_full_market()
    orders = tuple(msgspec.structs.replace(order, reason=text, evidence=text) for order in usual.orders)
    layers = tuple(
        msgspec.structs.replace(layer, price_terms=((text, 10**9), ("x", 10**9)), binding=text, forbidden=text)
        for layer in usual.layers
    )
    market = msgspec.structs.replace(
        usual, title=text, blocked_by=text, bid_reason=text, ask_reason=text, profile=text, orders=orders,
        layers=layers, data=a_data(reason=text, repair=text, freshness_reason=text, doubt=text, doubt_s=1.0),
        adjustments=(an_adjustment(who=text),),
    )  # fmt: skip
    caps = tuple(msgspec.structs.replace(cap, name=text) for cap in some_caps())
    jobs = (a_job(state="mined", detail=text, by=text, route=text, transaction=text),)
    view = a_whole_view(market, caps=caps, account=an_account(jobs=jobs, trouble=text, jobs_note=text))
    for name, rows in drawn(market, view, width).items():
        for row in rows:
            assert cell_len(row.text) <= max(LEAST.get(name, 0), width), (name, row.text)
            assert row.text.isprintable(), (name, row.text)


def test_times_come_from_the_view():
    """The same view drawn twice is the same: no widget reads a clock."""
    view = a_whole_view(STATES["normal"], unix=NOON)
    assert drawn(STATES["normal"], view, 78) == drawn(STATES["normal"], view, 78)
