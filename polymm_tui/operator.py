"""ONE table of everything an operator can do: keys, footer, help, palette and key map are all made from it."""

from dataclasses import dataclass
from typing import Final, Literal, cast

from core.events import Act

Scope = Literal["app", "main", "leader", "kill", "confirm", "form"]
"""Where an act's keys work. ``app`` works on every page but not behind a dialog, unless the act has priority."""
Friction = Literal["none", "confirm", "chord", "form", "typed"]
"""What stands between the key and the act: nothing, a question, a second key within two seconds, a form to fill in
(and then a question that tells what would change, where the session can tell it), or a word to type."""

ACTIVE_TOGETHER: Final[tuple[frozenset[Scope], ...]] = (
    frozenset({"app", "main"}),
    frozenset({"leader"}),
    frozenset({"kill"}),
    frozenset({"confirm"}),
    frozenset({"form"}),
)
"""Sets of scopes whose keys work at the same time; acts with priority join every set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorAct:
    """One thing an operator can do."""

    id: str
    """``group.name``, the table and key of the key map file."""
    scope: Scope
    keys: tuple[str, ...]
    """Default keys: one printable character or a name such as ``pageup``; () is in the palette alone."""
    action: str
    """What Textual calls on the screen, or on the app when it begins with ``app.``."""
    word: str
    sentence: str
    command: Act | None = None
    """What leaves for the session."""
    choices: tuple[Act, ...] = ()
    """What its form may send in place of ``command``; the palette names each."""
    friction: Friction = "none"
    rank: int = 0
    """Place in the order in which the key bar drops words, 1 last; 0 is never in the bar."""
    priority: bool = False
    """Works through dialogs too."""
    protected: bool = False
    """Must keep a key."""

    @property
    def trades(self) -> bool:
        """The act changes orders or what may be ordered."""
        return self.command is not None

    @property
    def group(self) -> str:
        """First half of the id."""
        return self.id.partition(".")[0]


def _market(
    name: Act, key: str, word: str, sentence: str, rank: int, friction: Friction = "none", identity: str = ""
) -> OperatorAct:
    """An act on the selected market; its id is its command's name unless one is given."""
    identity = identity or f"market.{name}"
    return OperatorAct(
        id=identity,
        scope="main",
        keys=(key,),
        action=f"app.trade('{identity}')",
        word=word,
        sentence=sentence,
        command=name,
        rank=rank,
        friction=friction,
    )


def _all(
    name: Act, key: str, word: str, sentence: str, rank: int, protected: bool = False, friction: Friction = "none"
) -> OperatorAct:
    identity = f"all.{name.removesuffix('_all')}"
    return OperatorAct(
        id=identity,
        scope="leader",
        keys=(key,),
        action=f"trade('{identity}')",
        word=word,
        sentence=sentence,
        command=name,
        rank=rank,
        protected=protected,
        friction=friction,
    )


def _list(name: str, key: str, sentence: str, friction: Friction, word: str = "") -> OperatorAct:
    """An act on the market list, which needs no market."""
    return OperatorAct(
        id=f"list.{name}",
        scope="app",
        keys=(key,),
        action=f"app.trade('list.{name}')",
        word=word or f"{name}…",
        sentence=sentence,
        command=cast(Act, f"list_{name}"),
        friction=friction,
    )


def _look(identity: str, keys: tuple[str, ...], action: str, word: str, sentence: str, rank: int = 0) -> OperatorAct:
    return OperatorAct(id=identity, scope="main", keys=keys, action=action, word=word, sentence=sentence, rank=rank)


