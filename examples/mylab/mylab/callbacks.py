"""A callback."""

from typing import Any

import pytorch_lightning as pl
import torch


class WeightNorm(pl.Callback):
    """Logs the norm of the generator's weights after each epoch, and the largest one so far."""

    def __init__(self) -> None:
        self.largest = 0.0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs both; they are columns of metrics.csv."""
        norm = torch.nn.utils.get_total_norm(pl_module.generator.parameters()).item()
        self.largest = max(self.largest, norm)
        pl_module.log_dict({"train/weight_norm": norm, "train/largest_weight_norm": self.largest})

    def state_dict(self) -> dict[str, Any]:
        """What checkpoints keep."""
        return {"largest": self.largest}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Is called with it when the run resumes."""
        self.largest = state_dict["largest"]
