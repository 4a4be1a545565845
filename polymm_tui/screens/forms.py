"""Forms of the acts that need figures: their fields, and the command that filled-in fields mean. Without Textual.

Texts are checked here as far as a person's slip can be told without the session; the session checks again.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast, get_args

import msgspec

from core.events import Act, OperatorCommand
from core.profiles import AUTO
from core.quoting.adjust import LONGEST_S, SHIFT_LIMIT, SIZE_LIMIT, WIDEN_LIMIT, Sides
from core.views import MarketView, SettingView

_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION: Final = re.compile(r"^(\d+(?:\.\d+)?|\.\d+)\s*([smhd]?)$")
_CHANGE: Final = re.compile(r"^([A-Za-z_]+)\s*=\s*(.*)$")


class FormError(ValueError):
    """A field cannot be used as filled in; the text says what it wants."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field
        """Name of the field."""


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form."""

    name: str
    label: str
    hint: str
    """What it wants, shown beside it."""
    text: str = ""
    """What stands in it at first."""
    choices: tuple[str, ...] = ()
    """The only texts it may have; () for free text."""


@dataclass(frozen=True, slots=True)
class Form:
    """What an operator fills in for one act."""

    act: Act
    title: str
    fields: tuple[Field, ...]
    notes: tuple[str, ...] = ()
    """Lines below the fields: what holds now."""


_HALF_LIFE: Final = Field("half_life", "half-life", "as 90s, 5m, 2h; empty: it does not fade")
_FOR: Final = Field("for", "for", "as 90s, 5m, 2h; empty: until somebody ends it")


def form_of(act: Act, market: MarketView) -> Form:
    """The form of an act on a market.

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


def _settings_form(market: MarketView) -> Form:
    fields = (
        Field("profile", "profile", f"now {market.profile or 'none'}", "keep", choices=_profiles(market)),
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
    if form.act == "set":
        profile, changes = texts["profile"], _changes(texts["changes"])
        if profile == "keep" and not changes:
            raise FormError("changes", "nothing is changed: choose a profile or write a change as k_vol=3")
        return msgspec.structs.replace(base, profile="" if profile == "keep" else profile, changes=changes)
    if form.act == "one_side":
        return msgspec.structs.replace(base, sides=cast(Sides, texts["sides"]), for_s=_duration(texts["for"], "for"))
    times = {"half_life_s": _duration(texts["half_life"], "half_life"), "for_s": _duration(texts["for"], "for")}
    if form.act == "size":
        return msgspec.structs.replace(base, amount=_number(texts["factor"], "factor", 0.0, SIZE_LIMIT), **times)
    if form.act == "shift":
        return msgspec.structs.replace(
            base, amount=_number(texts["ticks"], "ticks", -SHIFT_LIMIT, SHIFT_LIMIT), **times
        )
    ticks = _number(texts["ticks"], "ticks", -2 * WIDEN_LIMIT, 2 * WIDEN_LIMIT)
    act: Act = "widen" if ticks >= 0 else "tighten"
    return msgspec.structs.replace(base, act=act, amount=abs(ticks), **times)


def _number(text: str, field: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise FormError(field, f"wants a number {low:g} .. {high:g}, not {text!r}")
    return value


def _duration(text: str, field: str) -> float | None:
    """Seconds; None for an empty text."""
    if not text.strip():
        return None
    match = _DURATION.match(text.strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else math.nan
    if not 0.0 < seconds <= LONGEST_S:
        raise FormError(
            field, f"wants a time as 90s, 5m, 2h, at most {LONGEST_S / 86_400:g}d, or nothing, not {text!r}"
        )
    return seconds


def _changes(text: str) -> tuple[tuple[str, str], ...]:
    changes: list[tuple[str, str]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = _CHANGE.match(part)
        if match is None:
            raise FormError("changes", f"{part!r} is no change: write it as k_vol=3")
        changes.append((match[1].lower(), match[2].strip()))
    return tuple(changes)
