"""What a session answers to other programs: acts reach the engine as the console's do, or are refused with a reason."""

from typing import Any

import msgspec
import pytest

from core.clock import ManualClock
from core.events import OperatorCommand
from core.runtime.answering import Answering
from core.runtime.control_socket import ANSWER_SEC, WHO, Act, Done, Explain, ListAct, Markets, Status
from core.runtime.link import CommandResult
from core.units import Usd
from core.viewing import Stage, console_view
from core.views import ListView
from tests.builders import MARKET, Driver, VenueBook, a_market

RAIN, SUN = MARKET, "0x" + "5" * 64
NOW = 1_000.0


class Session:
    """An engine with markets, and a session's hand that notes what it is told."""

    def __init__(self, *markets: Any, result: CommandResult | None = None) -> None:
        self.clock = ManualClock(unix=1.79e9, monotonic=NOW)
        self.driver = Driver(*(VenueBook(market) for market in markets or (a_market(title="Will it rain?"),)))
        self.told: list[OperatorCommand] = []
        self.result = result or CommandResult(done=True, text="done")
        self.answering = Answering(self.driver.engine, self.clock, self.take, self.look)

    def take(self, command: OperatorCommand) -> CommandResult:
        self.told.append(command)
        return self.result

    def look(self) -> Any:
        return console_view(self.driver.engine, Stage(1, "demo", NOW, self.clock.unix(), 1.0, "", ()))

    def act(self, act: Any, market: str = "", **more: Any) -> Done:
        return self.answering.act(Act(act=act, asked_s=more.pop("asked_s", NOW), market=market, **more))


def two() -> Session:
    return Session(
        a_market(title="Will it rain?"),
        a_market(market=SUN, yes="55", no="66", title="Will it shine?"),
    )


@pytest.mark.parametrize(
    ("act", "more", "command"),
    [
        (
            "pause",
            {"side": "bid", "for_s": 90.0, "reason": "lunch"},
            {"sides": "bid", "for_s": 90.0, "reason": "lunch"},
        ),
        ("resume", {}, {}),
        ("reduce", {"for_s": 5.0}, {"for_s": 5.0}),
        ("widen", {"ticks": 2.0}, {"amount": 2.0}),
        ("widen", {"ticks": -3.0, "for_s": 60.0}, {"act": "tighten", "amount": 3.0, "for_s": 60.0}),
        ("cancel", {}, {"act": "cancel_market"}),
        ("flatten", {"preview": True, "passive_s": 0.0}, {"preview": True, "passive_s": 0.0}),
        ("flatten", {"confirm": "t", "most_cost": 5}, {"confirm": "t", "most_cost": Usd(5)}),
        ("flatten_stop", {}, {}),
    ],
)
def test_an_act_on_one_market_is_the_consoles(act: str, more: dict[str, Any], command: dict[str, Any]) -> None:
    """Every member arrives; who asked is said."""
    session = Session()
    done = session.act(act, "rain", **more)
    assert session.told == [OperatorCommand(**{"act": act, "market": RAIN, "who": WHO, **command})]
    assert (done.done, done.text, done.market, done.title) == (True, "done", RAIN, "Will it rain?")


@pytest.mark.parametrize(
    ("act", "command"),
    [
        ("pause", "pause_all"),
        ("resume", "resume_all"),
        ("reduce", "reduce_all"),
        ("cancel", "cancel_all"),
        ("flatten", "flatten_all"),
        ("flatten_stop", "flatten_stop"),
    ],
)
def test_an_act_on_all_markets_is_one_command(act: str, command: str) -> None:
    """What the engine can do at once is not done market by market."""
    session = two()
    assert session.act(act, every=True, side="ask", reason="night").done
    assert [(one.act, one.market, one.sides, one.reason) for one in session.told] == [(command, "", "ask", "night")]


def test_widening_all_is_told_market_by_market() -> None:
    """There is no such command; every market has its own ticks."""
    session = two()
    done = session.act("widen", every=True, ticks=1.0)
    assert [(one.act, one.market) for one in session.told] == [("widen", RAIN), ("widen", SUN)]
    assert done.text.splitlines() == ["Will it rain?: done", "Will it shine?: done"]


def test_what_the_session_says_is_passed_on() -> None:
    """A refusal is a refusal, and a preview's token comes along."""
    session = Session(result=CommandResult(done=False, text="killed"))
    assert session.act("resume", "rain") == Done(False, "killed", RAIN, "Will it rain?")
    session.result = CommandResult(done=True, text="sells 5", confirm="token")
    assert session.act("flatten", "rain", preview=True).confirm == "token"


