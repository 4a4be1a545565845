"""``make bench``: what a frame, a replay, a session, a start and the exchange cost.

Quote the ratios, not the microseconds: the machine's speed drifts, both sides of a ratio are measured in one run.
"""

import sys

from benchmarks import exchange_cost, frame_to_signals, replay_speed, session_cost
from benchmarks.recordings import DATA


def main() -> int:
    """Run every benchmark; a bar that is not reached makes the exit code 1."""
    if not DATA.is_dir():
        print("no recordings beside the project: nothing to measure with", file=sys.stderr)
        return 2
    reached = [frame_to_signals.run(), replay_speed.run(), session_cost.run(), exchange_cost.run()]
    return 0 if all(reached) else 1


raise SystemExit(main())
