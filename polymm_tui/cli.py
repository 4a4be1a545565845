"""The command line: arguments in, exit code out. Imports nothing heavy until a command needs it."""

import argparse
import os
import re
import signal
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from core.config import Effective, load
from core.errors import ConfigError, PolymmError, UsageError
from core.exchange.arguments import add_arguments
from polymm_tui import __version__
from polymm_tui.streams import give, say

INTERNAL = 15
INTERRUPTED = 130
"""What shells tell of a program that ctrl+c ended."""


_MOST_NEWS = 100.0
_SPAN = re.compile(r"(?:\d{1,7}(?:\.\d{1,3})?[smhd])+", re.ASCII)
_SPAN_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
_SPAN_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_LONGEST_SPAN = 30 * 86_400.0
_MONEY = re.compile(r"(\d{1,9})(?:\.(\d{1,6}))?", re.ASCII)
_MOST_TICKS = 1_000.0
_MOST_REASON = 200
_MOST_NAME = 500
_RECORDING = "recording: JSON lines, plain or gzip, or a directory made by `record`"
_GAMMA = "Gamma markets: names, minimum sizes, neg-risk flags"


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
        say(f"polymm-tui: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        say("polymm-tui: interrupted before anything was started")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last stop: an exit code of its own, and what to report
        say(traceback.format_exc().rstrip())
        say(f"polymm-tui: internal error: {type(error).__name__}: {error}; please report it with the lines above")
        return INTERNAL


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="polymm-tui", description="A market maker for Polymarket with a terminal console.")
    parser.add_argument("--version", action="version", version=f"polymm-tui {__version__}")
    parser.add_argument("--mode", choices=("demo", "paper", "live"), help="what stands at both ends (default: demo)")
    parser.set_defaults(config=None, no_ui=False, json=False)
    _add_common(parser)
    parser.add_argument("--duration", type=_seconds, metavar="SECONDS", help="stop in order after this")
    parser.add_argument("--seed", type=int, help="seed of the demo exchange and of layer jitter")
    parser.set_defaults(run=_run_session)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_attach(commands)
    _add_status(commands)
    _add_acts(commands)
    _add_flatten(commands)
    _add_kill(commands)
    exchange = commands.add_parser("exchange", help="a Polymarket on loopback, for tests and practice")
    add_arguments(exchange)
    exchange.set_defaults(run=_run_exchange)
    replay = commands.add_parser("replay", help="play a recording through the engine")
    replay.add_argument("file", type=Path, metavar="FILE", help=_RECORDING)
    replay.add_argument("--speed", type=_speed, metavar="X|max", help="recorded seconds per second, or max")
    replay.add_argument("--gamma", type=Path, metavar="FILE", help=_GAMMA)
    _add_common(replay)
    replay.set_defaults(run=_run_replay)
    record = commands.add_parser(
        "record",
        help="write what the market channel sends to disk",
        description="Write the frames of the market channel with their receive times into a directory, until a signal "
        "or --duration ends it. Without --tokens and --markets: the `markets` of the configuration; in demo mode "
        "without any, those of a demo exchange.",
    )
    record.add_argument("--out", type=Path, metavar="DIR", required=True, help="directory; an older recording goes on")
    record.add_argument(
        "--tokens", type=_token_ids, metavar="ID,ID", help="token ids; the two of a market next to each other"
    )
    record.add_argument("--markets", type=_names, metavar="CONDITION,...", help="condition ids of markets")
    record.add_argument(
        "--mode", choices=("demo", "paper"), default=argparse.SUPPRESS, help="a demo exchange, or the venue"
    )
    record.add_argument(
        "--duration", type=_seconds, metavar="SECONDS", default=argparse.SUPPRESS, help="stop in order after this"
    )
    record.add_argument("--seed", type=int, default=argparse.SUPPRESS, help="seed of the demo exchange")
    _add_config(record)
    _add_json(record)
    record.set_defaults(run=_run_record)
    inspect = commands.add_parser(
        "inspect",
        help="say what is in a recording and whether it proves itself",
        description="Rebuild every book of a recording and compare it with all that the venue states about it. Ends "
        "with 0 when everything agrees or is explained, 6 when it does not or not everything could be read, 2 when the "
        "file cannot be opened.",
    )
    inspect.add_argument("file", type=Path, metavar="FILE", help=_RECORDING)
    inspect.add_argument("--gamma", type=Path, metavar="FILE", help=_GAMMA)
    inspect.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one JSON object")
    inspect.set_defaults(run=_run_inspect)
    _add_explain(commands)
    _add_calibrate(commands)
    _add_report(commands)
    _add_export(commands)
    _add_lab(commands)
    _add_markets(commands)
    _add_doctor(commands)
    keys = commands.add_parser("keys", help="every key of the console, where it is from and what it does")
    _add_json(keys)
    keys.set_defaults(run=_show_keys)
    config = commands.add_parser("config", help="settings")
    shows = config.add_subparsers(required=True, metavar="show")
    show = shows.add_parser("show", help="effective values, units and origin")
    _add_config(show)
    show.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one JSON list")
    show.set_defaults(run=_show_config)
    return parser


