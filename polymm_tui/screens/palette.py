"""The command palette over the operator table: for rare acts, found by name."""

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from polymm_tui.operator import ACTS, OperatorAct
from polymm_tui.screens.bindings import live_keys


class ActProvider(Provider):
    """Offers the acts that are allowed on the page now, group first."""

    async def discover(self) -> Hits:
        """All acts, before anything is typed."""
        for name, act, run in self._offers():
            yield DiscoveryHit(name, run, help=act.sentence)

    async def search(self, query: str) -> Hits:
        """Acts whose name matches."""
        matcher = self.matcher(query)
        for name, act, run in self._offers():
            score = matcher.match(name)
            if score > 0:
                shown = matcher.highlight(name)
                yield Hit(score, shown if isinstance(shown, Content) else Content(name), run, help=act.sentence)

    def _offers(self) -> list[tuple[str, OperatorAct, Callable[[], Any]]]:
        live = live_keys(self.screen)
        leader = [act for act in ACTS if (act.scope == "leader" and act.id != "all.back") or not act.keys]
        allowed = [act for act in ACTS if act.id in live and live[act.id][1] and act.id != "app.palette"]
        return [
            (f"{act.group}: {word}", act, self._runner(action))
            for act in [*allowed, *leader]
            for word, action in _actions(act).items()
        ]

    def _runner(self, action: str) -> Callable[[], Any]:
        app, screen = self.app, self.screen

        async def run() -> None:
            await app.run_action(action, screen)

        return run


def _actions(act: OperatorAct) -> dict[str, str]:
    """Words for an act, each with what Textual calls then; an act with choices is offered by each of them."""
    if act.choices:
        return {f"{choice}…": f"app.trade('{act.id}', '{choice}')" for choice in act.choices}
    trades_all = act.scope == "leader" and act.action.startswith("trade")
    return {act.word.rstrip("…"): f"app.{act.action}" if trades_all else act.action}


def open_palette(app: App[Any]) -> None:
    """Open the palette over the present page."""
    if not CommandPalette.is_open(app):
        app.push_screen(CommandPalette(providers=[ActProvider]))
