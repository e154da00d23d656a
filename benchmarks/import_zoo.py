"""Which ONNX files can be imported: all of torchvision's classifiers and the onnx package's converted models.

    pip install --no-deps torchvision && pip install onnxscript
    python benchmarks/import_zoo.py legacy --files zoo --json benchmarks/results/import_legacy.json
    python benchmarks/import_zoo.py dynamo --files zoo-dynamo --json benchmarks/results/import_dynamo.json
    python benchmarks/import_zoo.py converted --json benchmarks/results/import_converted.json

Weights are random, from seed 0, and so are the statistics of BatchNorm. Of each file: whether it is imported, and
how far the network (NumPy, float32) and its export with the file's own face are from onnxruntime's outputs of the
file, and from the network that is imported from that export; relative to the largest output. Files are kept in
the folder, and made only where they are missing.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from origin import origin

from nas_surgery.formats.onnx.importer.reading import Refused, imported
from nas_surgery.formats.onnx.likeness import export_like

PACKAGES = ("numpy", "onnx", "onnxruntime", "onnxscript", "torch", "torchvision")
LARGEST = 90_000_000  # parameters
SIDES = {"inception_v3": 299, "alexnet": 224}
WIDE = ("vit", "maxvit", "swin_v2")  # of fixed size 224; swin_v2 of 256
DYNAMO = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "inception_v3", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small"),
    *("mobilenet_v3_large", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50"),
    *("shufflenet_v2_x0_5", "squeezenet1_0", "squeezenet1_1", "swin_t", "vit_b_16"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("set", choices=("legacy", "dynamo", "converted"))
    parser.add_argument("--files", type=Path, default=Path("zoo"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    rows = [
        row | {"name": name}
        for name, row in rows_of(options.set, options.files)
        if not options.only or name in options.only
    ]
    good = [row for row in rows if not row.get("reasons") and row["within"]]
    print(f"{len(good)} of {len(rows)} imported and equal within 1e-4")
    if options.json:
        held = {"origin": origin(PACKAGES), "imported": len(good), "of": len(rows), "models": rows}
        options.json.write_text(json.dumps(held, indent=1) + "\n")


def rows_of(kind: str, folder: Path) -> Any:
    """(name, what was found) of each file, printed as it comes."""
    pairs = converted() if kind == "converted" else torchvision(kind, folder)
    for name, path, x, y in pairs:
        row = measured(path, x, y)
        print(name, shown(row), flush=True)
        yield name, row


def shown(row: dict[str, Any]) -> str:
    if row.get("reasons"):
        return f"refused: {row['reasons'][0]}" + f" and {len(row['reasons']) - 1} more" * (
            len(row["reasons"]) > 1
        )
    return (
        f"{row['parameters']:,} parameters, {row['layers']} layers, {row['seconds']:.1f} s;"
        f" differs by {row['forward']:.1e}, exported {row['exported']:.1e}, again {row['again']:.1e}"
    )


def measured(path: Path, x: Any, y: Any) -> dict[str, Any]:
    """What becomes of one file; x, y: inputs and the outputs that are right, or None to have onnxruntime say them."""
    start = time.perf_counter()
    try:
        held = imported(path.read_bytes())
    except Refused as refused:
        return {"reasons": [str(reason) for reason in refused.reasons]}
    seconds = time.perf_counter() - start
    network, interface = held.network, held.interface
    if x is None:
        x = (
            np.random.default_rng(0)
            .standard_normal((1, *interface.input.sizes[1:]))
            .astype(np.float32)
        )
    wanted = run(path.read_bytes(), x) if y is None else y
    found = {
        "parameters": network.parameter_count,
        "layers": len(network.layers),
        "head": list(interface.head_operators),
        "seconds": round(seconds, 2),
        "forward": difference(wanted, forward(held, x)) if not interface.head else 0.0,
    }
    content = export_like(network, interface)
    found["exported"] = difference(wanted, run(content, x))
    found["again"] = difference(forward(held, x), forward(imported(content), x))
    found["within"] = max(found["forward"], found["exported"], found["again"]) <= 1e-4
    return found


def forward(held: Any, x: Any) -> Any:
    return held.interface.restore(held.network.forward(held.interface.arrange(x)))


def difference(wanted: Any, found: Any) -> float:
    if wanted.shape != found.shape:
        return float("inf")
    return float(np.abs(wanted - found).max() / max(np.abs(wanted).max(), 1e-30))


def run(content: bytes, x: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def converted() -> Any:
    import onnx
    from onnx import TensorProto, numpy_helper

    base = Path(onnx.__file__).parent / "backend/test/data/pytorch-converted"
    for folder in sorted(base.iterdir()):
        stored = [folder / "test_data_set_0" / f"{name}_0.pb" for name in ("input", "output")]
        x, y = (numpy_helper.to_array(TensorProto.FromString(f.read_bytes())) for f in stored)
        yield folder.name, folder / "model.onnx", x, y


def torchvision(kind: str, folder: Path) -> Any:
    folder.mkdir(exist_ok=True)
    models = stubbed()
    names = DYNAMO if kind == "dynamo" else models.list_models(module=models)
    for name in names:
        path = folder / f"{name}.onnx"
        if not path.exists() and not made(models, name, path, kind):
            continue
        yield name, path, None, None


def stubbed() -> Any:
    """torchvision's models; on a torch without its kernels the operators of detection are declared, and never run."""
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + boxes)
    from torchvision import models

    models.kept = library
    return models


def made(models: Any, name: str, path: Path, kind: str) -> bool:
    """Whether a file was made, of a model that is small enough."""
    import torch

    if name == "regnet_y_128gf":  # 645 million
        return False
    torch.manual_seed(0)
    torch.backends.mha.set_fastpath_enabled(False)
    more = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = models.get_model(name, weights=None, **more).eval()
    if sum(p.numel() for p in model.parameters()) > LARGEST:
        return False
    for layer in model.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1 and not weights.any():  # as heads of some are made
                weights.normal_(0, 0.02)
    side = SIDES.get(
        name, 256 if name.startswith("swin_v2") else 224 if name.startswith(WIDE) else 96
    )
    side = 112 if name in ("swin_t", "swin_s", "swin_b") else side
    x = torch.randn(1, 3, side, side)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        export(torch, model, x, path, kind)
    return True


def export(torch: Any, model: Any, x: Any, path: Path, kind: str) -> None:
    names = {"input_names": ["image"], "output_names": ["logits"]}
    part = path.with_suffix(".part")
    if kind == "legacy":
        axes = {"image": {0: "N"}, "logits": {0: "N"}}
        mode = torch.onnx.TrainingMode.PRESERVE
        torch.onnx.export(
            model,
            x,
            str(part),
            dynamo=False,
            opset_version=17,
            training=mode,
            dynamic_axes=axes,
            **names,
        )
    else:
        shapes = ({0: torch.export.Dim("N")},)
        program = torch.onnx.export(
            model, (torch.cat([x, x]),), dynamo=True, optimize=False, dynamic_shapes=shapes, **names
        )
        program.save(str(part), external_data=False)
    os.replace(part, path)


if __name__ == "__main__":
    main()
