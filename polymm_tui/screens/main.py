"""The page: strip, panes, bottom line. It hands each pane its part of a view, and only to panes on show."""

import time
from collections.abc import Callable
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import DescendantFocus, Key, Resize
from textual.screen import Screen
from textual.widget import Widget

from core.runtime.link import Access
from core.views import AlarmView, ConsoleView, MarketView, OrderView
from polymm_tui.operator import ACT_BY_ID
from polymm_tui.screens.aim import Aim, AimWatch
from polymm_tui.screens.bindings import bindings_of, hints_of, live_keys
from polymm_tui.screens.filtering import FilterScreen
from polymm_tui.screens.layout import (
    PAGE_CSS,
    PANES,
    UNFOCUSED,
    Layout,
    Pane,
    is_on_page,
    layout_for,
    shown_panes,
    tabs_of,
)
from polymm_tui.screens.panes import Panes
from polymm_tui.screens.standing import standing_words
from widgets.alarms import calls
from widgets.ladder import Ladder
from widgets.line_widget import ScrollingLineWidget
from widgets.market_list import MarketList
from widgets.market_table import MarketTable
from widgets.status_strip import StatusStrip

__all__ = ["PAGE_CSS", "MainScreen"]

_LAYOUT_CLASSES: Final = ("tiny", "compact", "normal", "wide")
_IN_ANY_SIZE: Final = ("app.leader", "app.kill", "app.help", "app.quit")
"""Acts that a terminal too small for figures tells of."""
_DETAILED: Final = frozenset({"why", "results", "account", "tape", "charts"})
"""Panes that tell what only the view of a watched market has."""


