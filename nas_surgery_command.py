"""Where the command begins. It stands outside the package, so that nothing is imported before Ctrl-C is heeded."""

import os
import sys


def main() -> None:
    """Import the command line and run it; Ctrl-C ends that too in one line and exit code 130."""
    open_streams()
    try:
        from nas_surgery.cli import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("nas-surgery: stopped by SIGINT\n")
        sys.exit(130)


def open_streams() -> None:
    """Let standard streams that are closed lead nowhere.

    Their numbers would go to the first files that are opened, and what a library prints into those.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w"))  # noqa: SIM115