_OF_SESSION: Final = (
    "It goes to the session that runs, of --mode where that is given and needed, from any shell of the same user. Ends "
    "with 0 when it is done; with 2 when it is refused: one line says why, and nothing was changed; with 3 when no "
    "session runs or answers."
)
_MARKET: Final = "condition id, the beginning of it, or a part of the title"
_OF_LIST: Final = (
    "It is for exactly the changes that `markets diff` showed: others are refused. A session that runs carries it out; "
    "without one it holds from the next start."
)
_MOST_FOUND: Final = 200
_MOST_SCANNED: Final = 5_000


def _add_attach(commands: Any) -> None:
    attach = commands.add_parser(
        "attach",
        help="a console for a session that runs, with a console of its own or without",
        description="The console of a session that runs, of --mode where that is given and needed; several may be "
        "attached at once. Leaving it, by key, by a signal or with the terminal, changes nothing in the session. Ends "
        "with 0 when it is left or the session has ended; with 3 when no session runs or it is lost.",
    )
    attach.add_argument("--read-only", action="store_true", help="look, and let the session refuse every act")
    attach.add_argument(
        "--mode", choices=("demo", "paper", "live"), default=argparse.SUPPRESS,
        help="whose session (default: the one that runs)",
    )  # fmt: skip
    _add_config(attach)
    attach.set_defaults(run=_run_attach)


def _add_status(commands: Any) -> None:
    status = commands.add_parser(
        "status",
        help="how things stand: control states, kill switch, feeds, orders, exposure, money, every market",
        description="What the running session says: states with reason, author and time left, kill switch and "
        "watchdog, feeds, orders, exposure against its caps, money, and for every market the first clause that keeps "
        "it from being quoted. Without a session: what latch and database show.",
    )
    _add_session_flags(status)
    status.set_defaults(run=_run_status)


def _add_acts(commands: Any) -> None:
    """What is done to one market or to all by one word."""
    for name, told, about in (
        ("pause", "cancel the orders of a market or of all, and place none", "It outlives a restart."),
        ("resume", "take back what pause, reduce, a flattening or a protection said of a market or of all", ""),
        ("reduce", "only orders that make the position smaller; others are cancelled", "It outlives a restart."),
        ("widen", "quote a market or all further from fair", ""),
        (
            "cancel",
            "cancel the orders of a market; quoting goes on",
            "With --all everything on the account is cancelled, also what is not ours.",
        ),
    ):
        act = commands.add_parser(
            name, help=told, description=f"{told[0].upper()}{told[1:]}. {about} {_OF_SESSION}".replace("  ", " ")
        )
        _add_target(act)
        if name in ("pause", "resume", "reduce"):
            act.add_argument("--side", choices=("bid", "ask"), help="of the YES book only (default: both)")
        if name in ("pause", "reduce", "widen"):
            act.add_argument("--for", dest="for_s", type=_span, metavar="DURATION", help="ends by itself: 90s, 15m, 2h")
        if name == "widen":
            act.add_argument(
                "--ticks", type=_ticks, metavar="N", default=1.0, help="on each side (default: 1); -N takes back"
            )
        else:
            act.add_argument("--reason", type=_reason, metavar="TEXT", help="kept with it and shown")
        _add_session_flags(act)
        act.set_defaults(run=_run_act, act=name)


