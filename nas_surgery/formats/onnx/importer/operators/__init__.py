"""What is made of each operator, one family a file."""

from importlib import import_module

from nas_surgery.formats.onnx.importer.operators.calls import OPERATORS, Call

FAMILIES = (
    *(
        "arithmetic",
        "attention",
        "convolution",
        "elementwise",
        "joining",
        "linear",
        "normalization",
    ),
    *("padding", "pooling", "recurrent", "resizing", "shaping", "tokens"),
)
for _family in FAMILIES:  # each enters its operators
    import_module(f"{__name__}.{_family}")

__all__ = ["FAMILIES", "OPERATORS", "Call"]