@pytest.mark.parametrize(("asked", "named"), [("will", 2), ("snow", 2), (SUN[:6], 1)])
def test_an_unclear_market_is_refused_with_those_there_are(asked: str, named: int) -> None:
    """Nothing is done to a market that may not have been meant."""
    session = two()
    done = session.act("pause", asked)
    if named == 1:
        assert done.done and session.told[0].market == SUN
    else:
        assert not done.done and session.told == [] and len(done.candidates) == named


@pytest.mark.parametrize(("market", "every"), [("rain", True), ("", False), ("  ", False)])
def test_one_market_or_all_not_both_and_not_neither(market: str, every: bool) -> None:
    """A forgotten name is not all of them."""
    session = two()
    assert not session.act("pause", market, every=every).done and session.told == []


@pytest.mark.parametrize("late_s", [ANSWER_SEC + 0.1, 3_600.0, -1.0])
@pytest.mark.parametrize("act", ["resume", "widen", "flatten", "rearm"])
def test_what_opens_is_not_done_long_after_it_was_asked_for(act: str, late_s: float) -> None:
    """The loop stood still, or somebody sends an old line again: whoever asked was told that nothing answers."""
    session = Session()
    done = session.act(act, "" if act == "rearm" else "rain", asked_s=NOW - late_s, ticks=1.0)
    assert not done.done and "ask again" in done.text and session.told == []


@pytest.mark.parametrize("act", ["pause", "reduce", "cancel", "flatten_stop"])
def test_what_stops_is_done_however_late(act: str) -> None:
    """A stop that comes late is still wanted."""
    session = Session()
    assert session.act(act, "rain", asked_s=NOW - 3_600.0).done and len(session.told) == 1


def test_rearm_is_for_all() -> None:
    """It names no market and brings its reason."""
    session = Session()
    assert session.act("rearm", reason="looked into it").done
    assert session.told == [OperatorCommand(act="rearm", who=WHO, reason="looked into it")]


def test_before_there_are_markets() -> None:
    """A session that starts can be paused already; a market is not known yet."""
    session = Session()
    session.driver.engine.desks.clear()
    assert session.act("pause", every=True).done
    assert not session.act("pause", "rain").done
    assert "no market is made yet" in session.act("widen", every=True, ticks=1.0).text


def test_status_and_explain_are_answers_of_this_moment() -> None:
    """Both can be written as JSON, and say what the engine says."""
    session = Session()
    told = session.answering.status(Status())
    assert (told.mode, told.control, [one.title for one in told.markets]) == ("demo", "ACTIVE", ["Will it rain?"])
    assert told.markets[0].blocked_by and not told.markets[0].quoting
    explained = session.answering.explain(Explain("rain"))
    assert explained.explanation is not None and explained.unix == session.clock.unix()
    assert set(session.answering.answers) == {Explain, Status, Act, Markets, ListAct}
    assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told


@pytest.mark.parametrize(
    ("act", "command"), [("approve", "list_approve"), ("reject", "list_reject"), ("refresh", "list_refresh")]
)
def test_acts_on_the_market_list_are_the_consoles(act: Any, command: Any) -> None:
    session = Session(result=CommandResult(done=False, text="the changes that wait are others now"))
    done = session.answering.list_act(ListAct(act=act, asked_s=NOW, confirm="abc"))
    assert session.told == [OperatorCommand(act=command, who=WHO, confirm="abc")]
    assert (done.done, done.text) == (False, "the changes that wait are others now")


@pytest.mark.parametrize("late_s", [-1.0, ANSWER_SEC + 1])
def test_a_list_is_not_approved_long_after_it_was_asked_for(late_s: float) -> None:
    """Rejecting and reading again harm nobody however late."""
    session = Session()
    assert not session.answering.list_act(ListAct(act="approve", asked_s=NOW - late_s, confirm="abc")).done
    assert session.told == []
    assert session.answering.list_act(ListAct(act="reject", asked_s=NOW - late_s, confirm="abc")).done


def test_the_market_list_is_an_answer_of_this_moment() -> None:
    session = Session()
    assert "no market list" in session.answering.markets(Markets()).trouble
    view = ListView(source="a sheet", read_unix=5.0)
    session.look = lambda: msgspec.structs.replace(Session.look(session), market_list=view)  # type: ignore[method-assign]
    session.answering = Answering(session.driver.engine, session.clock, session.take, session.look)
    assert session.answering.markets(Markets()) is view
