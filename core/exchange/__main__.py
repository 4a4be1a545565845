"""``python -m core.exchange``: the exchange as a process of its own.

Prints one JSON line with its addresses, then nothing more on stdout. Ends when stdin reaches its end or on SIGTERM;
SIGINT is ignored: it belongs to the parent, whose terminal sends it to the whole group. Problems go to stderr.
"""

import argparse
import asyncio
import gc
import json
import math
import signal
import sys

from core.clock import SystemClock
from core.exchange.api.server import RunningExchange, build_host, stop_at_eof
from core.exchange.listing import MAX_MARKETS
from core.units import usd_from_float

_STDIN = 0


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("must be a positive number")
    return value


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m core.exchange", description="A Polymarket on loopback.")
    parser.add_argument("--seed", type=int, default=1, help="everything random follows from it (default 1)")
    parser.add_argument("--markets", type=int, default=4, choices=range(1, MAX_MARKETS + 1), help="how many markets")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 picks a free one")
    parser.add_argument("--speed", type=_positive, default=1.0, help="how fast participants live (default 1.0)")
    parser.add_argument("--cash", type=_positive, default=50_000.0, help="dollars an unknown account finds on arrival")
    parser.add_argument("--paused", action="store_true", help="seed the books, then let participants do nothing")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    host = build_host(
        seed=arguments.seed,
        markets=arguments.markets,
        speed=arguments.speed,
        auto_cash=usd_from_float(arguments.cash),
        paused=arguments.paused,
        clock=SystemClock(),
    )
    async with RunningExchange(host, arguments.port) as running:
        stop_at_eof(running, _STDIN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.stop)
        gc.collect()
        gc.freeze()
        sys.stdout.write(json.dumps(running.urls) + "\n")
        sys.stdout.flush()
        await running.wait()


def main() -> int:
    """Run until told to end."""
    asyncio.run(_serve(_arguments()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
