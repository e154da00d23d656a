"""The command line. Exit codes: 0 done, 1 the run gave no valid network, 2 wrong input, 130 interrupted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import exists, isdir, isfile  # unlike Path's, no errors of paths that cannot be read
from pathlib import Path
from typing import Any, NoReturn

import click

from nas_surgery.errors import NasSurgeryError
from nas_surgery.evaluate_command import evaluate
from nas_surgery.predict_command import predict
from nas_surgery.search.interrupts import InterruptedRunError

EXISTING = click.Path(path_type=Path)


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


@main.command()
@click.argument("spec", type=EXISTING)
@click.option("--backend", help="Train with this backend, such as numpy, torch or tensorflow.")
@click.option("--device", help='Train on this device: cpu, cuda, cuda:1, mps, or "auto".')
@click.option("--seed", type=int, help="Seed of everything random but the split of the data.")
@click.option("--out", type=EXISTING, help="New directory for the run. Default: runs/SPEC-N.")
@click.option("--baseline", is_flag=True, help="Also train the start topology for as many epochs.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the spec; repeatable.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def run(
    spec: Path,
    backend: str | None,
    device: str | None,
    seed: int | None,
    out: Path | None,
    baseline: bool,
    settings: tuple[str, ...],
    quiet: bool,
) -> None:
    """Search for a better network as SPEC says, and keep it in a run directory."""
    from nas_surgery.progress import Progress
    from nas_surgery.runner import run as carry_out
    from nas_surgery.spec import parse_override

    overrides = dict(parse_override(text) for text in settings)
    given = {
        "training.backend": backend,
        "training.device": device,
        "seed": seed,
        "run.baseline": baseline or None,
    }
    overrides.update({key: value for key, value in given.items() if value is not None})
    directory = out or _new_directory(spec)
    with _stoppable(), Progress(shown=not quiet and sys.stderr.isatty()) as progress:
        result = carry_out(spec, out=directory, overrides=overrides, observers=[progress])
    click.echo(_report(result.summary, directory))


@main.command()
@click.argument("directory", type=EXISTING)
@click.option(
    "--allow-changes",
    is_flag=True,
    help="Accept that spec, data, versions or device differ from before.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def resume(directory: Path, allow_changes: bool, quiet: bool) -> None:
    """Go on with the run in DIRECTORY; what it recorded is not trained again."""
    from nas_surgery.progress import Progress
    from nas_surgery.runner import resume as carry_on

    with _stoppable(), Progress(shown=not quiet and sys.stderr.isatty()) as progress:
        result = carry_on(directory, allow_changes=allow_changes, observers=[progress])
    click.echo(_report(result.summary, directory))


@main.command()
@click.argument("model", type=EXISTING)
def inspect(model: Path) -> None:
    """Show what the weights of MODEL (a file or a run directory) say, and which surgeries are proposed and
    why; of a run how it ended and its front; of a run, or a directory of runs, how well damage was
    predicted."""
    from nas_surgery.damage_table import damage_report, journals_of
    from nas_surgery.files import load
    from nas_surgery.inspection import inspection
    from nas_surgery.plugins import default_registry
    from nas_surgery.run_report import run_report

    runs = journals_of(model) if isdir(model) else []
    blocks = []
    if not runs or isfile(model / "winner.safetensors"):
        blocks.append(inspection(load(model), default_registry().all("operations")))
    if runs and runs[0].parent == model:
        blocks.append(run_report(model))
    if runs:
        blocks.append(damage_report(model))
    click.echo("\n\n".join(blocks))


@main.command()
@click.argument("model", type=EXISTING)
@click.option(
    "-o", "--output", type=EXISTING, required=True, help="File to write: .onnx or .safetensors."
)
@click.option(
    "--parameters", type=int, help="Of a run directory: its best network of at most this size."
)
def export(model: Path, output: Path, parameters: int | None) -> None:
    """Write the network of MODEL (a file or a run directory) to another file."""
    from nas_surgery.files import load, save

    source = model if parameters is None else _pareto_file(model, parameters)
    network = load(source)
    save(network, output, None if parameters is not None else _metadata(model))
    click.echo(f"{output}: {network!r}")


@main.command()
@click.argument("model", type=EXISTING)
@click.option(
    "--op",
    "operations",
    multiple=True,
    required=True,
    metavar="NAME:KEY=VALUE,…",
    help="Operation, such as remove_neurons:layer=1,keep=100; repeatable, in order.",
)
@click.option("--data", "source", help="Data source whose training samples serve as probe batch.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of random operations.")
@click.option(
    "-o", "--output", type=EXISTING, required=True, help="File to write: .onnx or .safetensors."
)
def operate(
    model: Path, operations: tuple[str, ...], source: str | None, seed: int, output: Path
) -> None:
    """Operate on the network of MODEL (a file or a run directory) by hand."""
    from nas_surgery.files import load, save
    from nas_surgery.manual import operate_on

    network = load(model)
    network, lines = operate_on(network, operations, source, seed)
    save(network, output)
    click.echo("\n".join([*lines, f"{output}: {network!r}"]))


@main.command()
def plugins() -> None:
    """List what is installed, its version and origin, and what failed to load and why."""
    from nas_surgery.plugins import default_registry

    for info in default_registry().plugins:
        click.echo(f"{info.name} {info.version} ({info.origin})")
        if info.error:
            click.echo(f"  failed to load: {info.error}")
        for kind, names in info.provides.items():
            click.echo(f"  {kind}: {', '.join(names)}")


main.add_command(predict)
main.add_command(evaluate)


@contextmanager
def _stoppable() -> Iterator[None]:
    """A run that a signal stopped says how to go on, and ends with the signal's exit code."""
    try:
        yield
    except InterruptedRunError as stop:
        saved = (
            "; the best network so far is saved" if stop.saved else " before a network was saved"
        )
        click.echo(f"nas-surgery: stopped by {stop}{saved}", err=True)
        click.echo(f"nas-surgery: go on with: nas-surgery resume {stop.directory}", err=True)
        sys.exit(128 + stop.signum)


