"""Every hook of nas-surgery. A plugin defines functions with these names; no base class is needed.

A plugin is an installed distribution with an entry point in the group `nas_surgery` that names a
module, or a single file that a spec names (`plugins = ["my_score.py"]`). Each hook returns a dict
from a name, as specs will use it, to the thing. A function whose name starts with `nas_surgery_`
and is not below is an error when the plugin is loaded.
"""

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    from nas_surgery.data.dataset import Dataset
    from nas_surgery.executors import ExecutorSettings
    from nas_surgery.operations import Operation
    from nas_surgery.plugins.events import Event
    from nas_surgery.strategies.strategy import Strategy
    from nas_surgery.training.backend import Backend

PROJECT = "nas_surgery"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def nas_surgery_operations() -> "dict[str, type[Operation]]":  # type: ignore[empty-body]
    """Operations by name: frozen attrs classes derived from `nas_surgery.Operation`.

    Example::

        def nas_surgery_operations():
            return {"double_width": DoubleWidth}
    """


@hookspec
def nas_surgery_scores() -> "dict[str, Callable[..., float]]":  # type: ignore[empty-body]
    """Scores by name: functions that ask by argument name for what they want; higher is better.

    On offer: accuracy, gain (against the parent at the decision point), size_fraction (parameters
    ÷ the parent's), loss (validation), parameters, macs.

    Example::

        def frugal(accuracy, parameters):
            return accuracy - 1e-7 * parameters

        def nas_surgery_scores():
            return {"frugal": frugal}
    """


@hookspec
def nas_surgery_strategies() -> "dict[str, type[Strategy]]":  # type: ignore[empty-body]
    """Search strategies by name: frozen attrs classes derived from `nas_surgery.strategies.Strategy`,
    whose fields are the keys that `[search]` takes for them.

    Example::

        def nas_surgery_strategies():
            return {"random": RandomEdits}
    """


@hookspec
def nas_surgery_backends() -> "dict[str, Callable[[], Backend]]":  # type: ignore[empty-body]
    """Training backends by name: functions without arguments that import the framework and return a
    `nas_surgery.Backend`. They are called only when the backend is used.

    Example::

        def load():
            from my_backend.train import MyBackend
            return MyBackend()

        def nas_surgery_backends():
            return {"mine": load}
    """


@hookspec
def nas_surgery_datasets() -> "dict[str, Callable[[str], Dataset]]":  # type: ignore[empty-body]
    """Data sources by scheme: for `source = "scheme:rest"`, the function is called with `rest`.

    Example::

        def read(rest):
            x, y = numpy.load(rest + "_x.npy"), numpy.load(rest + "_y.npy")
            return nas_surgery.Dataset(x, y)

        def nas_surgery_datasets():
            return {"npy": read}
    """


@hookspec
def nas_surgery_executors() -> "dict[str, type[ExecutorSettings]]":  # type: ignore[empty-body]
    """Ways to carry out jobs by name, for `[run] executor`: frozen attrs classes derived from
    `nas_surgery.executors.ExecutorSettings`, whose fields are the keys of `[run.NAME]`. Jobs are pure, so
    where they are carried out must change nothing of what comes out.

    Example::

        @attrs.frozen
        class Threads(ExecutorSettings):
            most: int = 8

            def open(self, work):
                return ThreadExecutor(work, self.most)  # has run, begin and close

        def nas_surgery_executors():
            return {"threads": Threads}
    """


@hookspec
def nas_surgery_on_event(event: "Event") -> Any:
    """Told of everything that happens in a run, as it happens; what it returns is ignored. One that
    raises `nas_surgery.StopRun` ends the run in order, with the best network so far.

    Example::

        def nas_surgery_on_event(event):
            if event.kind == "job_finished":
                print(event.data["accuracy"])
    """
