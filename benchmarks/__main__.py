"""``make bench``: what frames, sockets, decisions, orders, fills, replays, reports, consoles, starts and more cost.

``python -m benchmarks PART ...`` runs only the parts named; ``--runs N`` makes N kills in each cell of ``kill``. Quote
the ratios, not the microseconds: the machine's speed drifts, both sides of a ratio are measured in one run.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

from benchmarks import (
    console_cost,
    decision_cost,
    exchange_cost,
    kill_matrix,
    ledger_cost,
    order_path,
    path_cost,
    replay_speed,
    report_cost,
    session_cost,
    socket_path,
    start_cost,
)

PARTS: Final[dict[str, Callable[[], bool]]] = {
    "pipeline": path_cost.run,
    "socket": socket_path.run,
    "decision": decision_cost.run,
    "orders": order_path.run,
    "ledger": ledger_cost.run,
    "start": start_cost.run,
    "replay": replay_speed.run,
    "report": report_cost.run,
    "kill": kill_matrix.run,
    "session": session_cost.run,
    "console": console_cost.run,
    "exchange": exchange_cost.run,
}


def main(arguments: list[str]) -> int:
    """Run the parts wanted, all if none are named; a bar that is not reached makes the exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", allow_abbrev=False)
    parser.add_argument("parts", metavar="PART", nargs="*", help=", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=kill_matrix.RUNS, help="kills in each cell of `kill`")
    asked = parser.parse_args(arguments)
    unknown = [name for name in asked.parts if name not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    parts = PARTS | {"kill": partial(kill_matrix.run, asked.runs)}
    reached = [parts[name]() for name in asked.parts or PARTS]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
