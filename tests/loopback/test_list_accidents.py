"""An hour of accidents with the market list: a real sheet client, session and exchange on one clock that jumps.

Issue 9: a scripted hour of sheet accidents cancels nothing it should not, and ends with the right list.
"""

import json
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import pytest

from core.clock import ManualClock
from core.events import Event, MarketListed, OperatorCommand
from core.exchange import auth as auth_module
from core.exchange.api import host as host_module
from core.exchange.api.server import RunningExchange, build_host
from core.exchange.sheets.cells import Cell
from core.exchange.sheets.spreadsheet import TAB, market_rows
from core.runtime import courier, guard, heartbeat, journaling, vital_signs
from core.runtime import session as session_module
from core.selection.kept import load
from core.selection.listed import COLUMNS, OPTIONAL_COLUMNS
from core.units import MICRO
from core.views import ListView
from tests.loopback.dealings import CASH, MEMORY, Dealings
from tests.loopback.jumping import jumping_runner
from tests.loopback.pauses import seldom_looks

REFRESH_SEC: Final = 40.0
HEAD: Final = [*COLUMNS, *OPTIONAL_COLUMNS]
LIQUIDITY, ENABLED, MAX_USD, NOTE = (
    HEAD.index("Liquidity"),
    HEAD.index("enabled"),
    HEAD.index("max_usd"),
    HEAD.index("note"),
)
UGLY: Final = "\x1b[2J[@click=app.quit]\u202e=1+1"
Rows = list[list[Cell]]


class Yard:
    """A session whose markets a sheet names, and the sheet."""

    def __init__(self, dealings: Dealings) -> None:
        self.dealings = dealings
        self.session = dealings.session
        self.book = dealings.host.spreadsheet
        self.all = market_rows(dealings.exchange)
        """A row for each market of the exchange."""
        self.drained: list[MarketListed] = []
        """Every word to the engine that a market is to be drained."""
        emit = self.session.emit_quietly

        def watched(event: Event) -> None:
            if isinstance(event, MarketListed) and event.drain:
                self.drained.append(event)
            emit(event)

        self.session.emit_quietly = watched  # type: ignore[method-assign]

    def rows(self, *numbers: int) -> Rows:
        return [list(self.all[n]) for n in numbers]

    def market(self, n: int) -> str:
        return str(self.all[n][0])

    def write(self, rows: Sequence[Sequence[Cell]], head: Sequence[Cell] = HEAD, *, by_hand: bool = False) -> None:
        """Replace what the sheet holds."""
        self.book.write([head, *rows], by_hand=by_hand)

    async def readings(self, count: int) -> None:
        """Let the list be read so often, and what follows be done."""
        await self.dealings.pass_time(REFRESH_SEC * count)

    @property
    def view(self) -> ListView:
        view = self.session._publish().market_list
        assert view is not None
        return view

    def made(self) -> set[str]:
        return {each.market for each in self.view.markets if each.standing == "made"}

    def alarms(self) -> list[str]:
        return self.texts("alarm")

    def resting(self) -> dict[str, set[str]]:
        """Orders of ours in the book, by market."""
        found: dict[str, set[str]] = {}
        for order in self.dealings.resting():
            found.setdefault(order.new.market, set()).add(order.new.order_id)
        return found

    async def until_quoting(self, *numbers: int) -> None:
        """Let time pass until orders rest in these markets and in no others."""
        wanted = {self.market(n) for n in numbers}
        await self.dealings.until(lambda: set(self.resting()) == wanted, f"other markets are quoted than {numbers}")

    def texts(self, severity: str) -> list[str]:
        return [event.text for event in self.session._events if event.severity == severity]

    def act(self, act: Any, confirm: str = "") -> None:
        assert self.session.command(OperatorCommand(act=act, confirm=confirm)).done


@contextmanager
def hours() -> Iterator[None]:
    """Have tasks look once a second whether something is due: an hour has many looks (:func:`seldom_looks`)."""
    looks = ((guard, "LOOK_SEC"), (heartbeat, "LOOK_SEC"), (courier, "LOOK_SEC"), (vital_signs, "LOOK_SEC"))
    with ExitStack() as stack:
        for module, name in (*looks, (journaling, "FLUSH_SEC")):
            stack.enter_context(patch.object(module, name, 1.0))
        stack.enter_context(patch.object(host_module, "PULSE_MS", 1_000))
        yield


