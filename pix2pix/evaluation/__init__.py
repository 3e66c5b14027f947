"""Measures runs: metrics, evaluation, comparison, and their HTML pages."""

from pix2pix.config.metric_names import PairMetric as PairMetric
