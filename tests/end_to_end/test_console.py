"""The program as an operator sees it: in a terminal, with keys, signals, a crash and a lost connection.

The exchange outlives the program, so that its ledger can be asked what the screen claims.
"""

import csv
import io
import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymm_tui.screens.question import ARMING_S
from tests.end_to_end.program import (
    Exchange,
    address_of,
    database,
    environment,
    exchange,
    live_environment,
    rows,
    wait_for,
    wait_for_orders,
)
from tests.end_to_end.terminal import Terminal, terminal

LIVE = ("--mode", "live")
AT_REST = "alternate_on=0 cursor_flag=1 mouse_any_flag=0 keypad_flag=0 keypad_cursor_flag=0 insert_flag=0"


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    """One exchange for all; every test trades with an account of its own."""
    with exchange("--seed", "7", "--markets", "3") as running:
        yield running


@pytest.fixture
def key() -> str:
    return "0x" + secrets.token_hex(32)


def clean(shown: Terminal) -> None:
    """The terminal is as it was."""
    before, after = shown.modes()
    assert before == after
    assert shown.state() == AT_REST
    assert "Markets" not in shown.screen()


def quoted(venue: Exchange, address: str) -> set[str]:
    """Markets in which an account has orders at the exchange."""
    ledger = venue.ledger()
    mine = {order for one in ledger["accounts"] if one["address"] == address for order in one["open_orders"]}
    return {order["market"] for order in ledger["orders"] if order["id"] in mine}


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_an_operators_day(tmp_path: Path, venue: Exchange, key: str, size: tuple[int, int]) -> None:
    """Start, pause, resume, cancel all, kill, quit: each key does at the exchange what the screen says."""
    env, address = live_environment(tmp_path, venue, key), address_of(key)

    def open_orders() -> list[str]:
        return venue.open_orders(address)

    with terminal(tmp_path, env, *LIVE, size=size) as shown:
        shown.wait_text("LIVE", "ACTIVE", "3 of 3 quoting")
        wait_for(lambda: len(open_orders()) >= 6, "orders at the exchange")

        shown.press("!")
        shown.wait_text("pause all")
        shown.press("p")
        shown.wait_text("PAUSED", "0 of 3 quoting", "orders 0")
        assert open_orders() == []

        shown.press("!", "r")
        shown.wait_text("will place", "of 3 markets")
        assert open_orders() == []
        time.sleep(2 * ARMING_S)  # a question takes no answer that was typed ahead
        shown.press("y")
        shown.wait_text("ACTIVE", "3 of 3 quoting")
        wait_for(lambda: len(open_orders()) >= 6, "orders after resuming")

        before = set(open_orders())
        shown.press("!", "x")
        wait_for(lambda: not before & set(open_orders()), "the end of every order there was")
        shown.wait_text("ACTIVE")

        shown.press("!", "k", "k")
        shown.wait_text("KILLED", "ZERO PROVEN")
        assert open_orders() == []
        assert b'"killed"' in (database(env, "live").parent / "kill.latch").read_bytes()
        shown.press("!", "r")
        shown.wait_text("Resume all", "will place 0 orders", "KILLED")
        shown.press("n")
        shown.wait_text("KILLED", "0 of 3 quoting")
        assert open_orders() == []

        assert shown.quit() == 10
        assert "polymm-tui: stopped (killed): zero open orders verified" in shown.screen()
        clean(shown)
    assert open_orders() == []


def test_pausing_one_market_leaves_the_others_alone(tmp_path: Path, venue: Exchange, key: str) -> None:
    """The key acts on the selected market: its orders go, the others' stay."""
    env = live_environment(tmp_path, venue, key)
    first = venue.market_ids()[0]

    def markets() -> set[str]:
        return quoted(venue, address_of(key))

    with terminal(tmp_path, env, *LIVE) as shown:
        shown.wait_text("3 of 3 quoting")
        wait_for(lambda: len(markets()) == 3, "orders in every market")
        shown.press("p")
        shown.wait_text("paused, cancelling")
        wait_for(lambda: first not in markets(), "the end of the selected market's orders")
        wait_for(lambda: len(markets()) == 2, "the others go on")
        assert shown.quit() == 0
        clean(shown)