def play(
    *scenes: Callable[[Yard], Coroutine[Any, Any, None]], markets: int = 6, listed: int = 5, **settings: Any
) -> None:
    """Play scenes, each with a session of its own that begins in the same place, at one exchange.

    Args:
        scenes: what happens once the session runs.
        markets: of the exchange.
        listed: how many of them the sheet names at first.
        settings: of the sessions.
    """
    clock = ManualClock(unix=time.time())

    async def whole(root: Path) -> None:
        host = build_host(seed=1, markets=markets, auto_cash=CASH, profile="lively", paused=True, clock=clock)
        async with RunningExchange(host) as running:
            key_file = root / "service-account.json"
            key_file.write_text(json.dumps(host.accounts.file(f"{running.urls['sheets_url']}/token")))
            key_file.chmod(0o600)
            host.spreadsheet.write([HEAD, *market_rows(host.exchange)[:listed]])
            chosen: dict[str, Any] = {
                "markets": (), "spreadsheet_url": host.spreadsheet.url, "google_credentials": str(key_file),
                "list_refresh_sec": REFRESH_SEC, "list_deadline_sec": 1.0, "order_max_age_sec": 3_600.0,
            }  # fmt: skip
            for scene in scenes:
                dealings = Dealings(root, clock, running, **{**chosen, **settings})
                yard = Yard(dealings)
                await dealings.begin()
                try:
                    await scene(yard)
                finally:
                    outcome = await dealings.end()
                assert (outcome.exit_code, outcome.verified) == (0, True), outcome.sentence

    with (
        TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as root,
        jumping_runner(clock) as runner,
        seldom_looks(lively=False),
        patch.object(session_module, "VIEW_SEC", 5.0),
        patch.object(session_module, "EVENTS_KEPT", 5_000),
        hours(),
        patch.object(auth_module, "CLOCK_SLACK_S", 10_000),  # the official client stamps with the machine's clock
    ):
        runner.run(whole(Path(root)))


def accidents(yard: Yard) -> dict[str, tuple[Callable[[], None], str]]:
    """What happens to a sheet of five markets, and what is said of it: a trouble, what waits, or which rows."""
    whole = yard.rows(0, 1, 2, 3, 4)
    renamed = ["market" if name == "market_id" else name for name in HEAD]

    def edited(n: int, column: int, cell: Cell) -> Rows:
        rows = [list(each) for each in whole]
        rows[n][column] = cell
        return rows

    def edited_all(column: int, cell: Cell) -> Rows:
        return [[*each[:column], cell, *each[column + 1 :]] for each in whole]

    def swapped() -> Rows:
        rows = [list(each) for each in whole]
        rows[2][1], rows[2][2] = rows[2][2], rows[2][1]
        return rows

    def mangled() -> None:
        yard.write([[each[0], str(each[1]), str(each[2]), *each[3:]] for each in whole], by_hand=True)

    def moved() -> None:
        yard.book.tabs["Old Markets"] = yard.book.tabs.pop(TAB)

    def fault(what: str) -> Callable[[], None]:
        return lambda: yard.dealings.arm(f'do = "sheet"\nwhat = "{what}"\ncount = 2')

    many: Rows = [[f"0x{n:064x}", str(2 * n), str(2 * n + 1), *whole[0][3:]] for n in range(10_000)]
    return {
        "only the header": (lambda: yard.write([]), "trouble: empty"),
        "nothing at all": (lambda: yard.book.write([]), "trouble: "),
        "half of it": (lambda: yard.write(whole[:2]), "waits: 3 of 5 markets would leave"),
        "one row of it": (lambda: yard.write(whole[:1]), "waits: 4 of 5 markets would leave"),
        "all switched off": (lambda: yard.write(edited_all(ENABLED, False)), "waits: 5 of 5"),
        "a header renamed": (lambda: yard.write(whole, renamed), "trouble: market_id"),
        "a header missing": (lambda: yard.write([each[1:] for each in whole], HEAD[1:]), "trouble: market_id"),
        "headers in other order": (lambda: yard.write([each[::-1] for each in whole], HEAD[::-1]), "well"),
        "ids as numbers": (mangled, "trouble: "),
        "one id as a number": (lambda: yard.write(edited(1, 1, 1.23e76)), "rows: plain text"),
        "rows repeated": (lambda: yard.write([*whole, *whole]), "rows: "),
        "a market twice, in two ways": (lambda: yard.write([*whole, *edited(0, LIQUIDITY, 5)[:1]]), "rows: "),
        "the tab renamed": (moved, "trouble: "),
        "ten thousand rows": (lambda: yard.write(many), "trouble: 10000"),
        "formula errors": (lambda: yard.write(edited(3, LIQUIDITY, "#REF!")), "rows: #REF!"),
        "a formula for an id": (lambda: yard.write(edited(3, 0, "#N/A")), "waits: cannot be used: row 5"),
        "negative liquidity": (lambda: yard.write(edited(3, LIQUIDITY, -5)), "rows: "),
        "control characters and markup": (lambda: yard.write(edited(4, NOTE, UGLY)), "well"),
        "swapped tokens": (lambda: yard.write(swapped()), "stays: other token ids"),
        "limits gone with their column": (
            lambda: yard.write(whole, ["most" if name == "max_usd" else name for name in HEAD]), "waits: limits would",
        ),
        "403": (fault("denied"), "trouble: 403"),
        "404": (fault("missing"), "trouble: 404"),
        "429": (fault("quota"), "trouble: 429"),
        "401": (fault("unauthenticated"), "trouble: 401"),
        "503": (fault("unavailable"), "trouble: 503"),
        "no answer": (
            lambda: yard.dealings.arm('do = "blackhole"\nrequest = "GET /sheets/*"\nfor = 100'), "trouble: ",
        ),
    }  # fmt: skip


