"""Reading fault scripts: TOML tables or a Python function (docs/exchange-scripts.md).

A script is read whole before anything starts; one mistake anywhere is one :class:`UsageError` that names file, line
and key, what was wrong and what is allowed.
"""

import contextlib
import re
import sys
import tomllib
import traceback
from pathlib import Path
from typing import Any

from core.errors import UsageError
from core.exchange.faults.lines import TableLines, table_lines
from core.exchange.faults.rules import Rule, RuleProblem, read_rule
from core.exchange.faults.verbs import VERBS


def load(path: Path) -> list[Rule]:
    """The rules of a script: ``.toml`` is read as tables, ``.py`` is run.

    Raises:
        UsageError: the file cannot be read, or there is a mistake in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); give a readable fault script") from error
    if path.suffix == ".toml":
        return read_toml(text, str(path))
    if path.suffix == ".py":
        return read_python(text, str(path))
    raise UsageError(f"{path}: a fault script is a .toml or a .py file")


def read_toml(text: str, name: str, *, at_once: bool = False) -> list[Rule]:
    """The rules of a TOML text; ``name`` is what errors call it.

    Args:
        text: the script.
        name: what errors call it.
        at_once: whether a fault without a trigger sets in at once; otherwise it is a mistake.

    Raises:
        UsageError: there is a mistake in it.
    """
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}:{_broken_line(text, error)}: not valid TOML: {error}; correct that place") from error
    tables = table_lines(text)
    faults = whole.get("fault", [])
    headers = [index for index, table in enumerate(tables) if table.array and table.name == "fault"]
    for key in whole:
        if key != "fault":
            raise UsageError(f"{name}:{_first_line(tables, key)}: {key}: unknown; a script has [[fault]] tables only")
    if not isinstance(faults, list) or len(headers) != len(faults):
        line = _first_line(tables, "fault")
        raise UsageError(f"{name}:{line}: fault: write each fault as a table of its own, headed [[fault]]")
    if not faults:
        raise UsageError(f"{name}:1: no fault in it; write at least one [[fault]] table")
    rules = []
    for number, keys in enumerate(faults):
        start = headers[number]
        stop = headers[number + 1] if number + 1 < len(headers) else len(tables)
        lines = _lines_of(tables[start:stop])
        try:
            rule = read_rule(keys, name, tables[start].line, lines)
            rules.append(rule if at_once else _triggered(rule))
        except RuleProblem as problem:
            raise UsageError(_said(name, _line_of(lines, problem.key, tables[start].line), problem)) from problem
    return rules


def _broken_line(text: str, error: tomllib.TOMLDecodeError) -> int:
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else text.count("\n") + 1


def _triggered(rule: Rule) -> Rule:
    trigger = rule.trigger
    if trigger.at is None and trigger.every is None and trigger.on is None and trigger.when is None:
        raise RuleProblem("", "nothing sets it off: give at, every, on or when")
    return rule


def _said(name: str, line: int, problem: RuleProblem) -> str:
    key = f"{problem.key}: " if problem.key else ""
    return f"{name}:{line}: {key}{problem.text}"


def _first_line(tables: list[TableLines], key: str) -> int:
    """Where a key of the whole text first stands, as a key or as a table's name."""
    for table in tables:
        if table.name.split(".")[0] == key and table.name:
            return table.line
        for each, line in table.keys.items():
            if not table.name and each.split(".")[0] == key:
                return line
    return 1


def _lines_of(part: list[TableLines]) -> dict[str, int]:
    """Where the keys of one fault stand: in its own table or in tables below it."""
    found: dict[str, int] = {}
    for table in part:
        prefix = table.name.removeprefix("fault").lstrip(".")
        if prefix:
            found.setdefault(prefix, table.line)
        for each, line in table.keys.items():
            found.setdefault(f"{prefix}.{each}" if prefix else each, line)
    return found


def _line_of(found: dict[str, int], key: str, otherwise: int) -> int:
    """The line of a key, of what is below it, or of what it is in."""
    while key:
        if key in found:
            return found[key]
        below = [line for each, line in found.items() if each.startswith(f"{key}.")]
        if below:
            return min(below)
        key = key.rpartition(".")[0]
    return otherwise


class Faults:
    """What a Python script is handed: one method.

    Example::

        def script(faults):
            faults.add("freeze", at=5, for_=20, market=0, tokens="yes")
            faults.add("reset", on="user:trade", nth=2, when=lambda facts: facts.open_orders >= 3)
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.rules: list[Rule] = []

    def add(self, do: str, **keys: Any) -> None:
        """Arm a fault. The keys are those of TOML, with ``for_`` for ``for``; ``when`` may be a function of Facts.

        Raises:
            UsageError: there is a mistake in the keys; it names the line of the call.
        """
        line = sys._getframe(1).f_lineno
        named = {("for" if key == "for_" else key): value for key, value in keys.items()}
        try:
            self.rules.append(_triggered(read_rule({"do": do} | named, self._name, line, {})))
        except RuleProblem as problem:
            raise UsageError(_said(self._name, line, problem)) from problem


def read_python(text: str, name: str) -> list[Rule]:
    """The rules that the function ``script(faults)`` of a Python text arms; what it prints goes to stderr.

    Raises:
        UsageError: it cannot be compiled, has no such function, raises, or arms nothing.
    """
    try:
        code = compile(text, name, "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise UsageError(f"{name}:{line}: not valid Python: {getattr(error, 'msg', error)}") from error
    faults = Faults(name)
    scope: dict[str, Any] = {"__name__": "fault_script", "__file__": name}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            exec(code, scope)
            script = scope.get("script")
            if not callable(script):
                raise UsageError(f"{name}:1: script: define the function script(faults)")
            script(faults)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        line = _line_in(error, name)
        raise UsageError(f"{name}:{line}: {type(error).__name__}: {error}") from error
    if not faults.rules:
        raise UsageError(f"{name}:1: script: arms no fault; call faults.add with one of {', '.join(VERBS)}")
    return faults.rules


def _line_in(error: BaseException, name: str) -> int:
    """The deepest line of the script that an error passed through."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    return (lines[-1] if lines else None) or 1
