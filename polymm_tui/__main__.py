"""``python -m polymm_tui`` and the command itself."""

import signal


def main() -> int:
    """Run the program and return its exit code."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:  # an interrupt amid the imports could get lost in a callback of theirs
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from polymm_tui.cli import main as run

    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


if __name__ == "__main__":
    raise SystemExit(main())