@pytest.mark.timeout(600)
def test_an_hour_of_accidents_cancels_nothing_and_ends_with_the_right_list() -> None:
    """Each accident stands for two readings, and for one the list is well again; then it changes on purpose."""

    async def scene(yard: Yard) -> None:
        began_s = yard.dealings.clock.monotonic()
        await yard.until_quoting(0, 1, 2, 3, 4)
        limited = yard.rows(0, 1, 2, 3, 4)
        limited[0][MAX_USD] = 900
        yard.all[0] = limited[0]
        yard.write(limited)
        await yard.readings(1)
        at_first, made = yard.resting(), yard.made()
        assert len(made) == len(at_first) == 5

        for name, (happens, expected) in accidents(yard).items():
            alarms = len(yard.alarms())
            happens()
            await yard.readings(2)
            kind, _, words = expected.partition(": ")
            view = yard.view
            assert yard.made() == made, name
            assert bool(view.trouble) == (kind == "trouble"), f"{name}: {view.trouble}"
            assert (view.proposal is not None) == (kind == "waits"), f"{name}: {view.proposal}"
            match kind:
                case "trouble":
                    assert words in view.trouble, f"{name}: {view.trouble}"
                case "waits":
                    assert view.proposal is not None and words in view.proposal.why, f"{name}: {view.proposal}"
                case "rows":
                    told = " ".join(each.reason + each.value for each in view.rejected)
                    assert view.rejected and words in told, f"{name}: {told}"
                case "stays":
                    assert any(words in event.text for event in yard.session._events), name
            expected_alarms = 1 if kind in ("trouble", "waits") else 0
            assert len(yard.alarms()) - alarms == expected_alarms, f"{name}: {yard.alarms()[alarms:]}"
            yard.book.tabs.pop("Old Markets", None)
            yard.write(yard.rows(0, 1, 2, 3, 4))
            await yard.readings(1)
            view = yard.view
            assert (view.trouble, view.proposal, view.rejected) == ("", None, ()), name
            assert yard.resting() == at_first, f"{name}: an order was touched"
        assert yard.drained == []

        # rows that are being moved: cut at one reading, pasted elsewhere before the next
        for n in range(5):
            rows = yard.rows(*(k for k in range(5) if k != n))
            yard.write(rows)
            await yard.readings(1)
            yard.write([*yard.rows(n), *rows])
            await yard.readings(1)
        assert yard.resting() == at_first and yard.drained == []

        # a market leaves on purpose, and one is added
        yard.write(yard.rows(0, 1, 2, 3, 5))
        await yard.readings(3)
        assert [event.market for event in yard.drained] == [yard.market(4)] and yard.drained[0].retires
        await yard.dealings.until(lambda: yard.market(5) in yard.resting(), "the new market is not quoted")
        now = yard.resting()
        assert {market: orders for market, orders in now.items() if market != yard.market(5)} == {
            market: orders for market, orders in at_first.items() if market != yard.market(4)
        }, "only the orders of the market that left were cancelled"
        await yard.dealings.until(lambda: yard.market(4) not in yard.session.engine.desks, "it was never let go of")
        assert yard.market(4) not in {each.market for each in yard.view.markets}

        # more than may leave by themselves: shown, approved, done
        yard.write(yard.rows(0, 5))
        await yard.readings(2)
        proposal = yard.view.proposal
        assert proposal is not None and {line.market for line in proposal.lines} == {yard.market(n) for n in (1, 2, 3)}
        assert yard.resting() == now
        yard.act("list_approve", proposal.token)
        await yard.dealings.until(lambda: len(yard.session.engine.desks) == 2, "they were never let go of")
        await yard.readings(1)
        assert yard.made() == {yard.market(0), yard.market(5)} == set(yard.session.engine.desks)
        assert set(yard.resting()) == yard.made() and yard.resting()[yard.market(0)] == at_first[yard.market(0)]
        kept = load(yard.session.places.market_list)
        assert kept is not None and [entry.row.market for entry in kept.listed] == [yard.market(0), yard.market(5)]
        assert kept.leaving == () and kept.proposal is None
        tokens = set(yard.session._tokens())
        assert set(yard.session._feeds.market._carriers) == tokens, "what is no longer made is not heard"  # type: ignore[union-attr]
        assert yard.dealings.clock.monotonic() - began_s > 3_600

    play(scene)


