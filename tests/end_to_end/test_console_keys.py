"""An operator's keys at three sizes, each with its effect at the exchange: the real program in a real terminal.

The exchange outlives the program: what the screen claims is compared with the exchange's own ledger.
"""

import re
import secrets
import time
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from polymm_tui.screens.question import ARMING_S
from tests.end_to_end.program import Exchange, address_of, environment, exchange, live_environment, wait_for
from tests.end_to_end.terminal import Terminal, terminal

LIVE = ("--mode", "live")
SIZES = [(80, 24), (120, 36), (200, 60)]
BEATS = """
[[fault]]
do = "slow"
on = "request:POST /v1/heartbeats"
times = "always"
ms = 1
"""
"""Slows heartbeats by nothing to speak of, so that the log of faults tells when each came."""
BEAT_GAP_S = 10.0
"""Silence after which the venue cancels everything."""
ROW = re.compile(r"│›[^│]*?(bid|ask)\s+([\d.]+)\s+\S*/([\d,]+)\s+(\d)")
"""The order under the cursor: side, price in cents, size in shares, layer."""


class Quote(NamedTuple):
    """An order as the exchange has it, told of the YES token."""

    order_id: str
    side: str
    cents: Decimal
    shares: Decimal
    outcome: str


class Account:
    """What the exchange knows of the account that the program trades with."""

    def __init__(self, venue: Exchange, key: str) -> None:
        self.venue = venue
        self._address = address_of(key)

    def quotes(self, market: str = "") -> list[Quote]:
        """Its open orders, of one market or of all."""
        return [_quote(order) for order in self._open() if market in ("", order["market"])]

    def ids(self, market: str = "") -> set[str]:
        """Their ids."""
        return {quote.order_id for quote in self.quotes(market)}

    def spread(self, market: str) -> Decimal:
        """Cents between its best bid and its best ask; below 0 while one of them is missing."""
        quotes = self.quotes(market)
        bids = [quote.cents for quote in quotes if quote.side == "bid"]
        asks = [quote.cents for quote in quotes if quote.side == "ask"]
        return min(asks) - max(bids) if bids and asks else Decimal(-1)

    def net(self, market: str) -> Decimal:
        """YES less NO shares, by every trade it had a part in."""
        net = Decimal()
        for trade in self.venue.ledger()["trades"]:
            for leg in (trade["taker"], *trade["makers"]):
                if trade["market"] == market and leg["account"].lower() == self._address.lower():
                    is_up = (leg["outcome"] == "YES") == (leg["side"] == "BUY")
                    net += Decimal(leg["size"]) * (1 if is_up else -1)
        return net

    def received(self) -> int:
        """Orders that ever came in from it."""
        address = self._address.lower()
        return sum(order["account"].lower() == address for order in self.venue.ledger()["orders"])

    def _open(self) -> list[dict[str, Any]]:
        ledger = self.venue.ledger()
        mine = {order for one in ledger["accounts"] if one["address"] == self._address for order in one["open_orders"]}
        return [order for order in ledger["orders"] if order["id"] in mine]


def _quote(order: dict[str, Any]) -> Quote:
    price, is_yes = Decimal(order["price"]) * 100, order["outcome"] == "YES"
    side = "bid" if (order["side"] == "BUY") == is_yes else "ask"
    return Quote(order["id"], side, price if is_yes else 100 - price, Decimal(order["size"]), order["outcome"])


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """One exchange for all; every test trades with an account of its own."""
    with exchange("--seed", "7", "--markets", "3") as running:
        running.add_faults(BEATS)
        yield running


@pytest.fixture
def key() -> str:
    return "0x" + secrets.token_hex(32)


def answer(shown: Terminal, reply: str) -> None:
    """Answer the question that has just appeared."""
    time.sleep(2 * ARMING_S)  # a question takes no answer that was typed ahead
    shown.press(reply)


def beats(venue: Exchange) -> list[float]:
    """When heartbeats came, in seconds of the exchange."""
    rules = venue.faults()
    [mine] = [rule["number"] for rule in rules["rules"] if rule["do"] == "slow"]
    return [line["at_ms"] / 1000 for line in rules["log"] if line["rule"] == mine]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_each_key_does_at_the_exchange_what_the_screen_says(
    tmp_path: Path, venue: Exchange, key: str, size: tuple[int, int]
) -> None:
    """Pause, widen, cancel one, cancel a market, flatten, kill, re-arm: one operator's half hour at one size."""
    account, market = Account(venue, key), venue.market_ids()[0]
    with terminal(tmp_path, live_environment(tmp_path, venue, key), *LIVE, size=size) as shown:
        shown.wait_text("[LIVE]", "ACTIVE", "3 of 3 quoting")
        wait_for(lambda: len(account.ids()) >= 6, "orders at the exchange")
        _pause_and_resume(shown, account, market)
        _widen_and_reset(shown, account, market)
        _cancel_one(shown, account)
        _cancel_market(shown, account, market)
        _flatten(shown, account, market)
        _kill_and_rearm(shown, account)
        assert shown.quit() == 0
    assert account.ids() == set()


