"""Converts picture files to tensors in [-1, 1] and back."""
