"""What the exchange can be told on a command line; imports nothing that serves."""

import argparse
import math
from pathlib import Path
from typing import Final

from core.exchange.crowd.profiles import PROFILES
from core.exchange.listing import MAX_MARKETS

DEFAULT_SEED: Final = 1
INVENTED_ONLY: Final = {
    "seed": None,
    "markets": 4,
    "profile": "normal",
    "cash": 50_000.0,
    "paused": False,
    "baiter": False,
    "script": None,
}
"""Defaults of what only invented markets are told; a recording would ignore it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them; ``seed`` is left to the caller's default, None for the usual one."""
    parser.add_argument("--host", default="127.0.0.1", help="loopback address (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port; 0 finds a free one (default)")
    parser.add_argument(
        "--markets", type=_market_count, default=INVENTED_ONLY["markets"], help=f"how many markets, 1 to {MAX_MARKETS}"
    )
    parser.add_argument(
        "--seed", type=int, default=argparse.SUPPRESS, help="everything random follows from it (default 1)"
    )
    profile = INVENTED_ONLY["profile"]
    parser.add_argument("--profile", choices=PROFILES, default=profile, help="how busy the markets are")
    parser.add_argument("--speed", type=_positive, default=1.0, help="how fast participants live (default 1)")
    cash = INVENTED_ONLY["cash"]
    parser.add_argument("--cash", type=_positive, default=cash, help="dollars an unknown account finds on arrival")
    parser.add_argument("--paused", action="store_true", help="fill the books, then let participants do nothing")
    parser.add_argument("--baiter", action="store_true", help="add one who lures those who follow the touch blindly")
    parser.add_argument("--script", type=Path, metavar="FILE", help="faults, TOML or Python")
    parser.add_argument("--recording", type=Path, metavar="FILE", help="play a recording instead of an exchange")
    parser.add_argument("--gamma", type=Path, metavar="FILE", help="Gamma markets of the recording")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("must be a positive number")
    return value


def _market_count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_MARKETS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_MARKETS}")
    return int(text)
