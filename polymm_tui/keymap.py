"""Reads key maps and checks them against the operator table before the console starts.

Textual accepts any map, also one that takes the kill key away; so every check is made here. A map with one error is
not used at all: the built-in keys are, and the messages say file, line and remedy. Without Textual, so that
``polymm-tui keys`` is quick.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

from polymm_tui.operator import ACT_BY_ID, ACTIVE_TOGETHER, ACTS, ALIKE, TYPED_INTO, OperatorAct

_ARROWS: Final = frozenset({"up", "down", "left", "right", "home", "end", "pageup", "pagedown"})
_EDITING: Final = frozenset({"tab", "enter", "escape", "space", "insert", "delete", "backspace"})
_FUNCTION: Final = frozenset(f"f{number}" for number in range(1, 13))
_TAKEN_FUNCTION: Final = frozenset({"f1", "f10", "f11"})
"""Help, menu and full screen of common terminals."""
_NEVER_TRADES: Final = _ARROWS | _EDITING
"""Keys that come out of cursor movement, type-ahead or a broken escape sequence."""
_TAKEN_CONTROL: Final = {
    "a": "tmux and screen take it",
    "b": "tmux takes it",
    "c": "it interrupts",
    "h": "it arrives as backspace",
    "i": "it arrives as tab",
    "j": "it arrives as enter",
    "m": "it arrives as enter",
    "q": "terminals use it for flow control",
    "s": "terminals use it for flow control",
    "z": "it suspends",
}
_SECTION: Final = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?$")
_ENTRY: Final = re.compile(r"^\s*([A-Za-z0-9_.\-\"' ]+?)\s*=")


class KeymapResult(NamedTuple):
    """The keys to use, and what was wrong with the maps that are not used."""

    keys: Mapping[str, tuple[str, ...]]
    """Act id to its keys, for every act."""
    origins: Mapping[str, str]
    """Act id to ``default`` or the file that names its keys."""
    messages: tuple[str, ...]
    """One per error; empty when every map was taken."""

    def textual(self) -> dict[str, str]:
        """The map in the form Textual takes."""
        return {identity: ",".join(map(_textual_name, keys)) for identity, keys in self.keys.items() if keys}

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Id, keys (or where it is found without one), origin and sentence of every act, in order of the table."""
        return [(act.id, " ".join(self.keys[act.id]) or "palette", self.origins[act.id], act.sentence) for act in ACTS]


@dataclass(frozen=True, slots=True)
class _Entry:
    act: OperatorAct
    keys: tuple[str, ...]
    place: str
    """``file:line`` for messages."""
    origin: str


def builtin_keymap(messages: Sequence[str] = ()) -> KeymapResult:
    """The keys of the operator table."""
    return KeymapResult({act.id: act.keys for act in ACTS}, {act.id: "default" for act in ACTS}, tuple(messages))


def default_keymap_path() -> Path | None:
    """The ``keymap.toml`` that ships with the program; None when it is missing.

    An installed wheel has it inside the package, a checkout at its root.
    """
    package = Path(__file__).parent
    return next((path for path in (package / "keymap.toml", package.parent / "keymap.toml") if path.is_file()), None)


