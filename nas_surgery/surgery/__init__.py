"""The mathematics of surgery, for any operation: channel maps, depth changes, and proofs of exactness."""

from nas_surgery.surgery.components import Components, singular_components
from nas_surgery.surgery.depth import (
    exact_activation,
    factor_layer,
    group_activation,
    insert_identity,
    merge_into_reader,
)
from nas_surgery.surgery.exactness import Exactness, Promise, approximate, map_kind, proved
from nas_surgery.surgery.result import Surgery, origins
from nas_surgery.surgery.width import Fresh, WidthMap, change_width, read, selection, write

__all__ = [
    "Components",
    "Exactness",
    "Fresh",
    "Promise",
    "Surgery",
    "WidthMap",
    "approximate",
    "change_width",
    "exact_activation",
    "factor_layer",
    "group_activation",
    "insert_identity",
    "map_kind",
    "merge_into_reader",
    "origins",
    "proved",
    "read",
    "selection",
    "singular_components",
    "write",
]
