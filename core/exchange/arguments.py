"""What the exchange can be told on a command line; imports nothing that serves."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

from core.exchange.crowd.profiles import PROFILES
from core.exchange.listing import MAX_MARKETS

DEFAULT_SEED: Final = 1
FASTEST: Final = 1_000.0
"""Beyond a few thousand the exchange has no time left for its clients."""
INVENTED_ONLY: Final = {
    "seed": None,
    "markets": 4,
    "profile": "normal",
    "cash": 50_000.0,
    "paused": False,
    "baiter": False,
    "script": None,
    "service_account": None,
}
"""Defaults of what only invented markets are told; a recording would ignore it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare them; ``seed`` is left to the caller's default, None for the usual one."""
    parser.add_argument("--host", default="127.0.0.1", help="loopback address (default %(default)s)")
    parser.add_argument("--port", type=_whole(0, 65_535), default=0, help="port; 0 finds a free one (default)")
    many = INVENTED_ONLY["markets"]
    help_markets = f"how many, 1 to {MAX_MARKETS} (default %(default)s)"
    parser.add_argument("--markets", type=_whole(1, MAX_MARKETS), default=many, help=help_markets)
    parser.add_argument(
        "--seed", type=int, default=argparse.SUPPRESS, help="everything random follows from it (default 1)"
    )
    profile = INVENTED_ONLY["profile"]
    parser.add_argument(
        "--profile", choices=PROFILES, default=profile, help="how busy the markets are (default %(default)s)"
    )
    speed = _number(0.001, FASTEST)
    help_speed = f"how fast participants live, or a recording plays; at most {FASTEST:,.0f} (default 1)"
    parser.add_argument("--speed", type=speed, default=1.0, help=help_speed)
    cash = INVENTED_ONLY["cash"]
    help_cash = "dollars an unknown account finds on arrival (default 50,000)"
    parser.add_argument("--cash", type=_number(0.01, 1e9), default=cash, help=help_cash)
    parser.add_argument("--paused", action="store_true", help="fill the books, then let participants do nothing")
    parser.add_argument("--baiter", action="store_true", help="add one who lures those who follow the touch blindly")
    parser.add_argument("--script", type=Path, metavar="FILE", help="faults, TOML or Python (docs/exchange-scripts.md)")
    help_account = "write a key file that may read the exchange's sheet, for google_credentials"
    parser.add_argument("--service-account", type=Path, metavar="FILE", help=help_account)
    parser.add_argument("--recording", type=Path, metavar="FILE", help="play a recording instead of an exchange")
    parser.add_argument("--gamma", type=Path, metavar="FILE", help="Gamma markets of the recording")


def _number(least: float, most: float) -> Callable[[str], float]:
    """A number between two bounds, both included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:,.0f}")
        return value

    return read


def _whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number between two bounds, both included."""

    def read(text: str) -> int:
        if not text.isdecimal() or not text.isascii() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read
