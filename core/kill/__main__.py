"""``python -P -m core.kill``: the watchdog of one session (:mod:`core.kill.watchdog`)."""

import sys

from core.kill.watchdog import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