def test_the_market_list_is_read_answered_and_mended_in_the_console(tmp_path: Path, venue: Exchange, key: str) -> None:
    """Cut, it waits and costs no quote; approved, markets leave; broken, nothing changes; whole again, all is made."""
    path = tmp_path / "markets.csv"
    whole = io.StringIO()
    csv.writer(whole).writerows(venue.sheet())
    path.write_text(whole.getvalue())
    env = live_environment(tmp_path, venue, key, POLYMM_MARKET_LIST=str(path))

    def markets() -> set[str]:
        return quoted(venue, address_of(key))

    with terminal(tmp_path, env, *LIVE) as shown:
        shown.wait_text("LIVE", "3 of 3 quoting")
        shown.press("l", "z")
        shown.wait_text("Market list 3, 3 made", str(path))

        path.write_text("\n".join(whole.getvalue().splitlines()[:2]))
        shown.press("L")
        shown.wait_text("▲ list: 2 changes wait", "A: approve; N: reject", "- remove", "3 made")
        assert len(markets()) == 3
        shown.press("A")
        shown.wait_text("Approve changes of the market list", "leave it waiting")
        time.sleep(2 * ARMING_S)  # a question takes no answer that was typed ahead
        shown.press("y")
        shown.wait_text("approved: 2 changes", "1 made")
        wait_for(lambda: "changes wait" not in shown.screen(), "the end of what waited")

        path.write_text("this is no list")
        shown.press("L")
        shown.wait_text("▲ list: not renewed", "trouble", "the list in force stays as it is", "1 made")

        path.write_text(whole.getvalue())
        shown.press("L")
        shown.wait_text("Market list 3, 3 made")
        wait_for(lambda: len(markets()) == 3, "orders in every market again")
        assert shown.quit() == 0
        clean(shown)
    assert venue.open_orders(address_of(key)) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_console_and_the_session_in_order(
    tmp_path: Path, venue: Exchange, key: str, number: signal.Signals
) -> None:
    """Textual by itself would leave orders open and the terminal in ruins."""
    env, address = live_environment(tmp_path, venue, key), address_of(key)
    with terminal(tmp_path, env, *LIVE, "--json") as shown:
        wait_for_orders(database(env, "live"))
        os.kill(wait_for(shown.find_program, "the program"), number)
        assert shown.wait_exit() == 0
        assert f"polymm-tui: stopped ({number.name}): zero open orders verified" in shown.screen()
        assert '"open_orders":0' in shown.screen().replace("\n", "")
        clean(shown)
    assert venue.open_orders(address) == []


def test_a_crash_of_a_widget_ends_in_order(tmp_path: Path, venue: Exchange, key: str) -> None:
    """The session must not go on trading without anybody watching, and says so with an exit code of its own."""
    env, address = live_environment(tmp_path, venue, key), address_of(key)
    with terminal(tmp_path, env, *LIVE, program=str(Path(__file__).with_name("crash_a_widget.py"))) as shown:
        assert shown.wait_exit() == 15
        verdict = "polymm-tui: stopped (console crashed): zero open orders verified (the console crashed)"
        assert verdict in shown.screen().replace("\n", "")
        clean(shown)
    assert venue.open_orders(address) == []
    assert rows(database(env, "live"), "SELECT * FROM orders WHERE order_id != ''")


def test_a_lost_terminal_ends_in_order(tmp_path: Path, venue: Exchange, key: str) -> None:
    """A connection breaks: nobody reads the last line, but the orders are gone and the books are closed."""
    env, address = live_environment(tmp_path, venue, key), address_of(key)
    path = database(env, "live")
    with terminal(tmp_path, env, *LIVE) as shown:
        wait_for_orders(path)
        shown.tmux("kill-session", "-t", "e2e")
        wait_for(lambda: rows(path, "SELECT * FROM sessions WHERE ended_unix > 0"), "the end of the session")
    [session] = rows(path, "SELECT * FROM sessions")
    assert (session["exit_reason"], session["open_orders_verified"]) == ("SIGHUP", 1)
    assert venue.open_orders(address) == []


@pytest.mark.parametrize("sign", ["lock", "screen"])
def test_a_signal_while_the_console_starts_leaves_the_terminal_as_it_was(tmp_path: Path, sign: str) -> None:
    """When the directory has just been claimed, and when the screen has just been switched: both end in order."""
    env = environment(tmp_path)
    lock = database(env).with_name("lock")
    with terminal(tmp_path, env) as shown:
        wait_for(lambda: lock.exists() if sign == "lock" else "alternate_on=1" in shown.state(), sign)
        os.kill(wait_for(shown.find_program, "the program"), signal.SIGTERM)
        assert shown.wait_exit() in (0, 128 + signal.SIGTERM)
        assert "Traceback" not in shown.screen()
        clean(shown)


def test_the_demo_is_what_starts_without_configuration(tmp_path: Path) -> None:
    """No file, no flag: the demo's screen, and the keys leave it."""
    env = environment(tmp_path)
    with terminal(tmp_path, env, size=(80, 24)) as shown:
        shown.wait_text("DEMO", "4 of 4 quoting")
        assert shown.quit() == 0
        assert "polymm-tui: stopped (quit): zero open orders verified" in shown.screen()
        clean(shown)
