"""ONE table of everything an operator can do: keys, footer, help, palette and key map are all made from it."""

from typing import Final, cast

from core.events import Act
from polymm_tui.acts import ACTIVE_TOGETHER, TYPED_INTO, Friction, OperatorAct, Scope
from polymm_tui.dialog_acts import DIALOG_ACTS

__all__ = ["ACTIVE_TOGETHER", "ACTS", "ACT_BY_ID", "ALIKE", "TYPED_INTO", "OperatorAct", "Scope", "acts_in"]


def _app(
    name: str,
    keys: tuple[str, ...],
    word: str,
    sentence: str,
    rank: int = 0,
    *,
    action: str = "",
    command: Act | None = None,
    friction: Friction = "none",
    priority: bool = False,
    protected: bool = False,
) -> OperatorAct:
    """An act of the console as a whole; without an action of its own its name is one."""
    return OperatorAct(
        id=f"app.{name}",
        scope="app",
        keys=keys,
        action=f"app.{action or name}",
        word=word,
        sentence=sentence,
        command=command,
        friction=friction,
        rank=rank,
        priority=priority,
        protected=protected,
    )


def _market(
    name: Act,
    key: str,
    word: str,
    sentence: str,
    rank: int,
    friction: Friction = "none",
    identity: str = "",
    choices: tuple[Act, ...] = (),
    panes: tuple[str, ...] = (),
) -> OperatorAct:
    """An act on what is selected; its id is its command's name unless one is given."""
    identity = identity or f"market.{name}"
    return OperatorAct(
        id=identity,
        scope="main",
        keys=(key,),
        action=f"app.trade('{identity}')",
        word=word,
        sentence=sentence,
        command=name,
        choices=choices,
        rank=rank,
        friction=friction,
        panes=panes,
    )


def _free(
    identity: str,
    name: str,
    keys: tuple[str, ...],
    word: str,
    sentence: str,
    friction: Friction = "none",
    panes: tuple[str, ...] = (),
) -> OperatorAct:
    """An act that needs no market."""
    return OperatorAct(
        id=identity,
        scope="app",
        keys=keys,
        action=f"app.trade('{identity}')",
        word=word,
        sentence=sentence,
        command=cast(Act, name),
        friction=friction,
        panes=panes,
    )


def _look(
    identity: str,
    keys: tuple[str, ...],
    action: str,
    word: str,
    sentence: str,
    rank: int = 0,
    panes: tuple[str, ...] = (),
) -> OperatorAct:
    """An act that changes nothing but what is seen."""
    return OperatorAct(
        id=identity, scope="main", keys=keys, action=action, word=word, sentence=sentence, rank=rank, panes=panes
    )


def _pane(
    name: str, key: str, sentence: str, word: str = "", rank: int = 0, panes: tuple[str, ...] = ()
) -> OperatorAct:
    return _look(f"pane.{name}", (key,), f"pane('{name}')", word or name, sentence, rank, panes)


_APP: Final = (
    _app("help", ("?",), "help", "What every key does now.", 1, protected=True),
    _app("leader", ("!",), "all…", "Acts on all markets at once; a second key says which.", 2, protected=True),
    _app(
        "kill",
        ("f12",),
        "KILL",
        "First half of KILL, through dialogs too; again within two seconds does it.",
        command="kill",
        friction="chord",
        priority=True,
        protected=True,
    ),
    _app(
        "rearm",
        (),
        "re-arm…",
        "Lift a kill, a loss or a drawdown stop; wants a typed word and a reason.",
        action="trade('app.rearm')",
        command="rearm",
        friction="typed",
    ),
)