def test_a_session_without_its_sheet_makes_the_last_list_and_drains_what_was_leaving() -> None:
    """Shares of the market that left are still held when the next session begins, and the sheet cannot be read."""

    async def first(yard: Yard) -> None:
        await yard.until_quoting(0, 1, 2, 3)
        orders = [o for o in yard.dealings.resting() if o.new.market == yard.market(3) and o.new.outcome == "YES"]
        bid = next(order for order in orders if order.new.side == "BUY")
        yard.dealings.take(bid, bid.remaining / MICRO)
        await yard.dealings.until(lambda: yard.dealings.held()[yard.market(3)] != (0, 0), "it was never filled")
        yard.write(yard.rows(0, 1, 2))
        await yard.readings(3)
        assert [event.market for event in yard.drained] == [yard.market(3)]
        await only_reduces(yard, 3)

    async def only_reduces(yard: Yard, n: int) -> None:
        """Whatever rests in a market that leaves makes its position smaller."""
        yes, no = yard.dealings.held()[yard.market(n)]
        assert (yes, no) != (0, 0) and yard.market(n) in yard.session.engine.desks
        for order in yard.dealings.resting():
            if order.new.market == yard.market(n):
                sells_yes = (order.new.outcome, order.new.side) in (("YES", "SELL"), ("NO", "BUY"))
                assert sells_yes == (yes > no), order

    async def second(yard: Yard) -> None:
        await yard.dealings.until(lambda: len(yard.resting()) >= 3, "nothing is quoted")
        assert len(yard.session.engine.desks) == 4
        assert "403" in yard.view.trouble and len(yard.alarms()) == 1
        shown = next(each for each in yard.view.markets if each.market == yard.market(3))
        assert shown.standing == "draining" and "off the market list" in shown.reason and "YES held" in shown.reason
        await only_reduces(yard, 3)
        asks = [order for order in yard.dealings.resting() if order.new.market == yard.market(3)]
        for ask in asks:
            yard.dealings.take(ask, ask.remaining / MICRO)
        await yard.dealings.until(lambda: len(yard.session.engine.desks) == 3, "it was never let go of")
        kept = load(yard.session.places.market_list)
        assert kept is not None and kept.leaving == ()

    async def lost(yard: Yard) -> None:
        yard.dealings.arm('do = "sheet"\nwhat = "denied"\nfor = 10000')
        await second(yard)

    play(first, lost, listed=4)


