"""The data of a run: from what the spec names, or a caller gives, to the parts."""

from typing import Any

from nas_surgery.data.dataset import Dataset, as_dataset, load_source
from nas_surgery.data.splits import Splits, split
from nas_surgery.data.tables.encoding import Encoding
from nas_surgery.data.tables.splitting import split_table
from nas_surgery.data.tables.table import Table
from nas_surgery.errors import DataError, SpecError
from nas_surgery.plugins.registry import Registry
from nas_surgery.runs.spec import Spec

ARRAYS = "arrays"  # the source of data that came from Python


def parts(
    spec: Spec, registry: Registry, data: Any, known: Encoding | None
) -> tuple[Splits, Encoding | None]:
    """Training, validation and test samples, and of a table how its columns were encoded.

    known: the encoding of a run that goes on. Raises DataError, which names the source.
    """
    held, loss = _held(spec, registry, data), spec.training.loss
    plan, missing = spec.data.split_plan(), spec.data.missing or "error"
    try:
        if isinstance(held, Table):
            return split_table(held, plan, loss, spec.data.target, missing, known)
        return split(held, plan, loss), None
    except DataError as error:
        raise DataError(f"data source {spec.data.source!r}: {error}") from None


def _held(spec: Spec, registry: Registry, data: Any) -> Dataset | Table:
    if data is not None:
        return as_dataset(data)
    if spec.data.source is None:
        raise SpecError(
            'data.source is needed, such as source = "npz:FILE" or "sklearn:digits"; from Python,'
            " data=(x, y) takes its place"
        )
    if spec.data.source == ARRAYS:
        raise DataError(
            "the run was begun with arrays from Python; they are needed again:"
            " nas_surgery.resume(directory, data=…)"
        )
    return load_source(spec.data.source, registry.all("datasets"))
