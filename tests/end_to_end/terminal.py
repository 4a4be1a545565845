"""A terminal of its own for the program: tmux on a private socket."""

import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polymm_tui.screens.question import ARMING_S
from tests.end_to_end.program import PROGRAM, ROOT, wait_for

PROMPT = "back at the shell"


class Terminal:
    """One tmux pane with a shell that runs the program and then says its exit code."""

    def __init__(self, socket: str, raw: Path) -> None:
        self._socket = socket
        self.raw = raw
        """Every byte that was sent to the terminal."""

    def tmux(self, *arguments: str) -> str:
        """Run a tmux command on the private server; "" when the server is gone."""
        done = subprocess.run(
            ["tmux", "-L", self._socket, *arguments], capture_output=True, text=True, timeout=10, check=False
        )
        return done.stdout

    def press(self, *keys: str) -> None:
        """Press keys, as tmux names them."""
        self.tmux("send-keys", "-t", "e2e", *keys)

    def quit(self) -> int:
        """Leave with the keys an operator uses; returns the exit code."""
        self.press("q")
        self.wait_text("stop and quit")
        time.sleep(2 * ARMING_S)  # a question takes no answer that was typed ahead
        self.press("y")
        return self.wait_exit()

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size, columns and lines."""
        self.tmux("resize-window", "-t", "e2e", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        """What the screen shows."""
        return self.tmux("capture-pane", "-p", "-t", "e2e")

    def wait_text(self, *texts: str) -> str:
        """Wait until the screen shows all the texts; returns the screen."""
        try:
            wait_for(lambda: all(text in self.screen() for text in texts), f"{texts} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None
        return self.screen()

    def wait_exit(self) -> int:
        """Wait for the shell's word on the exit code."""
        screen = self.wait_text(PROMPT)
        return int(screen.split("EXIT=")[1].split()[0])

    def state(self) -> str:
        """What a program may leave behind: alternate screen, hidden cursor, mouse reports, key modes."""
        flags = ("alternate_on", "cursor_flag", "mouse_any_flag", "keypad_flag", "keypad_cursor_flag", "insert_flag")
        return self.tmux("display", "-p", "-t", "e2e", " ".join(f"{flag}=#{{{flag}}}" for flag in flags)).strip()

    def find_program(self) -> int:
        """The program, a child of the pane's shell that Python runs; 0 while there is none."""
        shell = self.tmux("display", "-p", "-t", "e2e", "#{pane_pid}").strip()
        listed = subprocess.run(["pgrep", "-f", "-P", shell, "python"], capture_output=True, text=True, check=False)
        return int(listed.stdout.split()[0]) if listed.stdout else 0

    def modes(self) -> tuple[str, str]:
        """The line discipline before and after, as the shell saw it."""
        before, after = (self.raw.with_name(name).read_text() for name in ("before", "after"))
        return before, after


@contextmanager
def terminal(
    home: Path, env: dict[str, str], *arguments: str, size: tuple[int, int] = (120, 36), program: str = ""
) -> Iterator[Terminal]:
    """The program with a console in a new terminal; ``program`` is a script to run in its place."""
    shown = Terminal(f"e2e-{os.getpid()}-{secrets.token_hex(4)}", home / "raw")
    command = shlex.join([sys.executable, program, *arguments] if program else [*PROGRAM, *arguments])
    script = home / "shell.sh"
    lines = [f"stty -g > {home}/before", command, "code=$?", f"stty -g > {home}/after"]
    lines += [f'printf "EXIT=%s\\n{PROMPT}\\n" $code', "exec sleep 600"]
    script.write_text("\n".join(lines) + "\n")
    width, height = map(str, size)
    start = [
        "tmux",
        "-L",
        shown._socket,
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-s",
        "e2e",
        "-x",
        width,
        "-y",
        height,
    ]
    pipe = [";", "pipe-pane", "-t", "e2e", f"exec cat > {shown.raw}"]
    env = {**env, "PYTHONPATH": str(ROOT)}
    subprocess.run([*start, "-c", str(ROOT), f"sh {script}", *pipe], env=env, timeout=10, check=True)
    try:
        yield shown
    finally:
        shown.tmux("kill-server")
