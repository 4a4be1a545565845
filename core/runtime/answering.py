"""What a session answers to other programs of its user: why it quotes, how things stand, and what it was told to do.

What opens something again (``resume``, ``rearm``, ``widen``, ``flatten``) is not done long after it was asked for:
whoever asked has been told that nothing answers. What only stops is done however late.
"""

from collections.abc import Callable
from typing import Final

from core.clock import Clock
from core.engine import Engine
from core.events import Act as Command
from core.events import OperatorCommand
from core.explaining import Explained, explained
from core.market.naming import Named, meant
from core.runtime.control_socket import (
    ANSWER_SEC,
    WHO,
    Act,
    Answers,
    Done,
    Explain,
    ListAct,
    Markets,
    ShellAct,
    Status,
)
from core.runtime.link import CommandResult
from core.standing import Standing, standing
from core.units import Usd
from core.views import ConsoleView, ListView

_OPENING: Final[frozenset[ShellAct]] = frozenset({"resume", "rearm", "widen", "flatten"})
_OF_ONE: Final[dict[ShellAct, Command]] = {
    "pause": "pause",
    "resume": "resume",
    "reduce": "reduce",
    "widen": "widen",
    "cancel": "cancel_market",
    "flatten": "flatten",
    "flatten_stop": "flatten_stop",
}
_OF_LIST: Final[dict[str, Command]] = {"approve": "list_approve", "reject": "list_reject", "refresh": "list_refresh"}
_OF_ALL: Final[dict[ShellAct, Command]] = {
    "pause": "pause_all",
    "resume": "resume_all",
    "reduce": "reduce_all",
    "cancel": "cancel_all",
    "flatten": "flatten_all",
    "flatten_stop": "flatten_stop",
    "rearm": "rearm",
}
"""What is not here is done to one market after another."""


class Answering:
    """Answers for one session, on its loop."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        command: Callable[[OperatorCommand], CommandResult],
        look: Callable[[], ConsoleView],
    ) -> None:
        """Nothing is asked yet.

        Args:
            engine: of the session.
            clock: of the session.
            command: carries an operator's command out.
            look: a view of this moment.
        """
        self._engine = engine
        self._clock = clock
        self._command = command
        self._look = look

    @property
    def answers(self) -> Answers:
        """What can be asked, and what answers it."""
        return {
            Explain: self.explain,
            Status: self.status,
            Act: self.act,
            Markets: self.markets,
            ListAct: self.list_act,
        }

    def explain(self, request: Explain) -> Explained:
        """Why a market is quoted as it is."""
        return explained(self._engine, request.market, self._clock.monotonic(), self._clock.unix())

    def status(self, request: Status) -> Standing:
        """How things stand now."""
        return standing(self._look())

    def act(self, request: Act) -> Done:
        """Do what an operator asks for, or say why not."""
        if request.act in _OPENING and (why := self._why_late(request)):
            return Done(False, why)
        if request.act == "rearm":
            return self._take(request, "rearm", None)
        if request.every == bool(request.market.strip()):
            return Done(False, f"{request.act}: name one market, or say that all are meant, not both")
        known = tuple(Named(desk.market, desk.instrument.title) for desk in self._engine.desks.values())
        if not request.every:
            found = meant(request.market, known)
            if len(found) != 1:
                return Done(False, f"{request.act}: it is not clear which market is meant", candidates=found or known)
            return self._take(request, _OF_ONE[request.act], found[0])
        if request.act in _OF_ALL:
            return self._take(request, _OF_ALL[request.act], None)
        if not known:
            return Done(False, f"{request.act}: no market is made yet; try again")
        done = [self._take(request, _OF_ONE[request.act], named) for named in known]
        return Done(any(one.done for one in done), "\n".join(f"{one.title}: {one.text}" for one in done))

    def markets(self, request: Markets) -> ListView:
        """The market list and what became of it."""
        return self._look().market_list or ListView(source="", trouble="no market list has been read yet")

    def list_act(self, request: ListAct) -> Done:
        """Do what an operator asks for of the market list, or say why not."""
        if request.act == "approve" and (why := self._why_late(request)):
            return Done(False, why)
        result = self._command(OperatorCommand(act=_OF_LIST[request.act], who=WHO, confirm=request.confirm))
        return Done(result.done, result.text)

    def _why_late(self, request: Act | ListAct) -> str:
        """Why it is too late for what opens something, in words; "" when it is not."""
        late_s = self._clock.monotonic() - request.asked_s
        if 0 <= late_s <= ANSWER_SEC:
            return ""
        return f"{request.act}: it was asked for {late_s:.0f} s ago, which is too long; ask again"

    def _take(self, request: Act, act: Command, named: Named | None) -> Done:
        """Hand one command to the session."""
        market = "" if named is None else named.market
        if act == "widen" and request.ticks < 0:
            act = "tighten"
        result = self._command(
            OperatorCommand(
                act=act,
                market=market,
                who=WHO,
                amount=abs(request.ticks) if act in ("widen", "tighten") else 1.0,
                sides=request.side or "both",
                for_s=request.for_s,
                reason=request.reason,
                confirm=request.confirm,
                most_cost=None if request.most_cost is None else Usd(request.most_cost),
                passive_s=request.passive_s,
                preview=request.preview,
            )
        )
        title = "" if named is None else named.title
        return Done(result.done, result.text, market, title, result.confirm)
