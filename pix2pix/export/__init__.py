"""Exports a trained generator: ONNX, safetensors, exported program, static web page."""