def _pause_and_resume(shown: Terminal, account: Account, market: str) -> None:
    """The selected market's orders go and the others' stay; resuming asks first, and brings them back."""
    shown.press("p")
    shown.wait_text("2 of 3 quoting", "paused")
    wait_for(lambda: not account.ids(market), "the end of the paused market's orders")
    wait_for(lambda: account.ids(), "the orders of the others")
    shown.press("r")
    shown.wait_text("Resume", "will place", "leave as it is")
    assert not account.ids(market)
    answer(shown, "y")
    shown.wait_text("3 of 3 quoting")
    wait_for(lambda: len(account.ids(market)) >= 2, "orders after resuming")


def _widen_and_reset(shown: Terminal, account: Account, market: str) -> None:
    """Ten ticks a side stand further apart at the exchange, and the page of reasons says who did it."""
    wait_for(lambda: account.spread(market) > 0, "quotes on both sides")
    before = account.spread(market)
    shown.press(*["w"] * 10)
    wait_for(lambda: account.spread(market) >= before + 14, "wider quotes at the exchange")
    shown.press("6")
    shown.wait_text("half-spread +10 ticks (operator)", "operator width", "−10.00")
    shown.press("R")
    wait_for(lambda: 0 < account.spread(market) < before + 14, "quotes at their width again")
    shown.press("1")


def _cancel_one(shown: Terminal, account: Account) -> None:
    """The order under the cursor goes and no other one, on a market that stands still."""
    venue = account.venue
    venue.admin("pause_participants", {"paused": True})
    try:
        wait_for(lambda: _still(account), "quotes that stay as they are")
        shown.press("3", "Down", "Down")
        place = wait_for(lambda: ROW.search(shown.screen()), "a cursor on an order")
        side, cents, shares = place[1], Decimal(place[2]), Decimal(place[3].replace(",", ""))
        quotes = account.quotes()
        of_it = [quote for quote in quotes if (quote.side, quote.cents) == (side, cents)]
        meant = [quote for quote in of_it if abs(quote.shares - shares) < 1]
        assert len(meant) == 1, f"{place[0]}: {sorted(quotes)}"
        shown.press("x")
        wait_for(lambda: meant[0].order_id not in account.ids(), f"the end of {meant[0]}")
        shown.press("4")
        shown.wait_text("cancel order: 1 cancelled")  # whatever else goes was quoted anew by the model
        shown.press("1")
    finally:
        venue.admin("pause_participants", {"paused": False})


def _still(account: Account) -> bool:
    """No order comes or goes for a second."""
    before = account.ids()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        if account.ids() != before:
            return False
        time.sleep(0.1)
    return len(before) >= 6


def _cancel_market(shown: Terminal, account: Account, market: str) -> None:
    """Every order of the selected market goes; it is quoted on with new ones."""
    before = account.ids(market)
    shown.press("X")
    wait_for(lambda: not before & account.ids(market), "the end of every order of the market")
    wait_for(lambda: len(account.ids(market)) >= 2, "new quotes")
    shown.wait_text("3 of 3 quoting")


def _flatten(shown: Terminal, account: Account, market: str) -> None:
    """A position is asked about with its cost, and worked at the exchange until it is gone."""
    venue = account.venue
    venue.admin("pause_participants", {"paused": True})
    try:
        while abs(account.net(market)) < 100:
            venue.admin("trade", {"market": market, "outcome": "YES", "side": "SELL", "size": 1_000})
        wait_for(lambda: _still(account), "quotes that stay as they are")
        wait_for(lambda: _asks_to_flatten(shown), "a question about the position")
        shown.wait_text("Flatten", "at worst")
        answer(shown, "y")
        shown.wait_text("flattening")

        def is_closed() -> bool:
            left = account.net(market)
            if abs(left) >= 1:
                side = "SELL" if left < 0 else "BUY"
                venue.admin("trade", {"market": market, "outcome": "YES", "side": side, "size": 200})
            return abs(account.net(market)) < 5

        wait_for(is_closed, "the end of the position", patience_s=60)
        shown.press("f")
    finally:
        venue.admin("pause_participants", {"paused": False})


def _asks_to_flatten(shown: Terminal) -> bool:
    """Press the key; what is not settled or proven yet is refused, and tried again."""
    shown.press("F")
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        if "keep the position" in shown.screen():
            return True
        time.sleep(0.05)
    return False


