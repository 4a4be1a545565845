"""Where in a TOML text a key stands: tomllib tells no positions, and an error without a line is half an error."""

import re
from typing import Final

import msgspec

_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:\\.|[^"\\\n])*"|' r"'[^'\n]*'",
    re.DOTALL,
)
_PIECE: Final = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_PART: Final = re.compile(_PIECE)
_KEY: Final = re.compile(rf"[ \t]*({_PIECE}(?:[ \t]*\.[ \t]*{_PIECE})*)[ \t]*=")


class TableLines(msgspec.Struct):
    """One table as it stands in a text."""

    name: str
    """With dots; empty for what stands before the first header."""
    array: bool
    """Written with two brackets."""
    line: int
    keys: dict[str, int]
    """Dotted key to its line."""


def table_lines(text: str) -> list[TableLines]:
    """The tables of a *valid* TOML text in order, with the lines of their headers and keys, counted from 1."""
    tables = [TableLines(name="", array=False, line=1, keys={})]
    position = 0
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        head = text[position:end].strip()
        if not head or head.startswith("#"):
            position = end + 1
        elif head.startswith("["):
            array = head.startswith("[[")
            name = head[1 + array : head.index("]")]
            tables.append(TableLines(name=_dotted(name), array=array, line=line, keys={}))
            position = end + 1
        else:
            found = _KEY.match(text, position)
            assert found is not None, "the text was parsed before"
            tables[-1].keys[_dotted(found[1])] = line
            position = _after_value(text, found.end(), tables[-1].keys, _dotted(found[1]))
    return tables


def _dotted(name: str) -> str:
    return ".".join(part.strip("\"'") for part in _PART.findall(name))


def _after_value(text: str, position: int, keys: dict[str, int], above: str) -> int:
    """Just behind the line a value ends on; notes the keys of inline tables on the way."""
    depth: list[str] = []
    fresh = False
    while position < len(text):
        char = text[position]
        if fresh and char not in " \t,}\n\r":
            found = _KEY.match(text, position)
            if found is not None:
                keys.setdefault(f"{above}.{_dotted(found[1])}", text.count("\n", 0, position) + 1)
                position = found.end()
                fresh = False
                continue
        if char in "\"'":
            found = _STRING.match(text, position)
            assert found is not None, "the text was parsed before"
            position = found.end()
            continue
        if char == "#":
            position = text.find("\n", position)
            if position < 0:
                return len(text)
            continue
        if char in "[{":
            depth.append(char)
            fresh = char == "{"
        elif char in "]}":
            depth.pop()
            fresh = False
        elif char == ",":
            fresh = bool(depth) and depth[-1] == "{"
        elif char == "\n" and not depth:
            return position + 1
        position += 1
    return position
