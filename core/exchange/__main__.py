"""``python -m core.exchange``: the exchange as the child of whoever started it.

Prints one JSON line, then nothing more on stdout. Ends when stdin reaches its end or on SIGTERM; SIGINT is ignored: it
belongs to the parent, whose terminal sends it to the whole group. Problems go to stderr.
"""

import argparse
import sys

from core.errors import PolymmError
from core.exchange.arguments import add_arguments
from core.exchange.command import run


def main() -> int:
    """Run until told to end."""
    parser = argparse.ArgumentParser(prog="python -m core.exchange", description="A Polymarket on loopback.")
    add_arguments(parser)
    parser.set_defaults(seed=None)
    try:
        return run(parser.parse_args(), ends_with_parent=True)
    except PolymmError as error:
        sys.stderr.write(f"exchange: {error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
