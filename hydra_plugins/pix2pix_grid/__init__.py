"""Hydra sweeper plugin for all combinations of values: Hydra's own, which would compose each job a second time.

`PrepareSweep` puts it in the place of Hydra's. Hydra imports this module for every command. No `from __future__ import
annotations`: Hydra reads the signatures.
"""

from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class CheckedGridSweeper(BasicSweeper):
    """Runs a job for each combination of values, all of which were checked."""

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Nothing: `PrepareSweep` has composed and checked each job."""