ACTS: Final[tuple[OperatorAct, ...]] = (
    OperatorAct(
        id="app.help",
        scope="app",
        keys=("?",),
        action="app.help",
        word="help",
        sentence="What every key does now.",
        rank=1,
        protected=True,
    ),
    OperatorAct(
        id="app.leader",
        scope="app",
        keys=("!",),
        action="app.leader",
        word="all…",
        sentence="Acts on all markets at once; a second key says which.",
        rank=2,
        protected=True,
    ),
    OperatorAct(
        id="app.kill",
        scope="app",
        keys=("f12",),
        action="app.kill",
        word="KILL",
        sentence="First half of KILL, through dialogs too; again within two seconds does it.",
        command="kill",
        friction="chord",
        priority=True,
        protected=True,
    ),
    OperatorAct(
        id="app.rearm",
        scope="app",
        keys=(),
        action="app.trade('app.rearm')",
        word="re-arm…",
        sentence="Lift a kill, a loss or a drawdown stop; wants a typed word and a reason.",
        command="rearm",
        friction="typed",
    ),
    _market("pause", "p", "pause", "Stop quoting this market and cancel its orders.", 4),
    _market("reduce", "d", "reduce", "Only orders that reduce this market's position; cancels the others.", 9),
    _market("resume", "r", "resume", "Let this market be quoted again.", 5),
    OperatorAct(
        id="market.control",
        scope="main",
        keys=("b",),
        action="app.trade('market.control')",
        word="side, timer…",
        sentence="Pause, reduce or resume this market or one side of it, for a time if wanted.",
        command="pause",
        choices=("pause", "reduce", "resume"),
        friction="form",
        rank=13,
    ),
    _market("widen", "w", "widen", "Quote this market one tick further from fair on both sides.", 9),
    _market("tighten", "W", "tighten", "Take one tick of widening back.", 10),
    _market(
        "cancel_market",
        "X",
        "cancel",
        "Cancel every order of this market; quoting goes on afterwards.",
        6,
        identity="market.cancel",
    ),
    _market(
        "flatten", "F", "flatten", "Close the position of this market; shows route and cost, then asks.", 7, "confirm"
    ),
    _market("flatten_stop", "f", "stop flattening", "Stop closing this market's position; what is left stays.", 16),
    _market(
        "widen",
        "a",
        "adjust…",
        "Widen or tighten by any ticks, fading or for a time; shows first what it re-quotes.",
        14,
        "form",
        identity="market.adjust",
    ),
    _market("shift", "s", "shift…", "Move the fair value by ticks, fading or for a time; shows it first.", 16, "form"),
    _market("one_side", "o", "one side…", "Quote the bid or the ask only; shows it first.", 17, "form"),
    _market("size", "S", "sizes…", "Multiply all sizes, fading or for a time; shows it first.", 18, "form"),
    _market("reset", "R", "reset", "End every adjustment of this market.", 19),
    _market("set", "e", "settings…", "Change profile and settings of this market; shows it first.", 15, "form"),
    OperatorAct(
        id="market.inventory",
        scope="main",
        keys=("i",),
        action="app.trade('market.inventory')",
        word="merge, split…",
        sentence="Merge, split, redeem or convert shares of this market; shows first what it changes.",
        command="merge",
        choices=("merge", "split", "redeem", "convert"),
        friction="form",
        rank=20,
    ),
    _look("view.switch", ("v",), "switch_pane", "ladder", "Table or ladder where only one has room.", 8),
    _look("view.zoom", ("z",), "zoom", "zoom", "Give the whole page to the pane in focus, and back.", 11),
    _look("view.recentre", ("c",), "recentre", "centre", "Put the market's middle into the middle of the ladder.", 12),
    _look("view.theme", ("t",), "app.next_theme", "theme", "Next theme: dark, light, contrast, mono."),
    _look("market.next", ("down", "j"), "select(1)", "next", "Select the next market."),
    _look("market.previous", ("up", "k"), "select(-1)", "previous", "Select the previous market."),
    _look("view.page_down", ("pagedown",), "page(1)", "page down", "Scroll the pane in focus down."),
    _look("view.page_up", ("pageup",), "page(-1)", "page up", "Scroll the pane in focus up."),
    _look("view.next_pane", ("tab",), "focus_pane(1)", "next pane", "Focus the next pane on show."),
    _look("view.previous_pane", ("shift+tab",), "focus_pane(-1)", "previous pane", "Focus the pane before."),
    _look("pane.markets", ("1",), "pane('markets')", "markets", "Go to the market table."),
    _look("pane.ladder", ("2",), "pane('ladder')", "ladder", "Go to the ladder."),
    _look("pane.orders", ("3",), "pane('orders')", "orders", "Go to the orders."),
    _look("pane.events", ("4",), "pane('events')", "events", "Go to the event log."),
    _look("pane.money", ("5",), "pane('money')", "money", "Go to quote, data, inventory and profit."),
    _look("pane.why", ("6",), "pane('why')", "why", "Go to all terms of every quote of this market.", 9),
    _look("pane.results", ("7",), "pane('results')", "results", "Go to markouts, rewards and cancels."),
    _look(
        "pane.findings",
        ("8",),
        "pane('findings')",
        "findings",
        "Go to findings, what is not ours, and what the venue lets us do.",
        9,
    ),
    _look(
        "pane.inventory",
        ("9",),
        "pane('inventory')",
        "inventory",
        "Go to the account: holdings, profit and inventory operations of all markets.",
        9,
    ),
    _look(
        "pane.risk",
        ("0",),
        "pane('risk')",
        "risk",
        "Go to what stops orders: kill switch, states, caps, protections, denials.",
        8,
    ),
    _look(
        "pane.list",
        ("l",),
        "pane('market_list')",
        "market list",
        "Go to the market list: what is made and why, what the screen says, what waits for approval.",
    ),
    _list("approve", "A", "Make the changes of the market list that wait; shows them first.", "confirm"),
    _list("reject", "N", "Leave the market list as it is; shows first what is turned down.", "confirm"),
    _list("refresh", "L", "Read the market list now.", "none", "read the list"),
    OperatorAct(
        id="app.palette",
        scope="app",
        keys=("ctrl+p",),
        action="app.palette",
        word="palette",
        sentence="Find an act by its name.",
        rank=13,
    ),
    OperatorAct(
        id="app.quit",
        scope="app",
        keys=("q",),
        action="app.ask_quit",
        word="quit",
        sentence="Stop the session: cancel all its orders, then leave; asks first.",
        friction="confirm",
        rank=3,
        protected=True,
    ),
    _all("pause_all", "p", "pause all", "Stop quoting everywhere and cancel all orders.", 1, protected=True),
    _all(
        "reduce_all",
        "d",
        "reduce all",
        "Only orders that reduce a position, everywhere; cancels the others.",
        2,
        protected=True,
    ),
    _all(
        "resume_all",
        "r",
        "resume all",
        "Quote again after pause all, reduce all or cancel only; markets that were paused one by one stay so.",
        3,
    ),
    _all(
        "cancel_all",
        "x",
        "cancel all",
        "Cancel every order on the account, also what is not ours; quoting goes on afterwards.",
        4,
        protected=True,
    ),
    _all(
        "flatten_all",
        "f",
        "flatten all…",
        "Close every position; shows route and cost, and wants a typed word.",
        6,
        friction="typed",
    ),
    _all("flatten_stop", "s", "stop flattening", "Stop closing positions everywhere; what is left stays.", 7),
    _all(
        "job_confirmed",
        "c",
        "job is done",
        "Count the unknown inventory operation as done.",
        8,
    ),
    _all(
        "job_failed",
        "n",
        "job failed",
        "Count the unknown inventory operation as failed.",
        9,
    ),
    OperatorAct(
        id="all.kill",
        scope="leader",
        keys=("k",),
        action="app.kill",
        word="KILL…",
        sentence="First half of KILL; a second key within two seconds does it.",
        command="kill",
        friction="chord",
        rank=5,
        protected=True,
    ),
    OperatorAct(
        id="all.back",
        scope="leader",
        keys=("escape",),
        action="back",
        word="back",
        sentence="Leave without doing anything.",
        rank=10,
    ),
    OperatorAct(
        id="kill.again",
        scope="kill",
        keys=("k",),
        action="again",
        word="KILL NOW",
        sentence="Second half of KILL: cancel everything, and place nothing until somebody re-arms.",
        command="kill",
        friction="chord",
        rank=1,
        protected=True,
    ),
    OperatorAct(
        id="kill.back",
        scope="kill",
        keys=("escape",),
        action="back",
        word="back",
        sentence="Leave without killing.",
        rank=2,
    ),
    OperatorAct(
        id="confirm.yes",
        scope="confirm",
        keys=("y",),
        action="answer(True)",
        word="yes",
        sentence="Do what the question says.",
        rank=1,
        protected=True,
    ),
    OperatorAct(
        id="confirm.no",
        scope="confirm",
        keys=("n", "escape"),
        action="answer(False)",
        word="no",
        sentence="Leave everything as it is.",
        rank=2,
    ),
    OperatorAct(
        id="confirm.quit",
        scope="confirm",
        keys=("q",),
        action="answer_quit",
        word="quit",
        sentence="Say yes to quitting with the key that asked.",
    ),
    OperatorAct(
        id="confirm.choose",
        scope="confirm",
        keys=("tab", "left", "right"),
        action="choose",
        word="other",
        sentence="Mark the other answer.",
        rank=3,
    ),
    OperatorAct(
        id="confirm.enter",
        scope="confirm",
        keys=("enter",),
        action="enter",
        word="take marked",
        sentence="Give the marked answer; at first that is the safe one.",
        rank=4,
    ),
    OperatorAct(
        id="form.preview",
        scope="form",
        keys=("enter",),
        action="preview",
        word="show what it does",
        sentence="Check the fields and show what would change; asks before it is done.",
        rank=1,
    ),
    OperatorAct(
        id="form.next",
        scope="form",
        keys=("tab", "down"),
        action="go(1)",
        word="next field",
        sentence="Go to the next field.",
        rank=3,
    ),
    OperatorAct(
        id="form.previous",
        scope="form",
        keys=("shift+tab", "up"),
        action="go(-1)",
        word="field before",
        sentence="Go to the field before.",
    ),
    OperatorAct(
        id="form.choose",
        scope="form",
        keys=("right", "left"),
        action="choose",
        word="other choice",
        sentence="Take the next choice of a field that has choices.",
        rank=4,
    ),
    OperatorAct(
        id="form.erase",
        scope="form",
        keys=("backspace", "delete"),
        action="erase",
        word="erase",
        sentence="Take the last character of the field away.",
    ),
    OperatorAct(
        id="form.back",
        scope="form",
        keys=("escape",),
        action="back",
        word="back",
        sentence="Leave without doing anything.",
        rank=2,
        protected=True,
    ),
)
"""Every act, in the order of help and key bar."""

ACT_BY_ID: Final = {act.id: act for act in ACTS}
"""The same acts by id."""


def acts_in(scope: Scope) -> tuple[OperatorAct, ...]:
    """The acts of one scope, in order."""
    return tuple(act for act in ACTS if act.scope == scope)
