"""The acts of the operator table that the session carries out: what stands between key and command, and the answer."""

from functools import partial

import msgspec

from core.events import Act, OperatorCommand
from core.runtime.link import CommandResult
from core.views import AlarmView, ControlView, MarketView
from polymm_tui.acts import OperatorAct
from polymm_tui.console.desk import Desk
from polymm_tui.console.filling import Filling
from polymm_tui.console.results import Outcomes
from polymm_tui.operator import ACT_BY_ID
from polymm_tui.screens.forms import flatten_subject
from polymm_tui.screens.listing import LIST_ANSWERS, list_question, nothing_waits, proposed
from polymm_tui.screens.question import PREVIEW_WINDOW_S, Question
from polymm_tui.screens.typed_forms import FLATTEN_WINDOW_S

_ALARM_ACTS: tuple[str, ...] = ("alarm.ack", "alarm.shelve", "alarm.unshelve")
"""Acts on one alarm."""


class Trading:
    """The operator's hand on the session."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._filling = Filling(desk)
        self.outcomes = Outcomes()

    def why_not(self, act: OperatorAct) -> str:
        """Why an act cannot be done now, in words; "" when it may be tried."""
        desk = self._desk
        if act.command is not None and desk.watches:
            return "This console only watches: attach without --read-only to act."
        is_read_first = act.command in LIST_ANSWERS or act.scope == "main"
        if is_read_first and not desk.page.readable:
            return "The terminal is too small to see what one acts on."
        if act.scope == "main" and desk.page.market is None:
            return "No market is selected."
        if act.opens and desk.silent_s:
            return f"The session does not answer, what is shown is {desk.silent_s:.0f}s old: only stopping makes sense."
        return ""

    def act(self, identity: str, choice: Act | None = None) -> None:
        """Carry out an act of the operator table; asks first where the table says so.

        Args:
            identity: of the act.
            choice: what its form proposes, of an act that has choices.
        """
        act = ACT_BY_ID[identity]
        if why := self.why_not(act):
            self._desk.say(why, title=_word(act), severity="warning")
        elif act.is_aimed and self._desk.page.moved_lately(self._desk.clock(), act.group):
            text = "What is selected has just changed by itself: look, and press again."
            self._desk.say(text, title=f"{_word(act)}: nothing done", severity="warning")
        else:
            self._begin(act, choice)

    def _begin(self, act: OperatorAct, choice: Act | None) -> None:
        market = self._desk.page.market if act.scope == "main" else None
        if act.command in ("flatten", "flatten_all"):
            self._preview_flatten(act, market)
        elif act.command == "rearm":
            self._filling.rearm()
        elif act.command in LIST_ANSWERS:
            self._ask_list(act)
        elif act.id in _ALARM_ACTS:
            self._on_alarm(act)
        elif act.command == "cancel_order":
            self._cancel_order(act)
        elif act.command in ("resume", "resume_all") and act.friction == "confirm":
            self._preview_resume(act, market)
        elif act.friction == "form" and market is not None:
            self._filling.market(act, market, choice)
        else:
            self._send(act, market)

    # Commands

    def _send(self, act: OperatorAct, market: MarketView | None, subject: str = "") -> None:
        """Send an act that needs nothing more."""
        if act.command is not None:
            command = OperatorCommand(
                act=act.command, market=market.market if market else "", view_seq=self._desk.seq, subject=subject
            )
            self._carry_out(_titled(act, market), command)

    def _carry_out(self, title: str, command: OperatorCommand) -> None:
        """Send a command, say what the session answers, and wait for what becomes of the orders it wants gone."""
        desk = self._desk
        results = desk.view.results if desk.view else ()
        self.outcomes.await_(command.act, command.market, title, results, desk.clock())

        def answered(result: CommandResult) -> None:
            if not result.done:
                self.outcomes.refused(command.act, command.market)
            desk.tell(title, result)

        desk.send(command, answered, title)

    def _cancel_order(self, act: OperatorAct) -> None:
        picked = self._desk.page.selected_order
        if picked is None:
            self._desk.say("No order of ours is under the cursor.", title=_word(act), severity="warning")
            return
        market, order = picked
        if not order.order_id:
            text = f"It is on its way and has no id yet; {self._desk.keys_of('market.cancel')[0]} cancels the market."
            self._desk.say(text, title=_word(act), severity="warning")
            return
        self._send(act, market, order.order_id)

    # Alarms

    def _on_alarm(self, act: OperatorAct) -> None:
        alarm = self._alarm(act)
        if alarm is None:
            self._desk.say("There is no such alarm.", title=_word(act))
        elif act.command == "alarm_shelve":
            self._filling.shelve(alarm)
        else:
            self._send(act, None, alarm.key)

    def _alarm(self, act: OperatorAct) -> AlarmView | None:
        """The selected one; to be taken back from the shelf, the uppermost that is there if the selected one is not."""
        selected, view = self._desk.page.selected_alarm, self._desk.view
        if act.command != "alarm_unshelve" or (selected is not None and selected.shelved_s is not None):
            return selected
        return next((each for each in view.alarms if each.shelved_s is not None), None) if view else None

    # Resuming

    def _preview_resume(self, act: OperatorAct, market: MarketView | None) -> None:
        """Ask the session what a resume would place; the answer asks the operator."""
        if act.command is None:
            return
        identity = market.market if market else ""
        command = OperatorCommand(act=act.command, market=identity, view_seq=self._desk.seq)
        title = _titled(act, market)
        preview = msgspec.structs.replace(command, preview=True)
        self._desk.send(preview, partial(self._ask_resume, title, command), title)

    def _ask_resume(self, title: str, command: OperatorCommand, preview: CommandResult) -> None:
        if not preview.done:
            self._desk.say(preview.text, title=title, severity="warning")
        elif self._comes_too_late(title):
            return
        else:
            market = command.market
            question = Question(
                title=title[:1].upper() + title[1:],
                sentences=preview.text.split("\n"),
                yes="resume",
                no="leave as it is",
                about=lambda view: _held(view.controls, market),
                window_s=PREVIEW_WINDOW_S,
                market=market,
            )
            self._desk.ask(question, partial(self._carry_out, title, command))

    # Flattening

    def _preview_flatten(self, act: OperatorAct, market: MarketView | None) -> None:
        """Ask the session what closing a market's position, or every one, would do; the answer asks the operator."""
        if act.command is None:
            return
        identity = market.market if market else ""
        command = OperatorCommand(act=act.command, market=identity, view_seq=self._desk.seq, preview=True)
        title = _titled(act, market)
        self._desk.send(command, partial(self._ask_flatten, title, market), title)

    def _ask_flatten(self, title: str, market: MarketView | None, preview: CommandResult) -> None:
        """Ask whether to do what the preview says; a refused preview is told, and so is one that came too late."""
        if not preview.done or not preview.confirm:
            self._desk.say(preview.text, title=title, severity="warning")
        elif self._comes_too_late(title):
            return
        elif market is None:
            self._filling.flatten_all(preview)
        else:
            command = OperatorCommand(
                act="flatten", market=market.market, view_seq=self._desk.seq, confirm=preview.confirm
            )
            question = Question(
                title=f"Flatten: {market.title}",
                sentences=preview.text.split("\n"),
                yes="flatten",
                no="keep the position",
                about=lambda view: flatten_subject(market, view),
                window_s=FLATTEN_WINDOW_S,
                market=market.market,
            )
            self._desk.ask(question, partial(self._carry_out, title, command))

    def _comes_too_late(self, title: str) -> bool:
        """A preview came while something else stands above the page; said so."""
        desk = self._desk
        if desk.app.screen is desk.page:
            return False
        desk.say("Its preview came while something else was asked; ask again.", title=title, severity="warning")
        return True

    # The market list

    def _ask_list(self, act: OperatorAct) -> None:
        """Show what waits in the market list and ask; the command names exactly what was shown."""
        desk = self._desk
        listing = desk.view.market_list if desk.view else None
        proposal = listing.proposal if listing else None
        if act.command is None or desk.view is None or listing is None or proposal is None:
            desk.say(nothing_waits(listing), title="Market list")
            return
        command = OperatorCommand(act=act.command, view_seq=desk.seq, confirm=proposal.token)
        asked = list_question(act.command, proposal, desk.view.unix, desk.app.size)
        question = Question(
            title=asked.title,
            sentences=asked.sentences,
            yes=asked.yes,
            no="leave it waiting",
            about=proposed,
            window_s=PREVIEW_WINDOW_S,
        )
        desk.ask(question, partial(self._carry_out, asked.title, command))


def _word(act: OperatorAct) -> str:
    return act.word.rstrip("…")


def _titled(act: OperatorAct, market: MarketView | None) -> str:
    return f"{_word(act)}: {market.title}" if market else _word(act)


def _held(controls: tuple[ControlView, ...], market: str) -> tuple[tuple[str, str, str, str], ...]:
    """What a resume would lift: when that changes, what was shown no longer holds."""
    return tuple((each.source, each.state, each.market, each.side) for each in controls if each.market in ("", market))
