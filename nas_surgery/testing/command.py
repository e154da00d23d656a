"""The command line within this process."""

from click.testing import CliRunner

from nas_surgery.cli import main


def call(*arguments: object) -> tuple[int, str, str]:
    """A command's exit code, standard output and standard error; what it must not raise is raised."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr
