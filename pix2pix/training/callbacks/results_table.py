"""Logs a table of validation pairs, outputs and errors at the end of a training."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from pix2pix.core.sequences import evenly_spaced
from pix2pix.core.trusted_modules import foreign_modules
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.images.palettes import to_displayable
from pix2pix.data.images.pictures import select_channels, to_picture
from pix2pix.data.pair import Pair
from pix2pix.evaluation.metrics import hide_unlabelled, pair_metrics
from pix2pix.inference import generator
from pix2pix.runs.run import Run
from pix2pix.training.callbacks.samples import Count
from pix2pix.training.loggers.base import SupportsTables
from pix2pix.training.module import Pix2Pix


class ResultsTable(pl.Callback):
    """Logs the results of the last checkpoint: input, output, target and metrics of some validation pairs.

    Args:
        pairs: how many validation pairs, evenly spaced over all of them.
    """

    def __init__(self, *, pairs: Count = 16) -> None:
        self.pairs = pairs

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sends the table to the loggers that support tables."""
        loggers = [logger for logger in trainer.loggers if isinstance(logger, SupportsTables)]
        run = Path(trainer.default_root_dir)
        if not loggers or not Run(run).last_checkpoint.is_file():
            return
        data = trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]
        assert isinstance(data, PairDataModule)
        assert isinstance(pl_module, Pix2Pix)
        # The run itself names these modules and has imported them, so they are trusted here without being asked for.
        trust = foreign_modules(pl_module.config.to_mapping() if pl_module.config else {})
        trained = generator.load_generator(run, device=str(pl_module.device), trust=trust)
        places = evenly_spaced(len(data.validation), self.pairs)
        rows = [_row(trained, data.validation[place]) for place in places]
        for logger in loggers:
            logger.log_table(rows, trainer.global_step)


def _row(trained: generator.TrainedGenerator, pair: Pair) -> dict[str, Any]:
    source, target = pair.source[None], pair.target[None]
    output, target = (
        trained.generate(source, pair.name),
        to_displayable(target, trained.config.data.target_palette, source),
    )
    seen = trained.config.data.source_image_spec.show(pair.source, trained.config.data.source_palette)
    pictures = {"input": seen, "output": select_channels(output[0]), "target": select_channels(target[0])}
    measured = hide_unlabelled(output, target, trained.config.data.target_label_palette)
    metrics = {name: float(value) for name, value in pair_metrics(measured, target).items()}
    return {"pair": pair.name} | {name: to_picture(image) for name, image in pictures.items()} | metrics
