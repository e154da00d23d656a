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
@click.option(
    "--data",
    "source",
    help="Data source, or .npz or .npy file with samples as MODEL takes them, for the probe batch; of a file"
    " it also says what became of outputs, accuracy and latency.",
)
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
    from nas_surgery.runs.manual import operate_on
    from nas_surgery.shrinking.calibration import calibration
    from nas_surgery.shrinking.effect import effect, effect_text
    from nas_surgery.shrinking.models import opened

    check_free(output, force)
    held = opened(model)
    file = source is not None and Path(source).suffix in (".npz", ".npy") and ":" not in source
    given = calibration(source, held) if file else None
    network, steps = operate_on(held.network, operations, None if file else source, seed, given)
    held.closed(network, output)
    found = None if given is None else effect(held.network, network, given)
    lines = [*map(str, steps), *([] if found is None else [effect_text(found)])]
    value = {
        "output": str(output),
        "network": network_account(network),
        "operations": [step.to_json() for step in steps],
        **({} if found is None else {"effect": found}),
    }
    show("\n".join([*lines, f"{output}: {network!r}"]), value, as_json)
