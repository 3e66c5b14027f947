"""Measures runs: metrics, evaluation, comparison, and their HTML pages."""
