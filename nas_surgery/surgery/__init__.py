"""The mathematics of surgery, for any operation: channel maps, depth changes, and proofs of exactness."""

from nas_surgery.surgery.axes import parts_of
from nas_surgery.surgery.centring import (
    centre_inputs,
    first_linear,
    fold_centring,
    fold_loses_digits,
    is_centred,
)
from nas_surgery.surgery.components import Components, singular_components
from nas_surgery.surgery.copies import clone_map, split_map
from nas_surgery.surgery.depth import (
    exact_activation,
    factor_layer,
    group_activation,
    group_functions,
    insert_identity,
    merge_into_reader,
    moves_on,
    unfactorable,
    unmergeable,
)
from nas_surgery.surgery.exactness import map_kind
from nas_surgery.surgery.fitting import (
    factor_on_probe,
    fit_into_reader,
    fit_merged,
    fitted_promise,
)
from nas_surgery.surgery.fresh import centred_units, pair_map, zero_map
from nas_surgery.surgery.gradient import differentiable, output_gradient
from nas_surgery.surgery.maps import Fresh, WidthMap, padded_identity, selection
from nas_surgery.surgery.measuring import with_statistics
from nas_surgery.surgery.probe import group_activations, writer_inputs
from nas_surgery.surgery.promise import Exactness, Promise, approximate, measured, proved
from nas_surgery.surgery.promising import gradient_map, pursuable
from nas_surgery.surgery.result import Carry, Surgery, origins
from nas_surgery.surgery.retention import (
    Retention,
    incoming_norms,
    outgoing_norms,
    retain,
    takes_constants,
)
from nas_surgery.surgery.ridge import Fit, ridge
from nas_surgery.surgery.silence import dead_units, silent_units
from nas_surgery.surgery.sizes import sized
from nas_surgery.surgery.slots import carry_slots
from nas_surgery.surgery.width import change_width, read, unmixable, write

__all__ = [
    "Carry",
    "Components",
    "Exactness",
    "Fit",
    "Fresh",
    "Promise",
    "Retention",
    "Surgery",
    "WidthMap",
    "approximate",
    "carry_slots",
    "centre_inputs",
    "centred_units",
    "change_width",
    "clone_map",
    "dead_units",
    "differentiable",
    "exact_activation",
    "factor_layer",
    "factor_on_probe",
    "first_linear",
    "fit_into_reader",
    "fit_merged",
    "fitted_promise",
    "fold_centring",
    "fold_loses_digits",
    "gradient_map",
    "group_activation",
    "group_activations",
    "group_functions",
    "incoming_norms",
    "insert_identity",
    "is_centred",
    "map_kind",
    "measured",
    "merge_into_reader",
    "moves_on",
    "origins",
    "outgoing_norms",
    "output_gradient",
    "padded_identity",
    "pair_map",
    "parts_of",
    "proved",
    "pursuable",
    "read",
    "retain",
    "ridge",
    "selection",
    "silent_units",
    "singular_components",
    "sized",
    "split_map",
    "takes_constants",
    "unfactorable",
    "unmergeable",
    "unmixable",
    "with_statistics",
    "write",
    "writer_inputs",
    "zero_map",
]
