"""Jobs on a Ray cluster. Ray is imported when a run asks for it, and not before."""

from nas_surgery_ray.settings import Ray


def nas_surgery_executors() -> dict[str, type[Ray]]:
    """What this plugin provides: `[run] executor = "ray"`."""
    return {"ray": Ray}