@pytest.mark.parametrize("request_", ["GET /gamma/*", "GET /clob-markets/*"])
def test_a_source_that_is_out_at_a_refresh_changes_nothing_and_is_one_notice(request_: str) -> None:
    """A market that was added meanwhile is made once both answer again."""

    async def scene(yard: Yard) -> None:
        await yard.until_quoting(0, 1, 2)
        at_first = yard.resting()
        yard.dealings.arm(f'do = "http"\nrequest = "{request_}"\nstatus = 500\nfor = {REFRESH_SEC * 4}')
        yard.write(yard.rows(0, 1, 2, 3))
        await yard.readings(3)
        assert yard.resting() == at_first and "cannot be looked at" in yard.view.trouble
        assert len([text for text in yard.texts("warning") if "cannot be looked at" in text]) == 1
        assert yard.drained == [] and yard.alarms() == []
        await yard.readings(3)
        assert yard.view.trouble == ""
        await yard.until_quoting(0, 1, 2, 3)
        assert {market: orders for market, orders in yard.resting().items() if market != yard.market(3)} == at_first

    play(scene, listed=3)


def test_a_market_that_the_exchange_does_not_know_yet_is_made_when_it_does() -> None:
    """reliability.md D11; and a made one is not touched by it."""

    async def scene(yard: Yard) -> None:
        await yard.until_quoting(0, 1, 2)
        at_first = yard.resting()
        for n in (0, 3):
            yard.dealings.arm(f'do = "disagree"\nmarket = {n}\nwhat = "hydrating"\nsource = "clob"\nfor = 100')
        yard.write(yard.rows(0, 1, 2, 3))
        await yard.readings(2)
        shown = next(each for each in yard.view.markets if each.market == yard.market(3))
        assert shown.standing == "refused" and "not known to it yet" in shown.reason
        assert yard.resting() == at_first and yard.drained == []
        await yard.readings(2)
        await yard.until_quoting(0, 1, 2, 3)

    play(scene, listed=3)


def test_what_the_venue_changes_of_a_made_market_is_traded_by_from_the_next_look_on() -> None:
    """A fee that the exchange raised and an end that was moved: told, traded by, and undone with the next word."""

    async def scene(yard: Yard) -> None:
        await yard.until_quoting(0, 1)
        desks = yard.session.engine.desks
        first, second = (desks[yard.market(n)] for n in (0, 1))
        ends, fees, books = first.instrument.end_unix, second.instrument.fees, (first.tracked, second.tracked)
        gaps, lasts = (first.tracked.gaps, second.tracked.gaps), 2.5 * REFRESH_SEC
        yard.dealings.arm(
            f'do = "disagree"\nmarket = "{yard.market(0)}"\nsource = "gamma"\nwhat = "ended"\nfor = {lasts}',
            f'do = "disagree"\nmarket = "{yard.market(1)}"\nsource = "clob"\nwhat = "fee"\nfor = {lasts}',
        )
        await yard.readings(2)
        assert first.posture is not None and first.posture.schedule.phase == "overdue"
        assert fees is not None and second.instrument.fees is not None
        assert second.instrument.fees.rate > fees.rate
        assert any("the venue has changed it: end " in text and "GMT" in text for text in yard.texts("warning"))
        await yard.readings(2)
        assert (first.instrument.end_unix, second.instrument.fees) == (ends, fees)
        assert first.posture.schedule.phase != "overdue" and set(desks.values()) == {first, second}
        assert (first.tracked, second.tracked) == books and (first.tracked.gaps, second.tracked.gaps) == gaps
        assert sum("the venue has changed it: taker fee rate" in text for text in yard.texts("info")) == 2
        await yard.until_quoting(0, 1)

    play(scene, markets=2, listed=2)
