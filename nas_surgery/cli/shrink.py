"""`nas-surgery shrink`."""

from pathlib import Path
from typing import Any

import click

from nas_surgery.cli.output import (
    PATH,
    as_json,
    check_free,
    overwriting,
    quietly,
    show,
    warn,
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
    "--steps",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Reach the budget in so many.",
)
@click.option(
    "--front", type=click.IntRange(1), help="Write so many sizes, up to the budget, into a folder."
)
@click.option(
    "--retrain",
    type=float,
    default=0.0,
    metavar="EPOCHS",
    help="Then train on the data for so long.",
)
@click.option("--backend", help="What trains; by default the first that can.")
@click.option("--device", default="cpu", show_default=True, help="Where it trains.")
@click.option("--rate", type=float, help="Of learning, where it trains.")
@click.option(
    "--run", type=PATH, metavar="DIR", help="Keep what is done there; the same command goes on."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Of choices."
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    help="File to write, .onnx or .safetensors; with --front a folder.",
)
@overwriting
@quietly
@as_json
def command(
    model: Path,
    data: str | None,
    front: int | None,
    run: Path | None,
    output: Path,
    force: bool,
    quiet: bool,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Make MODEL (a file or a run directory) smaller, so that the rest makes up for what goes."""
    from nas_surgery.reports.stages import stages
    from nas_surgery.shrinking.budget import KINDS, Budget
    from nas_surgery.shrinking.models import opened
    from nas_surgery.shrinking.report import account, front_text, text
    from nas_surgery.shrinking.retraining import Retraining
    from nas_surgery.shrinking.shrink import cautions, front_files, fronts, shrinking
    from nas_surgery.shrinking.shrunk import Wishes

    check_free(output, force)
    budget = Budget.of(**{kind: wishes[kind] for kind in KINDS})
    retraining = Retraining.of(*(wishes[key] for key in ("retrain", "backend", "device", "rate")))
    keys = ("only", "exclude", "seed", "steps")
    choice = Wishes(**{key: wishes[key] for key in keys}, retraining=retraining)
    held = opened(model)
    files = [output] if front is None else front_files(held, output, front)
    with stages(quiet or as_json) as told:
        work = shrinking(held, data, choice, told, run)
        if not quiet:
            warn(cautions(work))
        found = [work.to(budget)] if front is None else fronts(work, budget, front)
    values = []
    for each, file in zip(found, files, strict=True):
        held.closed(each.network, file)
        values.append({"output": str(file), **account(each)})
    if front is not None:
        show(front_text(values), {"output": str(output), "front": values}, as_json)
    elif not quiet or as_json:
        show(f"{output}\n{text(found[0], values[0])}", values[0], as_json)