def _add_flatten(commands: Any) -> None:
    flatten = commands.add_parser(
        "flatten",
        help="close a position: merge pairs, wait at the touch, then cross inside a cost cap",
        description="Shows what would be done and what it costs at worst, asks, and begins. The confirmation is good "
        "for half a minute and for what was shown: when the position or the book has moved, it is refused. Progress is "
        f"in `status`. {_OF_SESSION}",
    )
    _add_target(flatten)
    flatten.add_argument("--max-cost", type=_usd, metavar="USD", help="most it may cost (default: FLATTEN_COST_FRAC)")
    flatten.add_argument(
        "--passive", type=_span_or_none, metavar="DURATION",
        help="at the touch before it crosses, 0 to cross at once (default: FLATTEN_PASSIVE_SEC)",
    )  # fmt: skip
    how = flatten.add_mutually_exclusive_group()
    how.add_argument("--yes", action="store_true", help="do not ask")
    how.add_argument("--preview", action="store_true", help="only show it, and what to confirm it with")
    how.add_argument("--confirm", type=_token, metavar="TOKEN", help="of an earlier --preview")
    how.add_argument("--stop", action="store_true", help="end a flattening between two steps")
    flatten.add_argument("--reason", type=_reason, metavar="TEXT", help="kept with it and shown")
    _add_session_flags(flatten)
    flatten.set_defaults(run=_run_flatten)


def _add_kill(commands: Any) -> None:
    kill = commands.add_parser(
        "kill",
        help="cancel everything and place nothing until it is re-armed; works without the session's help",
        description="Closes the gate before every order, latches on the disk, and cancels everything on the account "
        "until two complete lists show no open order: by the watchdog, or by itself with the credentials the session "
        "stored. Without --mode: every session that runs, or left orders behind. Asks nothing. Ends with 0 when zero "
        "open orders were verified, else with 11.",
    )
    kill.add_argument("--reason", type=_reason, metavar="TEXT", help="kept with it and shown")
    _add_session_flags(kill)
    kill.set_defaults(run=_run_kill)
    rearm = commands.add_parser(
        "rearm",
        help="the only way back after a kill, a loss limit or a drawdown limit",
        description="A running session re-arms when everything is reconciled and, after a loss, the day is over; else "
        "it says what is missing. Without a session the latch is taken back, and the next start reconciles before it "
        f"quotes. {_OF_SESSION}",
    )
    rearm.add_argument("--reason", type=_reason, metavar="TEXT", required=True, help="what was found and done")
    _add_session_flags(rearm)
    rearm.set_defaults(run=_run_rearm)


def _add_target(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("market", type=_market, metavar="MARKET", nargs="?", help=_MARKET)
    which.add_argument("--all", dest="every", action="store_true", help="all markets")


def _add_session_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode", choices=("demo", "paper", "live"), default=argparse.SUPPRESS,
        help="whose session (default: the one that runs)",
    )  # fmt: skip
    _add_config(parser)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one JSON object")


def _add_explain(commands: Any) -> None:
    explain = commands.add_parser(
        "explain",
        help="say why a market is quoted as it is, or not",
        description="Both sides of a market's plan, layer by layer, with the terms that add up to each price and size, "
        "the rule that had the last word, and the live orders with what becomes of them. Asks the running session of "
        "--mode, or takes a recording to a moment. Ends with 2 when no market is meant, or more than one; with 3 when "
        "no session runs.",
    )
    explain.add_argument("market", metavar="MARKET", help="condition id, the beginning of it, or a part of the title")
    explain.add_argument("--recording", type=Path, metavar="FILE", help=_RECORDING)
    explain.add_argument(
        "--at", metavar="T", help="moment of the recording: seconds from its start, unix or ISO time (default: its end)"
    )
    explain.add_argument("--gamma", type=Path, metavar="FILE", help=_GAMMA)
    explain.add_argument(
        "--mode", choices=("demo", "paper", "live"), default=argparse.SUPPRESS, help="whose session is asked"
    )
    _add_config(explain)
    explain.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one JSON object")
    explain.set_defaults(run=_run_explain)


def _add_calibrate(commands: Any) -> None:
    calibrate = commands.add_parser(
        "calibrate",
        help="fit intensity of trades, volatility and adverse drift; propose K_VOL and VOL_HORIZON_SEC",
        description="Each number comes with its standard error, or not at all. Ends with 0 when at least one market "
        "has what a proposal rests on, 7 when the data are too thin for every market, 2 when they cannot be read.",
    )
    calibrate.add_argument("file", type=Path, metavar="RECORDING|DB", help=f"{_RECORDING}; or a session's mm_state.db")
    calibrate.add_argument(
        "--market", metavar="MARKET", help="condition id, the beginning of it, or a part of the title"
    )
    calibrate.add_argument("--gamma", type=Path, metavar="FILE", help=_GAMMA)
    _add_config(calibrate)
    calibrate.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one JSON object")
    calibrate.set_defaults(run=_run_calibrate)