def user_keymap_path() -> Path:
    """Where the operator's own map is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "polymm-tui" / "keymap.toml"


def keymap_text(result: KeymapResult) -> str:
    """The table in force as aligned lines: id, keys, where they are from, what they do."""
    rows = result.rows()
    widths = [max(len(row[place]) for row in rows) for place in range(3)]
    return "\n".join(
        f"{identity:<{widths[0]}}  {keys:<{widths[1]}}  {origin:<{widths[2]}}  {sentence}"
        for identity, keys, origin, sentence in rows
    )


def load_keymap(user_path: Path | None = None, default_path: Path | None = None) -> KeymapResult:
    """Read the shipped map and lay the operator's own over it.

    Args:
        user_path: the operator's map; not an error when there is no such file.
        default_path: the shipped map; None looks for it where it lies.

    Returns:
        The merged map, or the built-in one together with messages if anything is wrong with either file.
    """
    messages: list[str] = []
    entries = {act.id: _Entry(act, act.keys, "default", "default") for act in ACTS}
    for path, origin in ((default_path or default_keymap_path(), "default"), (user_path, str(user_path))):
        if path is not None and path.is_file():
            for entry in _read(path, origin, messages):
                entries[entry.act.id] = entry
    if not messages:
        messages += [*(_clashes(entries) or _ambiguities(entries)), *_unprotected(entries)]
    if messages:
        return builtin_keymap(messages)
    return KeymapResult(
        {identity: entry.keys for identity, entry in entries.items()},
        {identity: entry.origin for identity, entry in entries.items()},
        (),
    )


def key_text(key: str) -> str:
    """A key as an operator writes it on a label."""
    signs = {"up": "↑", "down": "↓", "left": "←", "right": "→", "escape": "esc", "pageup": "pgup", "pagedown": "pgdn"}
    if key.startswith("ctrl+"):
        return f"^{key.removeprefix('ctrl+').upper()}"
    return signs.get(key, key)


def _read(path: Path, origin: str, messages: list[str]) -> Iterator[_Entry]:
    """Entries of a file; what is wrong with it goes to ``messages``."""
    try:
        source = path.read_text(encoding="utf-8")
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        messages.append(f"{path}:{line[1] if line else 1}: not valid TOML: {error}")
        return
    except (OSError, UnicodeDecodeError) as error:
        messages.append(f"{path}:1: cannot be read: {error}")
        return
    lines = _lines(source)
    for identity, value in _flat(document):
        place = f"{path}:{lines.get(identity, 1)}"
        act = ACT_BY_ID.get(identity)
        if act is None:
            near = difflib.get_close_matches(identity, ACT_BY_ID, 1, 0.3)
            messages.append(f"{place}: there is no act {identity!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
            continue
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(key, str) for key in values):
            messages.append(f"{place}: {identity} needs a key as text, or a list of keys")
            continue
        keys = tuple(dict.fromkeys(_canonical(key) for key in values))
        wrong = [f"{place}: {identity} cannot be {key!r}: {why}" for key in keys if (why := _objection(act, key))]
        messages += wrong
        if not wrong:
            yield _Entry(act, keys, place, origin)


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _lines(source: str) -> dict[str, int]:
    """Line number of every entry, by id."""
    found: dict[str, int] = {}
    section = ""
    for number, line in enumerate(source.splitlines(), 1):
        if match := _SECTION.match(line):
            section = re.sub(r"[\"' ]", "", match[1]) + "."
        elif match := _ENTRY.match(line):
            found.setdefault(section + re.sub(r"[\"' ]", "", match[1]), number)
    return found


def _canonical(key: str) -> str:
    """One spelling for one key: symbols as themselves, names and modifiers in small letters."""
    stripped = key.strip() if key != " " else "space"
    if len(stripped) == 1:
        return stripped
    *modifiers, name = stripped.split("+") if not stripped.endswith("+") else [*stripped[:-1].split("+"), "+"]
    return "+".join([*sorted(part.lower() for part in modifiers if part), name.lower()])


def _objection(act: OperatorAct, key: str) -> str:
    """Why an act may not have a key; "" if it may."""
    if not act.keys:
        return "it is in the palette alone"
    if len(key) == 1:
        if act.scope in TYPED_INTO:
            return "characters are typed into the fields"
        return "" if key.isascii() and key.isprintable() else "only ASCII characters arrive everywhere"
    *modifiers, name = key.split("+")
    if "alt" in modifiers:
        return "alt is the first half of an escape sequence in many terminals"
    if modifiers == ["ctrl"] and len(name) == 1 and name.isalpha() and name.isascii():
        return _TAKEN_CONTROL.get(name, "")
    if name not in _ARROWS | _EDITING | _FUNCTION or not set(modifiers) <= {"ctrl", "shift"}:
        return "there is no such key"
    if not modifiers and name in _TAKEN_FUNCTION:
        return "terminals take it for themselves"
    if modifiers and name in _EDITING and key != "shift+tab":
        return "terminals do not send it"
    if name in _NEVER_TRADES and act.trades:
        return "this key must never move money"
    if name in _NEVER_TRADES and act.id == "confirm.yes":
        return "a yes needs a key of its own"
    return ""


def _sets() -> list[list[str]]:
    """Ids of the acts whose keys work at the same time."""
    return [[act.id for act in ACTS if act.scope in scopes or act.priority] for scopes in ACTIVE_TOGETHER]


def _clashes(entries: Mapping[str, _Entry]) -> list[str]:
    messages: dict[str, None] = {}
    for identities in _sets():
        owners: dict[str, _Entry] = {}
        for identity in identities:
            entry = entries[identity]
            for key in entry.keys:
                other = owners.setdefault(key, entry)
                if other is not entry:
                    messages[_clash(key, other, entry)] = None
    return list(messages)


def _ambiguities(entries: Mapping[str, _Entry]) -> list[str]:
    """Keys that would mean one thing here and another there: a key pressed a moment too late must do no harm."""
    owners: dict[str, list[_Entry]] = {}
    for entry in entries.values():
        for key in entry.keys:
            owners.setdefault(key, []).append(entry)
    return [
        _clash(key, first, second) + ": one key means one thing everywhere"
        for key, entries_of in owners.items()
        for first, second in combinations(entries_of, 2)
        if not _meet(first.act, second.act) and not any({first.act.id, second.act.id} <= alike for alike in ALIKE)
    ]


def _meet(first: OperatorAct, second: OperatorAct) -> bool:
    """Their keys work at the same time."""
    return first.priority or second.priority or any({first.scope, second.scope} <= scopes for scopes in ACTIVE_TOGETHER)


def _clash(key: str, first: _Entry, second: _Entry) -> str:
    if second.origin == "default":
        first, second = second, first
    where = " (its default)" if first.origin == "default" else f" ({first.place})"
    return f"{second.place}: {second.act.id} has the key {key!r} of {first.act.id}{where}"


def _unprotected(entries: Mapping[str, _Entry]) -> list[str]:
    messages = [
        f"{entry.place}: {entry.act.id} must keep a key"
        for entry in entries.values()
        if entry.act.keys and not entry.keys
    ]
    kill = entries["app.kill"]
    if kill.keys and all(len(key) == 1 for key in kill.keys):
        messages.append(
            f"{kill.place}: app.kill must keep a key that is no character, such as 'f12', to work everywhere"
        )
    return messages


def _textual_name(key: str) -> str:
    return "comma" if key == "," else key
