"""The built-in operations: one surgery, one file, one class."""

from nas_surgery.operations.add_block import AddBlock
from nas_surgery.operations.add_layer import AddLayer
from nas_surgery.operations.add_neurons import AddNeurons
from nas_surgery.operations.base import Context, Operation, Proposal
from nas_surgery.operations.fold_input_centring import FoldInputCentring
from nas_surgery.operations.identity import Identity
from nas_surgery.operations.merge_batch_norm import MergeBatchNorm
from nas_surgery.operations.remove_block import RemoveBlock
from nas_surgery.operations.remove_layer import RemoveLayer
from nas_surgery.operations.remove_neurons import RemoveNeurons
from nas_surgery.operations.revive import Revive
from nas_surgery.operations.truncated_svd import TruncatedSVD

OPERATIONS: dict[str, type[Operation]] = {
    operation.name: operation
    for operation in (
        Identity,
        AddNeurons,
        AddLayer,
        RemoveNeurons,
        RemoveLayer,
        TruncatedSVD,
        Revive,
        FoldInputCentring,
        AddBlock,
        RemoveBlock,
        MergeBatchNorm,
    )
}

__all__ = [
    "OPERATIONS",
    "AddBlock",
    "AddLayer",
    "AddNeurons",
    "Context",
    "FoldInputCentring",
    "Identity",
    "MergeBatchNorm",
    "Operation",
    "Proposal",
    "RemoveBlock",
    "RemoveLayer",
    "RemoveNeurons",
    "Revive",
    "TruncatedSVD",
]
