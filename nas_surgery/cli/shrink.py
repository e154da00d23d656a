"""`nas-surgery shrink`."""

from pathlib import Path

import click

from nas_surgery.cli.output import (
    PATH,
    as_json,
    check_free,
    output_file,
    overwriting,
    quietly,
    show,
)


@click.command("shrink")
@click.argument("model", type=PATH)
@click.option("--data", metavar="SOURCE", help="Calibration samples: .npz, .npy or a data source.")
@click.option(
    "--macs", metavar="SHARE|N", help="At most so many multiply-accumulates, such as 50%."
)
@click.option("--parameters", metavar="SHARE|N", help="At most so many parameters.")
@click.option("--latency-ms", type=float, help="At most so many milliseconds, measured here.")
@click.option(
    "--max-drop", type=float, help="At most so many points of accuracy or agreement lost."
)
@click.option(
    "--only", type=int, multiple=True, help="Address of a layer that may shrink; repeatable."
)
@click.option("--exclude", type=int, multiple=True, help="Address of one that may not; repeatable.")
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of choices."
)
@output_file
@overwriting
@quietly
@as_json
def command(
    model: Path,
    data: str | None,
    macs: str | None,
    parameters: str | None,
    latency_ms: float | None,
    max_drop: float | None,
    only: tuple[int, ...],
    exclude: tuple[int, ...],
    seed: int,
    output: Path,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make MODEL (a file or a run directory) smaller, so that the rest makes up for what goes."""
    from nas_surgery.reports.stages import stages
    from nas_surgery.shrinking.budget import Budget
    from nas_surgery.shrinking.models import opened
    from nas_surgery.shrinking.report import account, text
    from nas_surgery.shrinking.shrink import shrunk_model

    check_free(output, force)
    budget = Budget.of(macs=macs, parameters=parameters, latency_ms=latency_ms, max_drop=max_drop)
    held = opened(model)
    with stages(quiet or as_json) as told:
        found = shrunk_model(held, data, budget, only=only, exclude=exclude, seed=seed, told=told)
    held.closed(found.network, output)
    value = {"output": str(output), **account(found)}
    if not quiet or as_json:
        show(f"{output}\n{text(found, value)}", value, as_json)
