"""Translates pictures, folders and videos with a trained generator."""
