"""Import of ONNX files from any exporter: parsed in a process of its own, walked node by node as symbolic views."""
