"""Acts that need figures or a typed word: their forms, what the filled-in form would do, and then the act."""

from functools import partial
from typing import Any

import msgspec
from textual.screen import Screen

from core.events import Act, OperatorCommand
from core.runtime.link import CommandResult
from core.views import AlarmView, KillView, MarketView
from polymm_tui.acts import OperatorAct
from polymm_tui.console.desk import Desk
from polymm_tui.screens.form_parts import Form
from polymm_tui.screens.form_screen import FormScreen
from polymm_tui.screens.forms import OPERATIONS, command_of, form_of, proposed_operation, subject_of
from polymm_tui.screens.question import PREVIEW_WINDOW_S, Question
from polymm_tui.screens.typed_forms import flatten_all_form, rearm_form, shelve_form


class Filling:
    """Forms of one console."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def market(self, act: OperatorAct, market: MarketView, choice: Act | None) -> None:
        """Open the form of an act on a market; what it would do is shown before it is done.

        Args:
            act: of the operator table.
            market: selected.
            choice: what the form proposes, of an act that has choices.
        """
        view = self._desk.view
        if act.command is None or view is None:
            return
        proposed = choice or act.command
        if choice is None and proposed in OPERATIONS:
            proposed = proposed_operation(market.inventory)
        form = form_of(proposed, market, view.account, view.controls)
        submit = partial(self._preview, market) if form.previews else partial(self._send, market.title)
        self._open(f"{form.title}: {market.title}", form, market.market, submit)

    def rearm(self) -> None:
        """Ask for the word and the reason that lift a kill, a loss or a drawdown stop."""
        desk = self._desk
        view = desk.view
        kill = desk.link.kill_view or (view.kill if view else KillView())
        form = rearm_form(kill, view)
        self._open(form.title, form, "", partial(self._send, ""))

    def shelve(self, alarm: AlarmView) -> None:
        """Ask for how long an alarm is put aside, and why."""
        form = shelve_form(alarm)
        self._open(f"{form.title}: {alarm.text}", form, "", partial(self._send, ""))

    def flatten_all(self, preview: CommandResult) -> None:
        """Ask for the word; while the form stands a new preview takes the place of the one that was refused."""
        form, screen = flatten_all_form(preview.text, preview.confirm), self._desk.app.screen
        if isinstance(screen, FormScreen):
            screen.renew(form)
        else:
            self._open(form.title, form, "", partial(self._send, ""))

    def asks_flatten_all(self) -> bool:
        """The form of flattening everything is uppermost."""
        return asks_flatten_all(self._desk.app.screen)

    def _open(self, title: str, form: Form, market: str, submit: Any) -> None:
        asked = FormScreen(title, form, lambda texts: command_of(asked.form, texts, market, self._desk.seq), submit)
        self._desk.open(asked, market=market)

    def _send(self, subject: str, form: FormScreen, command: OperatorCommand) -> None:
        """Send a form as it is; it closes when it was carried out, and otherwise says why not."""
        title = ": ".join(part for part in (command.act.replace("_", " "), subject) if part)

        def answered(result: CommandResult) -> None:
            if not result.done and form.is_attached:
                form.tell(result.text)
                if asks_flatten_all(form):  # what it was refused for has moved: show what holds now
                    self._renew_flatten_all()
                return
            self._desk.tell(title, result)
            if self._desk.app.screen is form:
                form.dismiss(None)

        self._desk.send(command, answered)

    def _renew_flatten_all(self) -> None:
        def answered(result: CommandResult) -> None:
            if self.asks_flatten_all() and result.done and result.confirm:
                self.flatten_all(result)

        self._desk.send(OperatorCommand(act="flatten_all", view_seq=self._desk.seq, preview=True), answered)

    def _preview(self, market: MarketView, form: FormScreen, command: OperatorCommand) -> None:
        """Ask the session what a form would do, and then the operator whether to do it.

        Nothing is asked when the form was left meanwhile or something else stands above it.
        """
        desk = self._desk

        def act() -> None:
            title = f"{command.act.replace('_', ' ')}: {market.title}"
            desk.send(command, partial(desk.tell, title), title)
            form.dismiss(None)

        def answered(result: CommandResult) -> None:
            if desk.app.screen is not form:
                return
            if not result.done:
                form.tell(result.text)
                return
            question = Question(
                title=form.heading,
                sentences=result.text.split("\n"),
                yes="do it",
                no="back to the form",
                about=lambda view: subject_of(command, view),
                window_s=PREVIEW_WINDOW_S,
                market=market.market,
            )
            desk.ask(question, act)

        desk.send(msgspec.structs.replace(command, preview=True), answered)


def asks_flatten_all(screen: Screen[Any]) -> bool:
    """A screen is the form of flattening everything."""
    return isinstance(screen, FormScreen) and screen.form.act == "flatten_all"
