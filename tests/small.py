"""The smallest training there is, in this process and within a tenth of a second: a module, a few pairs, a trainer."""

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from pix2pix.data.pair import Pair
from pix2pix.models.objective import Objective
from pix2pix.models.schedules import Schedule
from pix2pix.training.module import Pix2Pix
from pix2pix.training.optimization import Optimization

RATE = 2e-4


class Pairs(torch.utils.data.Dataset):
    """So many pairs of noise, 16x16."""

    def __init__(self, count: int) -> None:
        self.images = torch.rand(count, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Pair:
        return Pair(*self.images[index], str(index))


def module(
    generator: nn.Module | None = None,
    objective: Objective | None = None,
    schedules: dict[str, Schedule] | None = None,
    **options: Any,
) -> Pix2Pix:
    """A generator of one convolution, without a discriminator."""
    adam = Optimization({"generator": partial(torch.optim.Adam, lr=RATE)}, schedules)
    return Pix2Pix(generator or nn.Conv2d(3, 3, 1), None, objective or Objective(None), adam, **options)


def fit(
    trained: Pix2Pix,
    *callbacks: pl.Callback,
    pairs: int | pl.LightningDataModule = 4,
    resume: Path | None = None,
    **options: Any,
) -> pl.Trainer:
    """Trains it on so many pairs an epoch, and validates it on two; or on the pairs of a data module."""
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    defaults = quiet | {"accelerator": "cpu", "logger": False, "num_sanity_val_steps": 0}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*(does not have many workers|smaller than the logging|in eval mode).*")
        trainer = pl.Trainer(callbacks=list(callbacks), **(defaults | options))
        if isinstance(pairs, pl.LightningDataModule):
            trainer.fit(trained, datamodule=pairs, ckpt_path=resume, weights_only=True)
        else:
            loaders = DataLoader(Pairs(pairs)), DataLoader(Pairs(2))
            trainer.fit(trained, *loaders, ckpt_path=resume, weights_only=True)
    return trainer
