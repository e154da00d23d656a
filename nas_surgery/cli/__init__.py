"""The command line, one file a command.

Exit codes: 0 done, 1 the run gave no valid network, 2 wrong input, 130 or 143 stopped by a signal.
"""

import sys
from typing import Any, NoReturn

import click

from nas_surgery.cli import (
    compare,
    evaluate,
    export,
    init,
    inspect,
    operate,
    plugins,
    predict,
    report,
    resume,
    run,
    shrink,
    study,
)
from nas_surgery.errors import NasSurgeryError
from nas_surgery.reports.printing import complain, mute


class _Group(click.Group):
    """Turns every error of the package, and of its use, into one line and its exit code."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        try:
            sys.exit(super().main(*args, **{**kwargs, "standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            command = "nas-surgery" if error.ctx is None else error.ctx.command_path
            said = error.format_message().rstrip(".")
            complain(f"error: {said}; see {command} --help")
            sys.exit(error.exit_code)
        except click.Abort:
            complain("stopped by SIGINT")
            sys.exit(130)
        except NasSurgeryError as error:
            complain(f"error: {error}")
            sys.exit(error.exit_code)
        except MemoryError:
            complain("error: out of memory")
            sys.exit(1)
        except BrokenPipeError:
            mute(sys.stdout)
            sys.exit(1)
        except OSError as error:  # of a stream that click itself prints on
            mute(sys.stdout)
            complain(f"error: {error.strerror or error}")
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nas-surgery")
def main() -> None:
    """Neural networks that grow and shrink while they train."""


COMMANDS = (
    *(init, run, resume, study, shrink, inspect, report, compare),
    *(operate, export, predict, evaluate, plugins),
)
for module in COMMANDS:
    main.add_command(module.command)
