"""A callback that makes a training last as long on a fast machine as on a slow one."""

import time

import pytorch_lightning as pl


class Pause(pl.Callback):
    """Waits after each step."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        time.sleep(self.seconds)