def _pareto_file(model: Path, parameters: int) -> Path:
    """The largest network of a run's front that is not larger; it is the best of that size."""
    sizes = sorted(int(file.stem) for file in (model / "pareto").glob("*.safetensors"))
    if not sizes:
        raise NasSurgeryError(f"{model}: no pareto networks in it; is it a run that has ended?")
    fitting = [size for size in sizes if size <= parameters]
    if not fitting:
        raise NasSurgeryError(f"{model}: its smallest network has {sizes[0]} parameters")
    return model / "pareto" / f"{fitting[-1]}.safetensors"


def _metadata(model: Path) -> dict[str, Any] | None:
    """What the ONNX file of a run, or the ONNX file itself, says beside the network."""
    from nas_surgery.onnx_io import read_metadata

    file = model / "winner.onnx" if isdir(model) else model
    return read_metadata(file) if file.suffix == ".onnx" and isfile(file) else None


def _new_directory(spec: Path) -> Path:
    number = 1
    while exists(directory := Path("runs") / f"{spec.stem}-{number}"):
        number += 1
    return directory


def _report(summary: dict[str, Any], directory: Path) -> str:
    from nas_surgery.run_report import metric_name, task_name

    metric = metric_name(summary)
    lines = [
        f"task      {task_name(summary)}",
        _line("winner", summary["hidden"]["end"], summary["parameters"]["end"], summary, metric),
        f"cost      {summary['cost']['epoch_equivalents']:.0f} epochs in {summary['cost']['seconds']:.1f} s,"
        f" {summary['cost']['relative']:.2f} × training the final network",
        f"written   {directory}",
    ]
    if summary["baseline"]:
        start, count = summary["hidden"]["start"], summary["parameters"]["start"]
        lines.insert(2, _line("baseline", start, count, summary["baseline"], metric))
    if summary["stopped"] != "finished":
        lines.insert(-1, f"stopped   by {summary['stopped']}")
    if summary["accuracy"]["validation"] <= summary["chance"]:
        lines.append(
            f"warning   always giving the same answer has {metric} {summary['chance']:.4f}: nothing was"
            " learned; try another training.learning_rate, or more epochs"
        )
    return "\n".join(lines)


def _line(
    name: str, hidden: list[int], parameters: int, figures: dict[str, Any], metric: str
) -> str:
    from nas_surgery.run_report import accuracies

    widths = "-".join(map(str, hidden)) or "no hidden layer"
    return f"{name:<9} {widths}, {parameters:,} parameters, {accuracies(figures, metric)}"
