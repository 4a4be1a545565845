"""Runs the program with a ladder that fails as soon as orders are on show; started by a test in a terminal."""

from typing import Any

from core.views import ConsoleView
from polymm_tui.cli import main
from polymm_tui.screens.main import MainScreen

show = MainScreen.show


def fail_with_orders(self: MainScreen, view: ConsoleView, **options: Any) -> None:
    """Draw as usual until there is something to lose."""
    show(self, view, **options)
    if view.open_orders >= 4:
        raise RuntimeError("the ladder fell over")


MainScreen.show = fail_with_orders  # type: ignore[method-assign]
raise SystemExit(main())
