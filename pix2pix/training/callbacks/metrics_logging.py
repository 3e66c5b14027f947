"""Logs losses, learning rates and speed by training step."""

import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import Optimizer

from pix2pix.config.schema import NETWORKS
from pix2pix.training.gan_ddp_strategy import average_over_processes
from pix2pix.training.module import Pix2Pix
from pix2pix.training.stopping import is_last_epoch

log = logging.getLogger(__name__)

GIBIBYTE = 2**30


class TrainingLog(pl.Callback):
    """Every `trainer.log_every_n_steps` steps, logs means over the steps since the last row.

    A training that ends before so many steps logs them once, at its last step.

    | logged | what it is |
    |---|---|
    | `loss/d_real`, `loss/g_l1` ... | each loss before its weight; `loss/d_penalty` with it |
    | `accuracy/d_real`, `accuracy/d_fake` | share of D's logits that were right; D wins when both stay near 1 |
    | `gradient_norm/generator`, `.../discriminator` | norm of a network's gradient before clipping (an option) |
    | `lr/generator`, `lr/discriminator` | learning rates |
    | `images_per_second` | of all devices, without validation |
    | `overflow_steps`, `loss_scale` | steps that 16-mixed has skipped for overflow so far, and its loss scale |
    | `gpu_memory_gib` | the peak memory allocated on a GPU so far |
    | `val/...` | the validation metrics, after each validation |
    | whatever callbacks log with `log` | in the same rows |

    Loggers receive the step that checkpoints and the progress bar show, not Lightning's own, which is one behind. A
    number that a callback logs appears at the step at which it was logged: in the row of that step, or in one of its
    own. Means over an epoch follow at its end.

    This callback must run after the callbacks that log, and before checkpoints are saved.

    Args:
        gradient_norms: whether to measure them.
    """

    def __init__(self, *, gradient_norms: bool = False) -> None:
        self.gradient_norms = gradient_norms
        self.overflows: Tensor | int = 0
        self.scale: Tensor | None = None
        self.waiting: dict[str, tuple[int, Any]] = {}  # numbers of callbacks and their steps, for the next row
        self.epoch_names: set[str] = set()
        self._begin_interval()

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Starts to collect what callbacks log."""
        if isinstance(pl_module, Pix2Pix):
            pl_module.unsent_names = set()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stops collecting."""
        if isinstance(pl_module, Pix2Pix):
            pl_module.unsent_names = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Starts the clock."""
        self.images, self.started = 0, time.monotonic()

    def _begin_interval(self) -> None:
        self.sums: dict[str, Any] = {}
        self.steps, self.images, self.started = 0, 0, time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The interval so far: a run resumed within one logs the same means as an uninterrupted run.

        With several processes it is their mean, because only the first one's state is saved and all resume from it.
        """
        self.sums = average_over_processes(self.sums)
        waiting = {name: (step, float(value)) for name, (step, value) in self.waiting.items()}
        half = {"overflows": self.overflows, "scale": self.scale}  # to detect an overflow in the next step
        return {"sums": self.sums, "steps": self.steps, "waiting": waiting} | half

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the interval."""
        self.sums, self.steps, self.overflows = state_dict["sums"], state_dict["steps"], state_dict["overflows"]
        self.waiting, self.scale = dict(state_dict.get("waiting", {})), state_dict.get("scale")

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        """Measures the gradient of the network about to step."""
        if self.gradient_norms:
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            network = NETWORKS[[own is optimizer for own in trainer.optimizers].index(True)]
            self._add("gradient_norm/", {network: torch.nn.utils.get_total_norm(gradients)})

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Sums on the device; the sums are read only when they are logged."""
        self._add("loss/", outputs["losses"])
        self._add("accuracy/d_", outputs["accuracy"])
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        if scaler is not None:
            self.count_overflow(scaler)
        self.steps, self.images = self.steps + 1, self.images + len(batch.name) * trainer.world_size
        # A number of this step waits for the next row, at its own step: `log_every_n_steps` is for losses alone.
        numbers = self._take_logged(trainer, pl_module, on_step=True)
        self.waiting |= {name: (trainer.global_step, value) for name, value in numbers.items()}
        if trainer.global_step % trainer.log_every_n_steps == 0:  # pyright: ignore[reportAttributeAccessIssue]
            self._send_rows(trainer, self._values(trainer))
            self._begin_interval()
        elif trainer.is_last_batch:
            self._send_rows(trainer, {})

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stops the clock."""
        self.validated = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sends what was logged during the validation, at the validated step; the clock keeps running."""
        self.started += time.monotonic() - self.validated
        numbers = self._take_logged(trainer, pl_module, on_step=False)
        if not trainer.sanity_checking:
            self._send_rows(trainer, numbers)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Sends the means over the epoch, and the losses of a training that is shorter than an interval."""
        means: dict[str, Any] = dict(self._take_logged(trainer, pl_module, on_step=False, also=self.epoch_names))
        self.epoch_names = set()
        # The interval stays as it is: a training that goes on later logs the row that it would have logged.
        if trainer.global_step < trainer.log_every_n_steps and is_last_epoch(trainer):  # pyright: ignore[reportAttributeAccessIssue]
            means |= self._values(trainer)
        self._send_rows(trainer, means)

    def _take_logged(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *, on_step: bool, also: Collection[str] = ()
    ) -> dict[str, Tensor]:
        """The numbers logged since the last call, values of the step or means, by the names that loggers use."""
        names: set[str] = getattr(pl_module, "unsent_names", None) or set()
        if not names and not also:
            return {}
        # Lightning offers the numbers in a private table only; its public `callback_metrics` mixes steps and means.
        available = trainer._results.metrics(on_step)["callback"] if trainer._results else {}
        taken = {}
        for name in sorted((names | set(also)) & available.keys()):
            forked = f"{name}_{'step' if on_step else 'epoch'}"  # Lightning's name for a number logged as both
            taken[forked if available.get(forked) is available[name] else name] = available[name]
        # A number that was logged within the epoch has a mean at its end, for which its name is kept.
        self.epoch_names |= names - (set() if on_step else taken.keys())
        names.clear()
        return taken

    def _send_rows(self, trainer: pl.Trainer, values: Mapping[str, Any]) -> None:
        """Sends the waiting rows of earlier steps, then the row of this step if it has any values."""
        rows: dict[int, dict[str, Any]] = {trainer.global_step: {}}
        for name, (step, value) in self.waiting.items():
            rows.setdefault(step, {})[name] = value
        rows[trainer.global_step] |= values
        self.waiting = {}
        for step, row in sorted(rows.items()):
            if row:
                _log_row(trainer, {name: float(value) for name, value in row.items()}, step)

    def count_overflow(self, scaler: torch.amp.GradScaler) -> Tensor | int:
        """Steps skipped for overflow so far, on the device: the loss scale falls only on overflow."""
        scale = scaler._scale
        if scale is not None:
            before = scaler._init_scale if self.scale is None else self.scale  # the saved one after resuming
            self.overflows = self.overflows + (scale < before).long()
            self.scale = scale.clone()
        return self.overflows

    def _add(self, prefix: str, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.sums[prefix + name] = self.sums.get(prefix + name, 0) + value

    def _values(self, trainer: pl.Trainer) -> dict[str, float]:
        # The one place in an interval that waits for the device.
        means = {name: float(total) / self.steps for name, total in average_over_processes(self.sums).items()}
        optimizers = zip(NETWORKS, trainer.optimizers, strict=False)
        rates = {f"lr/{name}": optimizer.param_groups[0]["lr"] for name, optimizer in optimizers}
        speed = {"images_per_second": self.images / (time.monotonic() - self.started)}
        half = {} if self.scale is None else {"overflow_steps": float(self.overflows), "loss_scale": float(self.scale)}
        return means | rates | speed | half | _memory(trainer)


def _memory(trainer: pl.Trainer) -> dict[str, float]:
    device = trainer.strategy.root_device
    return {"gpu_memory_gib": torch.cuda.max_memory_allocated(device) / GIBIBYTE} if device.type == "cuda" else {}


def _log_row(trainer: pl.Trainer, values: dict[str, float], step: int) -> None:
    for logger in trainer.loggers:
        try:
            logger.log_metrics({"epoch": trainer.current_epoch + 1} | values, step=step)
        except OSError as error:  # a full disk must not stop the training
            log.warning("step %d is not logged to %s: %s", step, logger.name, error)
