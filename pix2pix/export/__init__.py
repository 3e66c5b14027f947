"""A trained generator in files that others read: ONNX, safetensors, an exported program, a page."""
