"""The plan of a run as text."""

from typing import Any

from nas_surgery.reports.progress import settings_line
from nas_surgery.reports.run import task_name


def plan_text(plan: dict[str, Any]) -> str:
    """A few lines on what `forecast` found."""
    start, spec = plan["start"], plan["spec"]
    widths = "-".join(map(str, start["hidden"])) or "no hidden layer"
    lines = [
        f"data      {_parts(plan['data'])}",
        f"task      {task_name(plan)}",
        settings_line(spec),
        f"search    {spec['search']['strategy']}, {spec['training']['backend']} on {plan['device']}",
        f"start     {widths}, {start['parameters']:,} parameters, {start['macs']:,} MACs a sample",
        f"cost      {_cost(plan['cost'])}",
        *(f"warning   {text}" for text in plan["warnings"]),
        "written   nothing",
    ]
    return "\n".join(lines)


def _parts(data: dict[str, Any]) -> str:
    sizes = {"training": data["train"], "validation": data["validation"], "test": data["test"]}
    told = ", ".join(f"{size:,} {name}" for name, size in sizes.items() if size)
    return f"{data['source']}: {told} samples"


def _cost(cost: dict[str, Any]) -> str:
    baseline = f", and {cost['baseline_macs']:.2g} of the baseline" if cost["baseline_macs"] else ""
    if cost["macs"] is None:
        return f"not capped by this strategy{baseline}"
    size = "as large as max_macs allows" if cost["limited"] else "as large as the start"
    return (
        f"at most {cost['relative']:g} × training the winner for {cost['max_epochs']} epochs,"
        f" about {cost['macs']:.2g} MACs if it is {size}{baseline}"
    )
