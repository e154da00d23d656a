"""`nas-surgery operate`."""

from pathlib import Path

import click

from nas_surgery.cli.output import (
    PATH,
    as_json,
    check_free,
    network_account,
    output_file,
    overwriting,
    show,
)


@click.command("operate")
@click.argument("model", type=PATH)
@click.option(
    "--op",
    "operations",
    multiple=True,
    required=True,
    metavar="NAME:KEY=VALUE,…",
    help="Operation, such as remove_neurons:layer=1,keep=100; repeatable, in order.",
)
@click.option("--data", "source", help="Data source whose training samples serve as probe batch.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="Seed of random operations.",
)
@output_file
@overwriting
@as_json
def command(
    model: Path,
    operations: tuple[str, ...],
    source: str | None,
    seed: int,
    output: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Operate on the network of MODEL (a file or a run directory) by hand."""
    from nas_surgery.formats.models import load_model, save
    from nas_surgery.runs.manual import operate_on

    check_free(output, force)
    start = load_model(model)
    network, steps = operate_on(start.network, operations, source, seed)
    save(network, output, interface=start.interface)
    text = "\n".join([*map(str, steps), f"{output}: {network!r}"])
    value = {
        "output": str(output),
        "network": network_account(network),
        "operations": [step.to_json() for step in steps],
    }
    show(text, value, as_json)
