"""Forms of the acts that need figures: their fields, and the command that filled-in fields mean. Without Textual.

Texts are checked here as far as a person's slip can be told without the session; the session checks again.
"""

import re
from collections.abc import Hashable, Mapping, Sequence
from typing import Final, cast, get_args

import msgspec

from core.events import Act, OperatorCommand
from core.profiles import AUTO
from core.quoting.adjust import SHIFT_LIMIT, SIZE_LIMIT, WIDEN_LIMIT, Sides
from core.views import AccountView, ConsoleView, ControlView, InventoryView, MarketView, SettingView
from polymm_tui.screens.form_parts import Field, Form, FormError, duration_of, number_of
from polymm_tui.screens.typed_forms import TYPED, held_words, typed_command
from widgets.data_words import is_believed
from widgets.format import clean, shares

_SHARES: Final = re.compile(r"^\d{1,9}(\.\d{1,2})?$")
"""Hundredths of a share are the least that the act carries; a comma could be read either way."""
_CHANGE: Final = re.compile(r"^([A-Za-z_]+)\s*=\s*(.*)$")

_HALF_LIFE: Final = Field("half_life", "half-life", "as 90s, 5m, 2h; empty: it does not fade")
_FOR: Final = Field("for", "for", "as 90s, 5m, 2h; empty: until somebody ends it")


def form_of(act: Act, market: MarketView, account: AccountView, controls: Sequence[ControlView] = ()) -> Form:
    """The form of an act on a market.

    Args:
        act: chosen; of the inventory operations and of control states the one that the form proposes.
        market: as last shown.
        account: as last shown.
        controls: every state in force, as last shown.

    Raises:
        KeyError: the act has no form.
    """
    present = {each.what: each for each in market.adjustments}
    fields: tuple[Field, ...]
    match act:
        case "widen":
            now = f"now {market.widen_ticks:+.3g}" if market.widen_ticks else "now as set"
            hint = f"ticks to add to each half-spread, negative tightens; {now}, {WIDEN_LIMIT:g} at most"
            fields = (Field("ticks", "by", hint, "1"), _HALF_LIFE, _FOR)
        case "shift":
            now = f"now {present['shift'].amount:+.3g}" if "shift" in present else "now not moved"
            hint = f"ticks, {SHIFT_LIMIT:g} at most either way, in place of what holds; {now}"
            fields = (Field("ticks", "fair by", hint), _HALF_LIFE, _FOR)
        case "one_side":
            now = present["one_side"].sides if "one_side" in present else "both"
            fields = (Field("sides", "quote", f"now {now}", "bid", choices=get_args(Sides)), _FOR)
        case "size":
            now = f"now x{present['size'].amount:.3g}" if "size" in present else "now x1"
            hint = f"factor 0 .. {SIZE_LIMIT:g}, in place of what holds; {now}; caps hold whatever it is"
            fields = (Field("factor", "sizes x", hint, "0.5"), _HALF_LIFE, _FOR)
        case "set":
            return _settings_form(market)
        case "merge" | "split" | "redeem" | "convert":
            return _inventory_form(act, market.inventory, account)
        case "pause" | "reduce" | "resume":
            return _control_form(act, [each for each in controls if each.market in ("", market.market)])
        case _:
            raise KeyError(act)
    return Form(act, _TITLES[act], fields)


_TITLES: Final[dict[str, str]] = {
    "widen": "Widen or tighten",
    "shift": "Shift the fair value",
    "one_side": "Quote one side",
    "size": "Sizes",
    "set": "Profile and settings",
}


OPERATIONS: Final[tuple[Act, ...]] = ("merge", "split", "redeem", "convert")
"""On the inventory; one form serves all."""


def _inventory_form(act: Act, held: InventoryView, account: AccountView) -> Form:
    fields = (
        Field("operation", "operation", "merge, split, redeem, convert", act, choices=OPERATIONS),
        Field("shares", "shares", "as 250 or 12.5; empty or 0: all that is free"),
    )
    notes = (
        f"held {shares(held.yes)} YES, {shares(held.no)} NO, {shares(held.pairs)} pairs",
        f"settled and in no order {shares(held.sellable_yes)} YES, {shares(held.sellable_no)} NO",
        "merge: pairs into a dollar each; split: dollars into pairs",
        "convert: NO of several outcomes of the event into YES of the others, and dollars",
        "redeem: " + ("the market is not resolved yet" if held.payout is None else "everything that is held"),
    )
    return Form(act, "Inventory operation", fields, (account.jobs_note, *notes) if account.jobs_note else notes)


CONTROLS: Final[tuple[Act, ...]] = ("pause", "reduce", "resume")
"""What one form sets of a market or of one side of it."""


def _control_form(act: Act, controls: Sequence[ControlView]) -> Form:
    fields = (
        Field("control", "do", "pause, reduce, resume", act, choices=CONTROLS),
        Field("sides", "side", "of the YES book", "both", choices=get_args(Sides)),
        _FOR,
        Field("reason", "reason", "in your words; it stands beside the state until it ends"),
    )
    return Form(act, "Pause, reduce or resume", fields, tuple(held_words(each) for each in controls), previews=False)


