"""What a run tells while it goes on, for progress displays, trackers and `events.jsonl`."""

from typing import Any

import attrs


@attrs.frozen(eq=False)
class Event:
    """Something that happened. time: seconds since the run began.

    kind: "run_started", "decision", "job_started", "epoch", "job_finished", "run_finished", or where no
    network came out "run_failed", with its `reason`; "plugin_failed"; "job_repeated" (its weights were
    gone); "warning", with its `text`.
    data: plain values, the same names as in the journal. An "epoch" has ended in a job that trains one or
    more: `job` (None: the baseline), `epoch`, `training_loss`, `validation_loss`, `validation_accuracy`
    and `parameters`. With worker processes it is told when its job has ended. A "run_started" has the run's
    `directory` (None: in memory) and its `steps_per_epoch`. All events of a run are told in one thread.
    result: what the run returns, of a "run_finished"; it is not in `events.jsonl`.
    """

    kind: str
    time: float
    data: dict[str, Any] = attrs.Factory(dict)
    result: Any = None