class MainScreen(Screen[None], inherit_bindings=False):
    """Strip, markets, ladders, money, the box of tabs and keys in four layouts. Nothing in it moves by itself."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of("main")
    AUTO_FOCUS = None

    def __init__(self, clock: Callable[[], float] = time.monotonic, access: Access = "own") -> None:
        """Build the page.

        Args:
            clock: gives monotonic seconds.
            access: whose session it shows.
        """
        super().__init__()
        self._clock = clock
        self._access = {"own": "", "attached": "attached", "watching": "watching only"}[access]
        self._layout_name: Layout = "normal"
        self._zoomed: Pane | None = None
        self._compact: Pane = "markets"
        """The pane on show where there is room for one."""
        self._tab: Pane = "orders"
        self._shown: frozenset[str] = frozenset()
        self._view: ConsoleView | None = None
        self._selected = ""
        self._made_before = ""
        """The last market that was selected and is made: selected again when the market list is left."""
        self._had_market = False
        self._asked = ""
        """Id of the order whose reasons are asked for."""
        self._aim = AimWatch()
        self._silent_s = 0.0
        self._trouble = ""
        self.panes = Panes()

    def compose(self) -> ComposeResult:
        """All panes; which of them show is decided by the size."""
        yield from self.panes.compose()

    def on_mount(self) -> None:
        """Keep the bottom line true to the keys."""
        self.bindings_updated_signal.subscribe(self, lambda _: self._show_keys())
        self.arrange_panes(layout_for(*self.app.size))
        self.strip.show(None)

    def on_resize(self, event: Resize) -> None:
        """Choose the layout for the new size."""
        layout = layout_for(event.size.width, event.size.height)
        if layout != self._layout_name:
            self.arrange_panes(layout)
        self._show_notice()

    async def on_key(self, event: Key) -> None:
        """Carry out keys in the order in which they were pressed.

        Textual runs an act only when its key has reached the app, after the keys that came in one packet with it: what
        is typed after the leader key or into the filter would act on the selected market.
        """
        event.stop()
        event.prevent_default()
        if self.app.screen is not self:
            self.app.screen.post_message(Key(event.key, event.character))
            return
        act = self.active_bindings.get(event.key)
        if act is not None:
            action = act.binding.action if act.enabled else f"app.refuse('{act.binding.id}')"
            await self.app.run_action(action, self)

    # What is selected

    @property
    def strip(self) -> StatusStrip:
        """The lines at the top."""
        return self.panes.strip

    @property
    def ladder(self) -> Ladder:
        """Of the selected market."""
        return self.panes.ladder

    @property
    def market(self) -> MarketView | None:
        """The selected market as last shown; None also when the one selected in the market list is not made."""
        return next((market for market in self._markets if market.market == self._selected), None)

    @property
    def selected_order(self) -> tuple[MarketView, OrderView] | None:
        """The order under the cursor of the ladder or of the orders, whichever has the focus, and its market."""
        pane = self._focused_pane()
        if pane == "orders":
            return self.panes.orders.selected
        order = self.ladder.order_at_cursor if pane == "ladder" else None
        market = self.market
        return (market, order) if market is not None and order is not None else None

    @property
    def selected_alarm(self) -> AlarmView | None:
        """The one under the cursor; where the alarms are not on show the uppermost that nobody has acknowledged."""
        if "alarms" in self._shown:
            return self.panes.alarms.selected
        alarms = self._view.alarms if self._view else ()
        return next((alarm for alarm in alarms if calls(alarm)), None)

    def moved_lately(self, now: float, group: str = "market") -> bool:
        """What acts of this group are about has changed by itself a moment ago; see :class:`AimWatch`."""
        return self._aim.moved_lately(now, group)

    def _present_aim(self) -> Aim:
        order, alarm = self.selected_order, self.selected_alarm
        table = self.panes.markets.order if "markets" in self._shown else ()
        return Aim(
            market=self._selected,
            place=table.index(self._selected) if self._selected in table else None,
            order=order[1].order_id if order else "",
            alarm=alarm.key if alarm else "",
        )

    @property
    def readable(self) -> bool:
        """The terminal is large enough to see what one acts on."""
        return self._layout_name != "tiny"

    @property
    def shown(self) -> frozenset[str]:
        """Names of the panes on show."""
        return self._shown

    @property
    def wants_details(self) -> bool:
        """A pane is on show that waits for the details of the selected market."""
        return bool(self._shown & _DETAILED)

    @property
    def ladders(self) -> tuple[str, ...]:
        """Markets whose whole books are on show beside the selected one's."""
        second = self._second_market() if "second" in self._shown else None
        return () if second is None else (second.market,)

    # What is drawn

    def show(self, view: ConsoleView, *, table: bool = True, money: bool = True) -> None:
        """Draw a view.

        Args:
            view: what to draw.
            table: also the strip, the table and the lists in the box.
            money: also what changes slowly: quote, data, inventory, profit, charts, reasons and the other whole pages.
        """
        self._draw(view, table, money)
        self._aim.seen(self._present_aim(), self._clock())

    def show_health(self, silent_s: float, console: str) -> None:
        """Say in the strip how long the engine has been silent and what is wrong with the console."""
        if (silent_s, console) == (self._silent_s, self._trouble):
            return
        is_other = bool(silent_s) != bool(self._silent_s)
        self._silent_s, self._trouble = silent_s, console
        self.strip.show(self._view, silent_s, console, access=self._access)
        self.panes.mark_old(f"OLD {silent_s:.0f}s" if silent_s else "")
        if not self.readable:
            self._show_notice()
        if is_other:  # only then: both cost a repaint of everything
            self.set_class(bool(silent_s), "-old")
            self.refresh_bindings()

    def _draw(self, view: ConsoleView, table: bool, money: bool) -> None:
        first = self._view is None
        self._view = view
        if self.market is None and view.markets and not self._selects_unmade:
            self._selected = view.markets[0].market
        market = self.market
        if first or (market is not None) != self._had_market:
            self._had_market = market is not None
            self.refresh_bindings()
        self.panes.show_ladders(self._shown, market, self._second_market(), view.unix)
        if table:
            self._draw_table(view, market)
        if money:
            self._draw_money(view, market)

    def _draw_table(self, view: ConsoleView, market: MarketView | None) -> None:
        self.strip.show(view, self._silent_s, self._trouble, access=self._access)
        if "markets" in self._shown:
            self.panes.show_table(view, self._selected)
        if not self.readable:
            self._show_notice()
        self.panes.show_lists(self._shown, view, market, self._selected)
        if "tabs" in self._shown:
            self.panes.show_tabs(tabs_of(self._layout_name), self._tab, self._pane_keys(), view)

    def _draw_money(self, view: ConsoleView, market: MarketView | None) -> None:
        asked = next((order for order in market.orders if order.order_id == self._asked), None) if market else None
        self.panes.show_money(self._shown, view, market, asked)
        if "list" in self._shown:
            self.panes.market_list.show(view, self._selected, self._list_keys())
        if self._layout_name == "compact":
            self.panes.account_line.show(view, market)

    def _show_all(self) -> None:
        """Draw again because the operator did something: whatever is selected now is what is wanted."""
        if self._view is not None:
            self._draw(self._view, True, True)
            self._aim.chosen(self._present_aim())

    @property
    def _markets(self) -> tuple[MarketView, ...]:
        return self._view.markets if self._view else ()

    @property
    def _selects_unmade(self) -> bool:
        """The market list has the focus and one of its markets is selected that is not made."""
        listing = self._view.market_list if self._view else None
        if listing is None or self._focused_pane() != "list" or self.market is not None:
            return False
        return any(listed.market == self._selected for listed in listing.markets)

    def _second_market(self) -> MarketView | None:
        """The market after the selected one in the table as shown, or its first; as in the view before it was."""
        by_id = {market.market: market for market in self._markets}
        order = [each for each in self.panes.markets.order if each in by_id] or list(by_id)
        place = order.index(self._selected) if self._selected in order else -1
        others = [*order[place + 1 :], *order[: max(0, place)]]
        return by_id[others[0]] if others else None

    def _list_keys(self) -> str:
        """What answers the proposal of a market list, with the keys as they are."""
        live = live_keys(self)
        acts = (("list.approve", "approve"), ("list.reject", "reject"))
        answers = [f"{live[identity][0][0]}: {word}" for identity, word in acts if identity in live]
        return "; ".join([*answers, "both show it and ask first"])

    def _pane_keys(self) -> dict[str, str]:
        """Label of the key of each pane."""
        live = live_keys(self)
        return {name: live[f"pane.{name}"][0][0] for name in PANES if f"pane.{name}" in live}

    def _show_keys(self) -> None:
        if self.is_mounted:
            self.panes.key_bar.show(hints_of(self, self._main_pane() or "", only_allowed=not self.readable))
            self.panes.label(self._pane_keys())
            self._show_notice()

    def _show_notice(self) -> None:
        live = live_keys(self)
        keys = [(live[identity][0][0], ACT_BY_ID[identity].word) for identity in _IN_ANY_SIZE if identity in live]
        state = standing_words(self._view, self._silent_s)
        self.panes.notice.show(f"{self.app.size.width}x{self.app.size.height}", keys, state)

    # Where things stand

    def arrange_panes(self, layout: Layout) -> None:
        """Put the panes of a layout on show and give them the newest view."""
        self._layout_name = layout
        alone = self._compact if layout == "compact" else self._zoomed
        if self._tab not in tabs_of(layout) and tabs_of(layout):
            self._tab = "orders"
        self._shown = shown_panes(layout, alone, self._tab)
        for name in _LAYOUT_CLASSES:
            self.set_class(name == layout, f"-{name}")
        self.set_class(alone is not None, "-alone")
        for pane, widget in self.panes.by_name().items():
            widget.display = pane in self._shown
        for container in ("#box", "#upper", "#bottom"):
            for box in self.query(container):  # there is none if a signal came while the page was made
                box.display = any(child.display for child in box.children)
        self._focus_shown()
        self._leave_unmade()
        self._show_all()
        self._show_keys()

    def _leave_unmade(self) -> bool:
        """Select the market that was selected before the market list, once the list is left; whether it was."""
        if self.market is not None or self._selects_unmade or self._selected == self._made_before:
            return False
        self._selected = self._made_before
        return True

    def _focus_shown(self) -> None:
        names = self._focusable()
        if self._focused_pane() not in names:
            self._focus_on(names[0] if names else None)

    def _focus_on(self, name: Pane | None) -> None:
        self.set_focus(self._widget(name) if name is not None else None, scroll_visible=False)

    def _focusable(self) -> list[Pane]:
        return [name for name in PANES if name in self._shown and name not in UNFOCUSED]

    def _widget(self, name: Pane) -> Widget | None:
        return self.panes.by_name()[name] if name not in UNFOCUSED else None

    def _focused_pane(self) -> Pane | None:
        focused = self.focused
        return next((name for name in PANES if focused is not None and self._widget(name) is focused), None)

    def _main_pane(self) -> Pane | None:
        return self._compact if self._layout_name == "compact" else self._focused_pane()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """The keys of the pane in focus stand first in the bottom line; what is not made is selected in its list."""
        if self._leave_unmade():
            self._show_all()
        self._aim.chosen(self._present_aim())
        self._show_keys()

    # Acts of the operator table

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what has nothing to act on here."""
        fails = {
            "zoom": self._layout_name in ("compact", "tiny"),
            "sort": "markets" not in self._shown,
            "recentre": "ladder" not in self._shown,
            "depth": "ladder" not in self._shown,
            "back": self._zoomed is None and (self._layout_name != "compact" or self._compact == "markets"),
            "filter": not self.readable,
            "pane": not self.readable,
            "switch_pane": not self.readable,
        }
        return None if fails.get(action, False) else True

    def action_select(self, step: int) -> None:
        """Select another market in the order of the table; it does not wrap round."""
        if self._view is None:
            return
        self.panes.show_table(self._view, self._selected)  # its order is wanted also where it is hidden
        order = self.panes.markets.order
        if order:
            place = order.index(self._selected) + step if self._selected in order else 0
            self.select_market(order[min(max(place, 0), len(order) - 1)])

    def select_market(self, market: str) -> None:
        """Show another market in every pane; what is watched first, so that a key is seen at once."""
        self._selected = market
        if self._view is not None:
            self._draw(self._view, True, False)
            self._aim.chosen(self._present_aim())
            self.call_after_refresh(self._show_all)

    def _select_listed(self, market: str) -> None:
        """Select a market of the list and tell its rules; acts on it are dimmed while it is not made."""
        if self.market is not None:
            self._made_before = self._selected
        self.select_market(market)
        self.panes.market_list.unfold(market)

    def on_market_list_picked(self, message: MarketList.Picked) -> None:
        """A click in the market list selects."""
        self._select_listed(message.market)

    def on_market_table_picked(self, message: MarketTable.Picked) -> None:
        """A click in the table selects."""
        self.select_market(message.market)

    def action_cursor(self, step: int) -> None:
        """Move the cursor of the pane in focus; a pane without one scrolls by a line."""
        panes = self.panes
        name = self._focused_pane()
        if name == "markets":
            self.action_select(step)
        elif name == "list":
            listed = panes.market_list.neighbour(step)
            if listed is not None:
                self._select_listed(listed)
        else:
            focused = self.focused
            for cursored in (panes.ladder, panes.orders, panes.fills, panes.alarms, panes.recordings):
                if cursored is focused:
                    cursored.move(step)
                    self._aim.chosen(self._present_aim())
                    return
            if isinstance(focused, ScrollingLineWidget):
                focused.scroll_lines(step)

    def action_sort(self, step: int) -> None:
        """Put the table into another order."""
        self.panes.markets.sort_by(step)
        self._show_all()

    def action_filter(self) -> None:
        """Let a filter of the table be typed; it holds at once, and enter keeps it."""
        table = self.panes.markets
        if "markets" not in self._shown:
            self.action_pane("markets")

        def typed(text: str) -> None:
            table.filter_by(text)
            self._aim.chosen(self._present_aim())

        def done(is_kept: bool | None) -> None:
            if not is_kept:
                table.filter_by("")
            elif table.order and self._selected not in table.order:
                self._selected = table.order[0]
            self._show_all()

        self.app.push_screen(FilterScreen(table.filter_text, typed), done)

    def action_recentre(self) -> None:
        """Centre both ladders."""
        self.panes.ladder.recentre()
        self.panes.second.recentre()
        self._aim.chosen(self._present_aim())

    def action_depth(self, step: int) -> None:
        """More ticks in a line of the ladders, or fewer."""
        for ladder in (self.panes.ladder, self.panes.second):
            if step > 0:
                ladder.coarser()
            else:
                ladder.finer()
        self._aim.chosen(self._present_aim())

    def action_switch_pane(self) -> None:
        """From the table to the ladder and back."""
        self.action_pane("markets" if self._main_pane() == "ladder" else "ladder")

    def action_pane(self, name: Pane) -> None:
        """Focus a pane, in front of the box if it stands there; one that is not on the page takes all of it."""
        if name == "list" and (name not in self._shown or self._focused_pane() == name):
            self.panes.market_list.fold()
        if name == "why":
            self._ask_why()
        layout = self._layout_name
        if layout == "compact":
            self._compact = name
        elif is_on_page(layout, name):
            self._zoomed = None
            self._tab = name if name in tabs_of(layout) else self._tab
        else:
            self._zoomed = name
        self.arrange_panes(layout)
        if name not in UNFOCUSED:
            self._focus_on(name)

    def _ask_why(self) -> None:
        """Remember the order under the cursor: its reasons are told first."""
        selected = self.selected_order
        self._asked = selected[1].order_id if selected else ""
        if selected is not None:
            self._selected = selected[0].market

    def action_zoom(self) -> None:
        """Give the page to the focused pane, or take it back."""
        self._zoomed = None if self._zoomed else self._focused_pane()
        self.arrange_panes(self._layout_name)

    def action_back(self) -> None:
        """Back to the page."""
        self._zoomed, self._compact = None, "markets"
        self.arrange_panes(self._layout_name)

    def action_focus_pane(self, step: int) -> None:
        """Focus the next or previous pane on show; in the compact layout, show the next one."""
        names: list[Pane] = list(PANES) if self._layout_name == "compact" else self._focusable()
        current = self._main_pane()
        if names and self.readable:
            place = names.index(current) if current in names else -step
            self._go_to(names[(place + step) % len(names)])

    def _go_to(self, name: Pane) -> None:
        if self._layout_name == "compact":
            self.action_pane(name)
        else:
            self._focus_on(name)

    def action_page(self, step: int) -> None:
        """Scroll the focused pane by a page."""
        focused = self.focused
        if isinstance(focused, ScrollingLineWidget):
            focused.scroll_lines(step * focused.page_lines())
            self._aim.chosen(self._present_aim())