def _kill_and_rearm(shown: Terminal, account: Account) -> None:
    """KILL leaves nothing at the exchange; the palette finds the way back, which wants a word and a reason."""
    shown.press("!", "k", "k")
    shown.wait_text("KILLED", "ZERO PROVEN")
    assert account.ids() == set()
    shown.press("C-p")
    shown.wait_text("🔎")
    shown.press("-l", "re-arm")
    shown.wait_text("app: re-arm")
    shown.press("Enter")
    shown.wait_text("Re-arm", "REARM to let the session quote again")
    assert account.ids() == set()
    shown.press("-l", "REARM")
    shown.press("Tab")
    shown.press("-l", "a test of it")
    shown.press("Enter")
    shown.wait_text("ACTIVE")
    wait_for(lambda: len(account.ids()) >= 4, "orders after the kill")


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_help_lists_every_key_and_closes(tmp_path: Path, size: tuple[int, int]) -> None:
    """An operator who knows only the question mark finds the way; another key leaves."""
    with terminal(tmp_path, environment(tmp_path), "--seed", "3", size=size) as shown:
        shown.wait_text("DEMO", "4 of 4 quoting")
        shown.press("?")
        pages = [shown.wait_text("Keys", "What every key does now.")]
        while (place := re.search(r"–(\d+) of (\d+)", pages[-1])) and place[1] != place[2]:
            shown.press("PageDown")
            wait_for(lambda: f"–{place[1]} of" not in shown.screen(), "the next page of the help")
            pages.append(shown.screen())
        told = "\n".join(pages)
        for word in ("pause", "widen", "cancel order", "cancel market", "flatten…", "KILL", "why", "quit", "palette"):
            assert f" {word} " in told, word
        shown.press("Escape")
        wait_for(lambda: "─ Keys ─" not in shown.screen(), "the end of the help")
        assert shown.quit() == 0


def test_the_layout_follows_the_terminal(tmp_path: Path) -> None:
    """Larger, smaller than anything, and back: the strip stays, no line is torn, and keys go on working."""
    with terminal(tmp_path, environment(tmp_path), "--seed", "3", size=(200, 60)) as shown:
        shown.wait_text("DEMO", "4 of 4 quoting", "[4] Events")
        for width, height in ((80, 24), (60, 15), (120, 36), (40, 8), (200, 60), (80, 24)):
            shown.resize(width, height)
            wait_for(lambda size=(width, height): _fits(shown, *size), f"a page of {width}x{height}")
            screen = shown.wait_text("ACTIVE")
            assert ("[2]" in screen) == (width >= 120 and height >= 36), screen
        shown.press("p")
        shown.wait_text("3 of 4 quoting")
        shown.press("?")
        shown.wait_text("Keys")
        shown.resize(120, 36)
        shown.wait_text("Keys", "DEMO")
        shown.press("Escape")
        wait_for(lambda: "─ Keys ─" not in shown.screen(), "the end of the help")
        shown.wait_text("[2]", "[1] Markets")
        assert shown.quit() == 0


def _fits(shown: Terminal, width: int, height: int) -> bool:
    """The page has been drawn at a size: its right border is in the last column, or it says that there is no room."""
    lines = shown.screen().splitlines()
    if not lines or "DEMO" not in lines[0] or max(map(len, lines)) > width:
        return False  # what was drawn for another size still stands
    if width < 70:
        return f"{width}x{height} is too small" in "\n".join(lines)
    return len(lines) == height and any(len(line) == width and line[-1] in "╮│╯" for line in lines)


def test_ctrl_s_held_stops_nothing(tmp_path: Path, venue: Exchange, key: str) -> None:
    """The key that freezes a terminal's output is a key like others: heartbeats and requotes go on, the screen too."""
    account = Account(venue, key)
    with terminal(tmp_path, live_environment(tmp_path, venue, key), *LIVE) as shown:
        shown.wait_text("[LIVE]", "3 of 3 quoting")
        wait_for(lambda: len(account.ids()) >= 6, "orders at the exchange")
        beats_before, received = len(beats(venue)), account.received()
        clock = _clock(shown)

        def is_over() -> bool:
            shown.press(*["C-s"] * 20)
            return len(beats(venue)) >= beats_before + 3 and account.received() >= received + 5

        wait_for(is_over, "heartbeats and requotes under Ctrl+S", patience_s=45)
        came = beats(venue)[beats_before - 1 :]
        assert max(later - earlier for earlier, later in pairwise(came)) < BEAT_GAP_S
        wait_for(lambda: _clock(shown) != clock, "a clock that goes on")
        shown.press("p")
        shown.wait_text("2 of 3 quoting", "paused")
        assert shown.quit() == 0
    assert account.ids() == set()


def _clock(shown: Terminal) -> str:
    """The session's clock in the strip."""
    found = re.search(r"\d\d:\d\d:\d\d UTC", shown.screen())
    return found[0] if found else ""


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nothing_is_done_by_a_question_that_was_declined(
    tmp_path: Path, venue: Exchange, key: str, size: tuple[int, int]
) -> None:
    """Escape leaves every question with all as it was, and the keys of the page do nothing while it stands."""
    account = Account(venue, key)
    with terminal(tmp_path, live_environment(tmp_path, venue, key), *LIVE, size=size) as shown:
        shown.wait_text("[LIVE]", "3 of 3 quoting")
        wait_for(lambda: len(account.ids()) >= 6, "orders at the exchange")
        shown.press("q")
        shown.wait_text("stop and quit")
        shown.press("p", "X", "w", "Escape")
        shown.wait_text("3 of 3 quoting")
        shown.press("!", "k")
        shown.wait_text("KILL")
        shown.press("Escape")
        wait_for(lambda: "KILL" not in shown.screen(), "the end of the first half of KILL")
        shown.wait_text("ACTIVE", "3 of 3 quoting")
        assert len(account.ids()) >= 6
        assert shown.quit() == 0
