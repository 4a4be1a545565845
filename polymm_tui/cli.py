"""The command line: arguments in, exit code out. Imports nothing heavy until a command needs it."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from core.config import Effective, load
from core.errors import PolymmError, UsageError
from polymm_tui import __version__


class _Parser(argparse.ArgumentParser):
    """Says what was wrong in one line."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see `{self.prog} --help`")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except PolymmError as error:
        print(f"polymm-tui: {error}", file=sys.stderr)  # noqa: T201
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 15


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="polymm-tui", description="A market maker for Polymarket with a terminal console.")
    parser.add_argument("--version", action="version", version=f"polymm-tui {__version__}")
    parser.add_argument("--mode", choices=("demo", "paper", "live"), help="what stands at both ends (default: demo)")
    _add_common(parser)
    parser.add_argument("--duration", type=_seconds, metavar="SECONDS", help="stop in order after this")
    parser.add_argument("--seed", type=int, help="seed of the demo exchange and of layer jitter")
    parser.set_defaults(run=_run_session)
    commands = parser.add_subparsers(title="commands", metavar="replay | config")
    replay = commands.add_parser("replay", help="play a recording through the engine")
    replay.add_argument("file", type=Path, metavar="FILE", help="recording: JSON lines, plain or gzip")
    replay.add_argument("--speed", type=_speed, metavar="X|max", help="recorded seconds per second, or max")
    replay.add_argument(
        "--gamma", type=Path, metavar="FILE", help="Gamma markets: names, minimum sizes, neg-risk flags"
    )
    _add_common(replay)
    replay.set_defaults(run=_run_replay)
    config = commands.add_parser("config", help="settings")
    shows = config.add_subparsers(required=True, metavar="show")
    show = shows.add_parser("show", help="effective values, units and origin")
    _add_config(show)
    show.add_argument("--json", action="store_true", help="as one JSON list")
    show.set_defaults(run=_show_config)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings, TOML")


def _add_common(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument("--no-ui", action="store_true", help="no console; the log goes to stderr")
    parser.add_argument("--json", action="store_true", help="the last line on stdout is one JSON object")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return value


def _speed(text: str) -> float | str:
    if text == "max":
        return text
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is neither a positive number nor max")
    return value


def _settings(options: argparse.Namespace, **flags: Any) -> Effective:
    """Settings of the file given, else of the user's file if there is one, the environment and the flags."""
    path = options.config
    if path is None:
        base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
        usual = Path(base) / "polymm-tui" / "config.toml"
        path = usual if usual.exists() else None
    return load(path, os.environ, flags)


def _run_session(options: argparse.Namespace) -> int:
    from polymm_tui.launch import run_session

    settings = _settings(options, mode=options.mode, seed=options.seed).settings
    return run_session(settings, with_console=not options.no_ui, duration_s=options.duration, as_json=options.json)


def _run_replay(options: argparse.Namespace) -> int:
    from polymm_tui.launch import run_replay

    default: float | str = "max" if options.no_ui else 1.0
    speed = options.speed or default
    return run_replay(
        options.file,
        _settings(options).settings,
        gamma=options.gamma,
        speed=None if speed == "max" else float(speed),
        with_console=not options.no_ui,
        as_json=options.json,
    )


def _show_config(options: argparse.Namespace) -> int:
    rows = _settings(options).rows()
    if options.json:
        import msgspec

        print(msgspec.json.encode(rows).decode())  # noqa: T201
        return 0
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        value = "unset" if row["value"] is None else row["value"]
        print(f"{row['name']:<{width}}  {value!s:<14} {row['unit']:<20} {row['origin']:<24} {row['text']}")  # noqa: T201
    return 0
