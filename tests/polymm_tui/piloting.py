"""A running console for tests: its app, its link, and a pilot that presses keys one after the other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from textual.pilot import Pilot

from core.views import ConsoleView
from polymm_tui.app import ConsoleApp
from polymm_tui.keymap import KeymapResult, builtin_keymap
from tests.widgets.harness import FakeLink
from tests.widgets.view_builders import a_view


class Clock:
    """Seconds of which one passes between two looks, so that every question is armed when it is answered."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@asynccontextmanager
async def console(
    view: ConsoleView | None = None,
    keymap: KeymapResult | None = None,
    size: tuple[int, int] = (120, 36),
    link: Any = None,
    clock: Any = None,
    **options: Any,
) -> AsyncIterator[tuple[ConsoleApp, Any, Pilot[str]]]:
    """A running console that has drawn a view, its link, and a pilot."""
    link = link or FakeLink()
    app = ConsoleApp(link, keymap or builtin_keymap(), fps=0, clock=clock or Clock())
    async with app.run_test(size=size, **options) as pilot:
        await pilot.pause()
        app.show(view or a_view())
        await pilot.pause()
        yield app, link, pilot


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys, each after what the one before it did."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def settle(pilot: Pilot[Any]) -> None:
    """Let messages that follow from messages come."""
    for _ in range(3):
        await pilot.pause()


async def find(pilot: Pilot[Any], words: str) -> None:
    """Carry out the first act that the palette finds for words."""
    await press(pilot, "ctrl+p", *("space" if each == " " else each for each in words))
    await pilot.app.workers.wait_for_complete()
    await press(pilot, "enter")
    await settle(pilot)


def changed_first(view: ConsoleView | None = None, **changes: Any) -> ConsoleView:
    """A view, the usual one unless given, a moment later, with its first market changed."""
    view = view or a_view()
    first, *rest = view.markets
    return msgspec.structs.replace(view, seq=view.seq + 1, markets=(msgspec.structs.replace(first, **changes), *rest))