def flatten_subject(then: MarketView, view: ConsoleView) -> bool:
    """The preview of a flattening still holds: same shares, a book as well proven, its touch within a tick."""
    now = next((each for each in view.markets if each.market == then.market), None)
    if now is None or is_believed(now.data) != is_believed(then.data):
        return False
    if (now.inventory.yes, now.inventory.no) != (then.inventory.yes, then.inventory.no):
        return False
    pairs = ((then.bids, now.bids), (then.asks, now.asks))
    return then.tick_text == now.tick_text and all(
        bool(old) == bool(new) and (not old or abs(old[0].price - new[0].price) <= 1) for old, new in pairs
    )


def proposed_operation(held: InventoryView) -> Act:
    """The operation on the inventory that is likely meant."""
    if held.payout is not None:
        return "redeem"
    return "merge" if held.pairs > 0 else "split"


def subject_of(command: OperatorCommand, view: ConsoleView) -> Hashable | None:
    """What a question about a command rests on: when that changes, what was shown no longer holds.

    Of an inventory operation whose size is "all" that is what is held; None when the market is gone.
    """
    market = next((each for each in view.markets if each.market == command.market), None)
    if market is None:
        return None
    if command.act not in OPERATIONS:
        return market.tick_text
    held, jobs = market.inventory, view.account.jobs
    everything = (held.pairs, held.settled_yes, held.settled_no) if not command.amount else None
    return (held.payout, everything, jobs[-1].job_id if jobs else 0)


def _settings_form(market: MarketView) -> Form:
    fields = (
        Field("profile", "profile", f"now {clean(market.profile) or 'none'}", "keep", choices=_profiles(market)),
        Field("changes", "change", "as k_vol=3, inv_gamma=0.5; nothing after = takes a change back"),
    )
    ours = [each for each in market.settings if each.origin != "default"]
    return Form("set", _TITLES["set"], fields, tuple(_setting_words(each) for each in ours))


def _setting_words(setting: SettingView) -> str:
    unit = f" {setting.unit}" if setting.unit else ""
    return f"{setting.name} = {setting.value}{unit} ({setting.origin})"


def _profiles(market: MarketView) -> tuple[str, ...]:
    return ("keep", AUTO, *market.profiles)


def command_of(form: Form, texts: Mapping[str, str], market: str, view_seq: int) -> OperatorCommand:
    """The command that a filled-in form means.

    Args:
        form: the form.
        texts: text of each field by name.
        market: condition id.
        view_seq: sequence number of the view on show.

    Raises:
        FormError: a field cannot be used.
    """
    base = OperatorCommand(act=form.act, market=market, view_seq=view_seq)
    if form.act in CONTROLS:
        return _control_command(base, texts)
    if form.act in TYPED:
        return typed_command(form, texts, base)
    if form.act in OPERATIONS:
        act = cast(Act, texts["operation"])
        return msgspec.structs.replace(base, act=act, amount=_shares(texts["shares"].strip(), act))
    if form.act == "set":
        profile, changes = texts["profile"], _changes(texts["changes"])
        if profile == "keep" and not changes:
            raise FormError("changes", "nothing is changed: choose a profile or write a change as k_vol=3")
        return msgspec.structs.replace(base, profile="" if profile == "keep" else profile, changes=changes)
    if form.act == "one_side":
        return msgspec.structs.replace(base, sides=cast(Sides, texts["sides"]), for_s=duration_of(texts["for"], "for"))
    times = {"half_life_s": duration_of(texts["half_life"], "half_life"), "for_s": duration_of(texts["for"], "for")}
    if form.act == "size":
        return msgspec.structs.replace(base, amount=number_of(texts["factor"], "factor", 0.0, SIZE_LIMIT), **times)
    if form.act == "shift":
        return msgspec.structs.replace(
            base, amount=number_of(texts["ticks"], "ticks", -SHIFT_LIMIT, SHIFT_LIMIT), **times
        )
    ticks = number_of(texts["ticks"], "ticks", -2 * WIDEN_LIMIT, 2 * WIDEN_LIMIT)
    turned: Act = "widen" if ticks >= 0 else "tighten"
    return msgspec.structs.replace(base, act=turned, amount=abs(ticks), **times)


def _control_command(base: OperatorCommand, texts: Mapping[str, str]) -> OperatorCommand:
    act = cast(Act, texts["control"])
    for_s = duration_of(texts["for"], "for")
    if act == "resume" and for_s is not None:
        raise FormError("for", "a resume has no time: leave this empty")
    sides = cast(Sides, texts["sides"])
    return msgspec.structs.replace(base, act=act, sides=sides, for_s=for_s, reason=texts["reason"].strip())


def _shares(text: str, act: Act) -> float:
    """Shares; 0.0 for all that is free."""
    if text and _SHARES.match(text) is None:
        raise FormError("shares", f"wants shares with two decimals at most, as 250 or 12.5, not {text!r}")
    size = float(text or 0)
    if act == "split" and not size:
        raise FormError("shares", "a split wants a number: so many dollars become so many pairs")
    if act == "redeem" and size:
        raise FormError("shares", "a redemption takes all that is held: leave this empty")
    return size


def _changes(text: str) -> tuple[tuple[str, str], ...]:
    changes: list[tuple[str, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _CHANGE.match(part)
        if match is None:
            raise FormError("changes", f"{part!r} is no change: write it as k_vol=3")
        changes.append((match[1].lower(), match[2].strip()))
    return tuple(changes)