_MARKET: Final = (
    _market("pause", "p", "pause", "Stop quoting this market and cancel its orders.", 4),
    _market("reduce", "d", "reduce", "Only orders that reduce this market's position; cancels the others.", 12),
    _market("resume", "r", "resume…", "Let this market be quoted again; shows first what it places.", 6, "confirm"),
    _market(
        "pause",
        "b",
        "side, timer…",
        "Pause, reduce or resume this market or one side of it, for a time if wanted.",
        17,
        "form",
        identity="market.control",
        choices=("pause", "reduce", "resume"),
    ),
    _market("widen", "w", "widen", "Quote this market one tick further from fair on both sides.", 9),
    _market("tighten", "W", "tighten", "Take one tick of widening back.", 10),
    _market(
        "cancel_order",
        "x",
        "cancel order",
        "Cancel the order under the cursor of the ladder or of the orders.",
        0,
        identity="order.cancel",
        panes=("ladder", "orders"),
    ),
    _market(
        "cancel_market",
        "X",
        "cancel market",
        "Cancel every order of this market; quoting goes on afterwards.",
        7,
        identity="market.cancel",
    ),
    _market(
        "flatten", "F", "flatten…", "Close the position of this market; shows route and cost, then asks.", 8, "confirm"
    ),
    _market("flatten_stop", "f", "stop flattening", "Stop closing this market's position; what is left stays.", 22),
    _market(
        "widen",
        "a",
        "adjust…",
        "Widen or tighten by any ticks, fading or for a time; shows first what it re-quotes.",
        15,
        "form",
        identity="market.adjust",
    ),
    _market("shift", "s", "shift…", "Move the fair value by ticks, fading or for a time; shows it first.", 18, "form"),
    _market("one_side", "o", "one side…", "Quote the bid or the ask only; shows it first.", 19, "form"),
    _market("size", "S", "sizes…", "Multiply all sizes, fading or for a time; shows it first.", 20, "form"),
    _market("reset", "R", "reset", "End every adjustment of this market.", 21),
    _market("set", "e", "settings…", "Change profile and settings of this market; shows it first.", 16, "form"),
    _market(
        "merge",
        "i",
        "merge, split…",
        "Merge, split, redeem or convert shares of this market; shows first what it changes.",
        23,
        "form",
        identity="market.inventory",
        choices=("merge", "split", "redeem", "convert"),
        panes=("account",),
    ),
    _look("market.next", ("j",), "select(1)", "next", "Select the next market."),
    _look("market.previous", ("k",), "select(-1)", "previous", "Select the previous market."),
)

_VIEW: Final = (
    _look("view.down", ("down",), "cursor(1)", "down", "Move the cursor of the pane in focus down."),
    _look("view.up", ("up",), "cursor(-1)", "up", "Move the cursor of the pane in focus up."),
    _look(
        "view.filter",
        ("/",),
        "filter",
        "filter",
        "Show only markets whose name has what is typed.",
        panes=("markets",),
    ),
    _look("view.sort_next", (">",), "sort(1)", "sort", "Next order of the market table.", panes=("markets",)),
    _look("view.sort_previous", ("<",), "sort(-1)", "sort back", "Order of the market table before."),
    _look("view.switch", ("v",), "switch_pane", "ladder", "Table or ladder where only one has room.", 11),
    _look("view.back", ("escape",), "back", "back", "Back from a pane that has the whole page."),
    _look("view.zoom", ("z",), "zoom", "zoom", "Give the whole page to the pane in focus, and back.", 13),
    _look(
        "view.recentre",
        ("c",),
        "recentre",
        "centre",
        "Put the market's middle into the middle of the ladder.",
        panes=("ladder",),
    ),
    _look("view.finer", ("+",), "depth(-1)", "finer", "Fewer ticks in a line of the ladder.", panes=("ladder",)),
    _look("view.coarser", ("-",), "depth(1)", "coarser", "More ticks in a line of the ladder.", panes=("ladder",)),
    _look("view.page_down", ("pagedown",), "page(1)", "page down", "Scroll the pane in focus down."),
    _look("view.page_up", ("pageup",), "page(-1)", "page up", "Scroll the pane in focus up."),
    _look("view.next_pane", ("tab",), "focus_pane(1)", "next pane", "Focus the next pane on show."),
    _look("view.previous_pane", ("shift+tab",), "focus_pane(-1)", "previous pane", "Focus the pane before."),
)

_PANES: Final = (
    _pane("markets", "1", "Go to the market table."),
    _pane("ladder", "2", "Go to the ladder."),
    _pane("orders", "3", "Go to the orders."),
    _pane("log", "4", "Go to the log of what happened."),
    _pane("money", "5", "Go to quote, data, inventory and profit."),
    _pane("why", "6", "Go to all terms of every quote of this market.", rank=14, panes=("ladder", "orders")),
    _pane("results", "7", "Go to markouts, rewards and cancels.", panes=("fills",)),
    _pane("findings", "8", "Go to findings, what is not ours, and what the venue lets us do.", panes=("risk",)),
    _pane("account", "9", "Go to the account: holdings, profit and inventory operations of all markets."),
    _pane("risk", "0", "Go to what stops orders: kill switch, states, caps, protections, denials."),
    _pane("fills", "h", "Go to our fills (hits) and what they were worth afterwards."),
    _pane("tape", "t", "Go to the trades of this market."),
    _pane("alarms", "m", "Go to the alarms."),
    _pane("list", "l", "Go to the market list: what is made and why, what the screen says, what waits for approval."),
    _pane("recordings", "u", "Go to the recordings on this machine."),
    _pane("charts", "g", "Go to the charts: equity, drawdown, markouts.", panes=("results",)),
)

