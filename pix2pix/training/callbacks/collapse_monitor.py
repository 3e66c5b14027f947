"""Warns when the discriminator always wins, or when the generator ignores its input."""

import logging
import math
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from pydantic import Field
from torch import Tensor

from pix2pix.data.images.palettes import visible
from pix2pix.training.gan_ddp_strategy import average_over_processes

log = logging.getLogger(__name__)

Share = Annotated[float, Field(ge=0, le=1)]
MIN_PAIRS = 8  # fewer say nothing about how pictures vary
WHERE = "See docs/when_training_goes_wrong.md."


class CollapseMonitor(pl.Callback):
    """Warns once of each trouble; the training goes on.

    Args:
        window: how many steps in a row the discriminator must win; how many a generator has to begin with.
        accuracy: the share of right logits, on real and fake alike, above which it does.
        likeness: how little outputs may vary from pair to pair against the targets, or correlate with them.
    """

    def __init__(
        self,
        *,
        window: Annotated[int, Field(ge=1)] = 2000,
        accuracy: Share = 0.99,
        likeness: Share = 0.05,
    ) -> None:
        self.window, self.accuracy, self.likeness_floor = window, accuracy, likeness
        self.state: dict[str, Any] = {"steps": 0, "right": 0.0, "warned": []}

    def state_dict(self) -> dict[str, Any]:
        """The window so far, the mean of all processes, and what was said already."""
        self.state |= average_over_processes({"right": self.state["right"]})
        return self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes them up."""
        self.state = state_dict

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Adds up D's accuracy on the device; fetches it at the end of each window."""
        if not outputs["accuracy"]:
            return
        right = torch.stack(list(outputs["accuracy"].values())).mean()
        self.state["right"] = self.state["right"] + right  # not in place: a sum of a checkpoint lies on the CPU
        self.state["steps"] += 1
        if self.state["steps"] == self.window:
            right = float(average_over_processes(self.state)["right"]) / self.window
            self.state |= {"steps": 0, "right": 0.0}
            if right >= self.accuracy:
                self._warn(
                    "discriminator",
                    f"step {trainer.global_step}: the discriminator was right on {right:.1%} of the last {self.window} "
                    "steps: it wins, and the generator learns little from it. Try a smaller receptive field "
                    "(discriminator=patch16), a smaller discriminator.base_channels, a smaller "
                    "optimizer.discriminator.lr, or objective/adversarial=least_squares.",
                )

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begins to measure how outputs and targets vary."""
        self.likeness = OutputVariation()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Takes the batch in."""
        self.likeness.add(outputs, visible(batch.target, pl_module.target_palette, batch.source))  # pyright: ignore

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs `val/variation` and `val/correlation`; low ones mean that the generator ignores its input."""
        if self.likeness.count < MIN_PAIRS:
            return
        variation, correlation = self.likeness.variation(), self.likeness.correlation()
        pl_module.log_dict({"val/variation": variation, "val/correlation": correlation})
        begun = trainer.global_step >= self.window  # nothing varies in the beginning
        if begun and min(variation, correlation) < self.likeness_floor:
            self._warn(
                "generator",
                f"step {trainer.global_step}: from pair to pair the outputs vary {variation:.2f} times as much as the "
                f"targets and correlate with them by {correlation:.2f}: the generator has collapsed and ignores its "
                "input. Try a conditional objective with an L1 term (objective=l1_cgan), a U-Net (generator=unet), or "
                "a smaller optimizer.lr.",
            )

    def _warn(self, trouble: str, words: str) -> None:
        if trouble not in self.state["warned"]:
            self.state["warned"].append(trouble)
            log.warning("%s %s", words, WHERE)


class OutputVariation:
    """How outputs and targets vary together from pair to pair, pixel by pixel, from sums alone."""

    def __init__(self) -> None:
        self.count, self.sums = 0, torch.zeros(())

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """Takes in outputs and targets (B, C, H, W); those of another size than the first are left out."""
        if self.count and outputs.shape[1:] != self.sums.shape[1:]:
            return
        o, t = outputs.detach().float(), targets.float()
        sums = torch.stack([x.sum(dim=0) for x in (o, t, o.square(), t.square(), o * t)])
        self.count, self.sums = self.count + len(o), self.sums.to(sums) + sums

    def variation(self) -> float:
        """Standard deviation of the outputs from pair to pair, as a share of that of the targets."""
        of_outputs, of_targets, _ = self._moments()
        return math.sqrt(of_outputs / of_targets) if of_targets else 1.0

    def correlation(self) -> float:
        """Of outputs and targets over the pairs: 1 where each output is its target, 0 where it might be any other's."""
        of_outputs, of_targets, together = self._moments()
        return together / math.sqrt(of_outputs * of_targets) if of_outputs and of_targets else 0.0

    def _moments(self) -> tuple[float, float, float]:
        """Variance of outputs, variance of targets, covariance; means over pixels."""
        o, t, oo, tt, ot = self.sums / self.count
        return float((oo - o * o).mean().clamp(0)), float((tt - t * t).mean().clamp(0)), float((ot - o * t).mean())
