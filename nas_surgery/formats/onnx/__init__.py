"""ONNX: export, its check under onnxruntime, and reading back what was exported."""