_FREE: Final = (
    _free("alarm.ack", "alarm_ack", ("K",), "acknowledge", "Acknowledge the selected alarm.", panes=("alarms",)),
    _free(
        "alarm.shelve",
        "alarm_shelve",
        ("Z",),
        "shelve…",
        "Put the selected alarm aside for at most an hour; wants a reason.",
        "form",
        panes=("alarms",),
    ),
    _free("alarm.ack_all", "alarm_ack", (), "acknowledge all", "Acknowledge every alarm."),
    _free("alarm.unshelve", "alarm_unshelve", (), "unshelve", "Take the selected alarm back from the shelf."),
    _free(
        "list.approve",
        "list_approve",
        ("A",),
        "approve…",
        "Make the changes of the market list that wait; shows them first.",
        "confirm",
        panes=("list",),
    ),
    _free(
        "list.reject",
        "list_reject",
        ("N",),
        "reject…",
        "Leave the market list as it is; shows first what is turned down.",
        "confirm",
        panes=("list",),
    ),
    _free("list.refresh", "list_refresh", ("L",), "read the list", "Read the market list now.", panes=("list",)),
    _free("job.confirmed", "job_confirmed", (), "done", "Count the unknown inventory operation as done."),
    _free("job.failed", "job_failed", (), "failed", "Count the unknown inventory operation as failed."),
    _free("record.start", "record_start", (), "start", "Record the market channel of every market from now on."),
    _free("record.stop", "record_stop", (), "stop", "End the recording under way."),
)

_REST: Final = (
    _app("palette", ("ctrl+p",), "palette", "Find an act by its name.", 24),
    _app("theme", (), "next theme", "Other colours: the next theme.", action="next_theme"),
    _app("screenshot", (), "screenshot", "Write a picture of this page to a file.", action="picture"),
    _app(
        "quit",
        ("q",),
        "quit",
        "Leave; asks first. Its own session is stopped, all its orders cancelled; another process's goes on.",
        3,
        action="ask_quit",
        command="stop",
        friction="confirm",
        protected=True,
    ),
)

ACTS: Final[tuple[OperatorAct, ...]] = (*_APP, *_MARKET, *_VIEW, *_PANES, *_FREE, *_REST, *DIALOG_ACTS)
"""Every act, in the order of help and key bar."""

ACT_BY_ID: Final = {act.id: act for act in ACTS}
"""The same acts by id."""

ALIKE: Final[tuple[frozenset[str], ...]] = (
    frozenset({"market.pause", "all.pause"}),
    frozenset({"market.reduce", "all.reduce"}),
    frozenset({"market.resume", "all.resume"}),
    frozenset({"order.cancel", "all.cancel"}),
    frozenset({"market.flatten", "all.flatten"}),
    frozenset({"market.flatten_stop", "all.flatten_stop"}),
    frozenset({"app.kill", "all.kill", "kill.again"}),
    frozenset({"app.quit", "confirm.quit"}),
    frozenset({"view.back", "all.back", "kill.back", "confirm.no", "form.back", "entry.back"}),
    frozenset({"confirm.enter", "form.preview", "entry.keep"}),
    frozenset({"view.next_pane", "view.down", "form.next", "confirm.choose"}),
    frozenset({"view.previous_pane", "view.up", "form.previous"}),
    frozenset({"confirm.choose", "form.choose"}),
    frozenset({"form.erase", "entry.erase"}),
    frozenset({"market.previous", "all.kill", "kill.again"}),
)
"""Acts that may share a key, because it means the same in each of their scopes: one key has one meaning everywhere.

The last row is the one exception: the ``k`` of KILL is never a first key, it comes after the leader key or the kill
key, and where it comes too late it selects a market, which does no harm.
"""


def acts_in(scope: Scope) -> tuple[OperatorAct, ...]:
    """The acts of one scope, in order."""
    return tuple(act for act in ACTS if act.scope == scope)