def _add_report(commands: Any) -> None:
    report = commands.add_parser(
        "report",
        help="what sessions did and earned: trades, profit and where it came from, markouts, uptime",
        description="Reads the database of --mode, also while a session writes it, and changes nothing. Days begin at "
        "00:00 UTC. Without --day, --from and --to: all there is of the account. Ends with 0, with 6 when a self-check "
        "finds a difference, with 2 when there is no such day, market or file, with 5 when the file cannot be used.",
    )
    report.add_argument("--day", metavar="D", help="today, yesterday or a date (2026-11-22)")
    report.add_argument("--from", dest="since", metavar="D", help="from the begin of this date, or from this time")
    report.add_argument("--to", dest="until", metavar="D", help="to the end of this date, or to this time")
    report.add_argument("--market", metavar="MARKET", help="condition id, the beginning of it, or a part of the title")
    _add_database(report)
    form = report.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one JSON object")
    form.add_argument("--csv", action="store_true", help="as one long table, a row a figure")
    form.add_argument("--html", type=Path, metavar="FILE", help="as a page with charts that needs no other file")
    report.add_argument("--force", action="store_true", help="replace FILE if it is there")
    report.set_defaults(run=_run_report)


def _add_export(commands: Any) -> None:
    export = commands.add_parser(
        "export",
        help="a table of the database as CSV or Parquet",
        description="Reads the database of --mode, also while a session writes it, and changes nothing. Amounts are "
        "integers; the unit is in the name of the column.",
    )
    what = export.add_mutually_exclusive_group(required=True)
    for name, told in (
        ("fills", "our fills, failed ones too"),
        ("orders", "every order with its state"),
        ("positions", "what is held, settled and provisional"),
        ("journal", "events and actions as they were written"),
        ("entries", "lines of the account's book that no fill made"),
        ("equity", "the account's recorded values"),
    ):
        what.add_argument(f"--{name}", dest="what", action="store_const", const=name, help=told)
    form = export.add_mutually_exclusive_group()
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="(default)")
    form.add_argument("--parquet", dest="form", action="store_const", const="parquet", help="needs -o")
    export.add_argument("-o", "--output", type=Path, metavar="FILE", help="instead of stdout; whole or not at all")
    export.add_argument("--force", action="store_true", help="replace FILE if it is there")
    _add_database(export)
    export.set_defaults(run=_run_export, form="csv")


