"""The command line, one file a command.

Exit codes: 0 done, 1 the run gave no valid network, 2 wrong input, 130 or 143 stopped by a signal.
"""

import sys
from typing import Any, NoReturn

import click

from nas_surgery.cli import export, inspect, operate, plugins, resume, run
from nas_surgery.errors import NasSurgeryError


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
            click.echo(f"nas-surgery: error: {said}; see {command} --help", err=True)
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("nas-surgery: stopped by SIGINT", err=True)
            sys.exit(130)
        except NasSurgeryError as error:
            line = " ".join(str(error).split())
            click.echo(f"nas-surgery: error: {line}", err=True)
            sys.exit(error.exit_code)
        except MemoryError:
            click.echo("nas-surgery: error: out of memory", err=True)
            sys.exit(1)
        except BrokenPipeError:
            sys.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nas-surgery")
def main() -> None:
    """Neural networks that grow and shrink while they train."""


for module in (run, resume, inspect, operate, export, plugins):
    main.add_command(module.command)
