"""From a table to the parts of a run: split by rows first, so that only training rows are measured."""

import attrs

from nas_surgery.data.dataset import Dataset
from nas_surgery.data.splits import SplitPlan, Splits, split
from nas_surgery.data.tables.encoding import Encoding
from nas_surgery.data.tables.table import Table
from nas_surgery.network import Array
from nas_surgery.training.state import Samples


def split_table(
    table: Table,
    plan: SplitPlan,
    loss: str,
    target: str | None,
    missing: str,
    known: Encoding | None = None,
) -> tuple[Splits, Encoding]:
    """The parts, and how their columns were encoded.

    target: None for the last column. known: the encoding of a run that goes on. Raises DataError, which
    names the column.
    """
    label = table.column(table.names[-1] if target is None else target)
    if plan.augment is not None:
        plan.augment.check((len(table.names) - 1,))
    whole = attrs.evolve(plan, scaling=None)  # row numbers have none
    rows = split(Dataset(table.row_numbers(), label.labels()), whole, loss)
    training = rows.train.x[:, 0]
    encoding = known or Encoding.fit(table, label.name, missing, training)
    inputs = encoding.encode(table)
    made = attrs.evolve(
        rows,
        train=_filled(rows.train, inputs),
        validation=_filled(rows.validation, inputs),
        test=None if rows.test is None else _filled(rows.test, inputs),
    )
    return made, encoding


def _filled(part: Samples, inputs: Array) -> Samples:
    """A part whose inputs are row numbers, with what stands in these rows."""
    return Samples(inputs[part.x[:, 0]], part.y)