def _add_database(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", metavar="NAME", help="of the database (default: that of the last session)")
    parser.add_argument("--database", type=Path, metavar="FILE", help="a file instead of that of --mode")
    parser.add_argument(
        "--mode", choices=("demo", "paper", "live"), default=argparse.SUPPRESS, help="whose database is read"
    )
    _add_config(parser)


def _add_lab(commands: Any) -> None:
    labs = commands.add_parser("lab", help="measurements on the simulated exchange").add_subparsers(
        required=True, metavar="compare"
    )
    compare = labs.add_parser(
        "compare",
        help="two ways to quote in the same worlds",
        description="Lets every arm quote in the same simulated worlds and tells what they differ in, with standard "
        "errors. Money is counted at the truth of each world. An ARM is a name or settings as name=value, or several "
        "of them with commas: default, literal (the seed's requote triggers), no-skew, no-jump-reset, no-cutoff, "
        "credulous (no cutoff and nothing for volatility), "
        "relabelled (YES is called NO), as in no-skew,order_layers=1.",
    )
    compare.add_argument("--a", metavar="ARM", default="default", help="the arm the others are compared with")
    compare.add_argument("--b", metavar="ARM", action="append", required=True, help="the other; again for more arms")
    compare.add_argument("--seeds", type=_count, metavar="N", default=20, help="worlds (default: 20)")
    compare.add_argument(
        "--minutes", type=_seconds, metavar="MINUTES", default=60.0, help="how long each world lasts (default: 60)"
    )
    which = compare.add_mutually_exclusive_group()
    which.add_argument("--markets", type=_count, metavar="N", default=1, help="markets of a world (default: 1)")
    which.add_argument(
        "--questions", type=_numbers, metavar="N,N", help="which markets instead, by number from 0; 37 is a long shot"
    )
    compare.add_argument(
        "--profile", choices=("calm", "normal", "busy", "lively"), default="normal", help="how lively they are"
    )
    compare.add_argument(
        "--news", type=_factor, metavar="X", default=1.0, help="news moves the truth so many times as far (default: 1)"
    )
    compare.add_argument("--baiter", action="store_true", help="somebody lures those who follow the touch blindly")
    compare.add_argument("--jobs", type=_count, metavar="N", help="processes (default: one for each core)")
    _add_config(compare)
    compare.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as one JSON object")
    compare.set_defaults(run=_run_compare)


def _add_markets(commands: Any) -> None:
    markets = commands.add_parser(
        "markets",
        help="the market list: what is made and why not, what waits, and a list to begin with",
        description="Asks the session that runs, of --mode where that is given and needed; without one the list is "
        "read here, and shown as a start would take it. Ends with 0; with 2 when something is refused; with 3 when the "
        "list or the venue cannot be read.",
    )
    _add_session_flags(markets)
    markets.set_defaults(run=_run_markets, markets_command="list")
    whats = markets.add_subparsers(title="commands", metavar="list|screen|diff|approve|reject|discover")
    for name, told in (
        ("list", "every market, what became of it and why; rows that cannot be used"),
        ("screen", "every rule of the screen with number and bound, and the expected income, for every market"),
        ("diff", "the changes that wait, else what a reading of the list would change now"),
    ):
        shown = whats.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
        _add_session_flags(shown)
        shown.set_defaults(markets_command=name)
    for name, told in (
        ("approve", "carry out the changes that wait"),
        ("reject", "drop the changes that wait; they are not proposed again until the list differs"),
    ):
        decision = whats.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}. {_OF_LIST}")
        which = decision.add_mutually_exclusive_group(required=True)
        which.add_argument("token", nargs="?", type=_list_token, metavar="TOKEN", help="what `markets diff` gave")
        which.add_argument("--yes", action="store_true", help="the changes that wait now, whatever they are")
        _add_session_flags(decision)
        decision.set_defaults(markets_command=name)
    discover = whats.add_parser(
        "discover",
        help="rank the venue's open markets by expected income, and write a list of the best",
        description="Looks over the open markets with the largest volume of the day, screens them by the settings, "
        "confirms the best against the exchange, and ranks them by expected income for each dollar at risk. Needs no "
        "account and no session, and reads Polymarket also in demo mode.",
    )
    discover.add_argument(
        "--out", type=Path, metavar="FILE", help="write those that pass as a market list, CSV; it must not exist"
    )
    discover.add_argument("--force", action="store_true", help="replace a file that is there")
    discover.add_argument("--most", type=_up_to(_MOST_FOUND), metavar="N", default=25, help="markets (default: 25)")
    discover.add_argument(
        "--scan", type=_up_to(_MOST_SCANNED), metavar="N", default=500, help="open markets to look at (default: 500)"
    )
    _add_session_flags(discover)
    discover.set_defaults(markets_command="discover")


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="look at everything a session needs before it is started: what is well, what is not, what to do",
        description="Settings, file modes, clock, reachability, version and geoblock of the venue, key, wallet, "
        "credentials, balance and approvals, market list and sources, signing, disk, ports, latch, other instances: "
        "each ok, a warning or failed, with its cause and the next step. Places no order and changes nothing. Runs "
        "before every live start too. Demo and paper need no key. Ends with 0 when nothing failed, warnings allowed; "
        "else with the code of the first that did: 2 settings, 13 key or credentials, 4 another instance, 5 database, "
        "3 anything else.",
    )
    _add_session_flags(doctor)
    doctor.set_defaults(run=_run_doctor)


def _add_config(parser: argparse.ArgumentParser) -> None:
    """Flags that mean the same before and after a command: without a default of the command's own, which would win."""
    parser.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="settings, TOML")


