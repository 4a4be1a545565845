"""A console in a process of its own, without a screen: ``attach_client.py STATE_DIR VERSION [--read-only]``.

It prints a JSON line for every view, word and answer. A line on stdin is an act and a market; its end detaches.
"""

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

from core.clock import SystemClock
from core.events import OperatorCommand
from core.runtime.attached import AttachedLink
from core.runtime.places import Places


def tell(**what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main(root: str, version: str, *flags: str) -> None:
    link = AttachedLink(
        Places(Path(root), "demo"), version, SystemClock(), lambda reason: True, read_only="--read-only" in flags
    )
    link.listen(lambda text, is_good: tell(word=text))
    link.connect()
    link.start()
    threading.Thread(target=show, args=(link,), daemon=True).start()
    for line in sys.stdin:
        act, market = line.split()
        link.watch(market)
        result = link.send(OperatorCommand(act=act, market=market, view_seq=1)).result()  # type: ignore[arg-type]
        tell(act=act, done=result.done, text=result.text)
    link.stop("end of input")
    link.wait(5)


def show(link: AttachedLink) -> None:
    """Tell of every view that comes, and of the end."""
    seq = -1
    while not link.ended:
        view = link.view
        if view is not None and view.seq != seq:
            seq = view.seq
            states = {market.market: [market.control, market.detailed] for market in view.markets}
            tell(seq=seq, unix=view.unix, consoles=view.consoles, markets=states)
        time.sleep(0.005)
    tell(over=link.over)


if __name__ == "__main__":
    main(*sys.argv[1:])