def _add_common(parser: argparse.ArgumentParser) -> None:
    _add_config(parser)
    parser.add_argument(
        "--no-ui", action="store_true", default=argparse.SUPPRESS, help="no console; the log goes to stderr"
    )
    _add_json(parser)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="the last line on stdout is one JSON object"
    )


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _seconds(text: str) -> float:
    value = _positive(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return value


def _factor(text: str) -> float:
    value = _positive(text)
    if value is None or value > _MOST_NEWS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number up to {_MOST_NEWS:g}")
    return value


def _span(text: str) -> float:
    """Seconds of a duration such as ``90s``, ``15m`` or ``1h30m``."""
    if not _SPAN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: give a number with s, m, h or d, such as 90s or 2h")
    seconds = sum(float(number) * _SPAN_UNITS[unit] for number, unit in _SPAN_PART.findall(text))
    if not 0 < seconds <= _LONGEST_SPAN:
        raise argparse.ArgumentTypeError(f"{text!r} is not within 30 days")
    return seconds


def _span_or_none(text: str) -> float:
    return 0.0 if text in ("0", "0s") else _span(text)


def _ticks(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < abs(value) <= _MOST_TICKS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of ticks other than 0, up to {_MOST_TICKS:g}")
    return value


def _usd(text: str) -> int:
    """Micro-dollars of dollars."""
    match = _MONEY.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of dollars, such as 12 or 12.50")
    return int(match[1]) * 1_000_000 + int((match[2] or "").ljust(6, "0"))


def _reason(text: str) -> str:
    kept = text.strip()
    if not kept or len(kept) > _MOST_REASON or not kept.isprintable():
        raise argparse.ArgumentTypeError(f"a reason is one line of 1 to {_MOST_REASON} characters")
    return kept


def _market(text: str) -> str:
    if not text.strip() or len(text) > _MOST_NAME:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} names no market: {_MARKET}")
    return text


def _token(text: str) -> str:
    if not text.strip() or len(text) > _MOST_REASON:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is nothing that `flatten --preview` gave")
    return text


def _list_token(text: str) -> str:
    if not text.strip() or len(text) > _MOST_REASON:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is nothing that `markets diff` gave")
    return text


def _speed(text: str) -> float:
    value = float("inf") if text == "max" else _positive(text)
    if value is None:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a positive number nor max")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def _up_to(most: int) -> Callable[[str], int]:
    """What reads a whole number from 1 to ``most``."""

    def read(text: str) -> int:
        number = _count(text)
        if number > most:
            raise argparse.ArgumentTypeError(f"{text!r} is more than {most:,}")
        return number

    return read


def _numbers(text: str) -> tuple[int, ...]:
    names = _names(text)
    for name in names:
        if not (name.isascii() and name.isdecimal() and len(name) < 10):
            raise argparse.ArgumentTypeError(f"{name!r} is not a number from 0")
    return tuple(dict.fromkeys(int(name) for name in names))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return names


def _token_ids(text: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if not (name.isdecimal() and name.isascii()):
            raise argparse.ArgumentTypeError(f"{name!r} is no token id, which is a long decimal number")
    return names


def _refuse_flags(options: argparse.Namespace, command: str, *names: str) -> None:
    """A flag that would be ignored is a mistake.

    Raises:
        UsageError: one of the flags ``names`` was given with a command that has no use for it.
    """
    values = {name: getattr(options, name) for name in names}
    given = [
        f"--{name.replace('_', '-')}" for name, value in values.items() if value is not None and value is not False
    ]
    if given:
        raise UsageError(f"{', '.join(given)}: not a flag of `{command}`; see `polymm-tui {command} --help`")


def _settings(options: argparse.Namespace, **flags: Any) -> Effective:
    """Settings of the file given, else of the user's file if there is one, the environment and the flags."""
    return load(_settings_file(options), os.environ, flags)


def _settings_file(options: argparse.Namespace) -> Path | None:
    """The file given, else the user's if there is one."""
    if options.config is not None:
        return Path(options.config)
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    usual = Path(base) / "polymm-tui" / "config.toml"
    return usual if usual.exists() else None


def _run_session(options: argparse.Namespace) -> int:
    from polymm_tui.launch import run_session

    effective = _settings(options, mode=options.mode, seed=options.seed)
    return run_session(effective, with_console=not options.no_ui, duration_s=options.duration, as_json=options.json)


def _session_settings(options: argparse.Namespace, command: str) -> Effective:
    """Settings that say where a session is; what starts one is no flag of a command to it."""
    _refuse_flags(options, command, "duration", "seed", "no_ui")
    return _settings(options, mode=options.mode)


def _run_attach(options: argparse.Namespace) -> int:
    from polymm_tui.attaching import run_attach

    _refuse_flags(options, "attach", "json")
    return run_attach(_session_settings(options, "attach"), read_only=options.read_only)


def _run_status(options: argparse.Namespace) -> int:
    from polymm_tui.commanding import run_status

    return run_status(_session_settings(options, "status"), as_json=options.json)


def _run_act(options: argparse.Namespace) -> int:
    from polymm_tui.commanding import Wanted, run_act

    wanted = Wanted(
        options.market or "",
        side=getattr(options, "side", None) or "",
        for_s=getattr(options, "for_s", None),
        reason=getattr(options, "reason", None) or "",
        ticks=getattr(options, "ticks", 0.0),
    )
    return run_act(_session_settings(options, options.act), options.act, wanted, as_json=options.json)


def _run_flatten(options: argparse.Namespace) -> int:
    from polymm_tui.commanding import Confirmation, Wanted, run_act, run_flatten

    effective = _session_settings(options, "flatten")
    wanted = Wanted(options.market or "", reason=options.reason or "")
    if options.stop:
        _refuse_flags(options, "flatten --stop", "max_cost", "passive")
        return run_act(effective, "flatten_stop", wanted, as_json=options.json)
    return run_flatten(
        effective,
        wanted,
        Confirmation(options.yes, options.confirm or "", options.preview),
        most_cost=options.max_cost,
        passive_s=options.passive,
        as_json=options.json,
    )


def _run_kill(options: argparse.Namespace) -> int:
    from polymm_tui.killing import run_kill, state_dir_in

    try:
        effective = _session_settings(options, "kill")
    except ConfigError as error:
        say(f"polymm-tui: kill goes on, and the settings are not used: {error}")
        state_dir = os.environ.get("POLYMM_STATE_DIR") or state_dir_in(_settings_file(options))
        effective = load(None, {}, {"mode": options.mode, "state_dir": state_dir})
    return run_kill(effective, options.reason or "", as_json=options.json)


def _run_rearm(options: argparse.Namespace) -> int:
    from polymm_tui.killing import run_rearm

    return run_rearm(_session_settings(options, "rearm"), options.reason, as_json=options.json)


def _run_replay(options: argparse.Namespace) -> int:
    from polymm_tui.launch import run_replay

    _refuse_flags(options, "replay", "mode", "duration", "seed")
    return run_replay(
        options.file,
        _settings(options, mode="demo"),  # whatever a session's mode is: nothing here is at stake
        gamma=options.gamma,
        speed=options.speed,
        with_console=not options.no_ui,
        as_json=options.json,
    )


def _run_inspect(options: argparse.Namespace) -> int:
    from polymm_tui.inspection import run_inspect

    _refuse_flags(options, "inspect", "mode", "duration", "seed", "config", "no_ui")
    return run_inspect(options.file, gamma=options.gamma, as_json=options.json)


def _run_explain(options: argparse.Namespace) -> int:
    from polymm_tui.explaining import explain_recording, explain_session

    _refuse_flags(options, "explain", "duration", "seed", "no_ui")
    if options.recording is None:
        _refuse_flags(options, "explain", "at", "gamma")
        return explain_session(options.market, _settings(options, mode=options.mode), as_json=options.json)
    _refuse_flags(options, "explain", "mode")
    return explain_recording(
        options.market,
        options.recording,
        _settings(options),
        at=options.at,
        gamma=options.gamma,
        as_json=options.json,
    )


def _run_calibrate(options: argparse.Namespace) -> int:
    from polymm_tui.calibration import run_calibrate

    _refuse_flags(options, "calibrate", "mode", "duration", "seed", "no_ui")
    settings = _settings(options).settings
    return run_calibrate(options.file, settings, gamma=options.gamma, market=options.market, as_json=options.json)


def _run_report(options: argparse.Namespace) -> int:
    from polymm_tui.reporting import Choice, run_report

    _refuse_flags(options, "report", "duration", "seed", "no_ui")
    if options.force and options.html is None:
        raise UsageError("--force goes with --html")
    form = "html" if options.html is not None else "csv" if options.csv else "json" if options.json else "terminal"
    choice = Choice(options.day, options.since, options.until, options.market, options.account)
    return run_report(_database(options), choice, form=form, page_path=options.html, force=options.force)


def _run_export(options: argparse.Namespace) -> int:
    from polymm_tui.exporting import run_export

    _refuse_flags(options, "export", "duration", "seed", "no_ui", "json")
    return run_export(
        _database(options),
        options.what,
        form=options.form,
        path=options.output,
        force=options.force,
        account=options.account,
    )


def _database(options: argparse.Namespace) -> Path:
    """The database that was named, else that of the mode."""
    if options.database is not None:
        _refuse_flags(options, "report --database", "mode")
        return Path(options.database)
    from core.runtime.places import places_of

    return places_of(_settings(options, mode=options.mode).settings, os.environ).database


def _run_record(options: argparse.Namespace) -> int:
    from polymm_tui.recording import run_record

    _refuse_flags(options, "record", "no_ui")
    effective = _settings(options, mode=options.mode, seed=options.seed)
    settings = effective.settings
    tokens, markets = options.tokens or (), options.markets or ()
    if not tokens and not markets:
        markets = settings.markets
    named = bool(tokens or markets)
    demo = settings.mode == "demo" and (effective.origins["mode"] != "default" or not named)
    return run_record(
        settings,
        options.out,
        tokens=tokens,
        markets=markets,
        demo=demo,
        duration_s=options.duration,
        as_json=options.json,
    )


def _run_doctor(options: argparse.Namespace) -> int:
    from core.children import drop_proxies
    from polymm_tui.doctoring import run_doctor

    _refuse_flags(options, "doctor", "duration", "seed", "no_ui")
    effective: Effective | ConfigError
    try:
        effective = _settings(options, mode=options.mode)
        mode = effective.settings.mode
    except ConfigError as error:
        effective, mode = error, options.mode or "demo"
    return run_doctor(effective, mode, drop_proxies(os.environ), as_json=options.json)


def _run_exchange(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it serves: an interrupt amid the imports could get lost
    from core.exchange.command import run

    _refuse_flags(options, "exchange", "mode", "duration", "config", "no_ui", "json")
    return run(options, ends_with_parent=False)


def _run_compare(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until it has its own: an interrupt amid the imports could get lost
    from core.lab.outcome import Scene
    from polymm_tui.lab import run_compare

    _refuse_flags(options, "lab compare", "mode", "duration", "seed", "no_ui")
    which = options.questions or options.markets
    scene = Scene(options.minutes, which, options.profile, options.news, options.baiter)
    return run_compare(
        _settings(options),
        [options.a, *options.b],
        scene,
        seeds=options.seeds,
        jobs=options.jobs,
        as_json=options.json,
    )


def _run_markets(options: argparse.Namespace) -> int:
    from polymm_tui.markets import run_decision, run_diff, run_discover, run_list

    command = options.markets_command
    effective = _session_settings(options, f"markets {command}")
    match command:
        case "list" | "screen":
            return run_list(effective, command, as_json=options.json)
        case "diff":
            return run_diff(effective, as_json=options.json)
        case "discover":
            return run_discover(
                effective,
                scan=options.scan,
                most=options.most,
                out=options.out,
                force=options.force,
                as_json=options.json,
            )
    return run_decision(effective, command, options.token or "", yes=options.yes, as_json=options.json)


def _show_keys(options: argparse.Namespace) -> int:
    _refuse_flags(options, "keys", "mode", "duration", "seed", "config", "no_ui")
    from polymm_tui.keymap import keymap_text, load_keymap, user_keymap_path

    result = load_keymap(user_keymap_path())
    for message in result.messages:
        say(f"polymm-tui: {message}; default keys hold")
    if options.json:
        import msgspec

        rows = [
            {"act": identity, "keys": result.keys[identity], "origin": origin, "text": text}
            for identity, _, origin, text in result.rows()
        ]
        give(msgspec.json.encode(rows).decode())
    else:
        give(keymap_text(result))
    return ConfigError.exit_code if result.messages else 0


def _show_config(options: argparse.Namespace) -> int:
    _refuse_flags(options, "config", "mode", "duration", "seed")
    from polymm_tui.configuring import config_rows, config_text

    rows = config_rows(_settings(options))
    if options.json:
        import msgspec

        give(msgspec.json.encode(rows).decode())
    else:
        give(config_text(rows))
    return 0
