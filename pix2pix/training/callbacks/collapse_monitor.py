"""Warns when the discriminator always wins, or when the generator ignores its input."""

import logging
import math
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from pydantic import Field
from torch import Tensor

from pix2pix.data.images.palettes import to_displayable
from pix2pix.training.gan_ddp_strategy import average_over_processes

log = logging.getLogger(__name__)

Share = Annotated[float, Field(ge=0, le=1)]
MIN_PAIRS = 8  # fewer do not show how pictures vary
ADVICE = "See docs/when_training_goes_wrong.md."


class CollapseMonitor(pl.Callback):
    """Warns once of each problem; the training continues.

    Args:
        window: steps over which D's accuracy is averaged, and steps before the generator is judged.
        accuracy: the mean share of right logits, on real and fake pairs, from which D is said to win.
        min_variation: the least variation of outputs from pair to pair, relative to the targets, and the least
            correlation with them.
    """

    def __init__(
        self, *, window: Annotated[int, Field(ge=1)] = 2000, accuracy: Share = 0.99, min_variation: Share = 0.05
    ) -> None:
        self.window, self.accuracy, self.min_variation = window, accuracy, min_variation
        self.state: dict[str, Any] = {"steps": 0, "right": 0.0, "warned": []}

    def state_dict(self) -> dict[str, Any]:
        """The window so far as a mean over all processes, and the warnings already given."""
        self.state |= average_over_processes({"right": self.state["right"]})
        return self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores them."""
        self.state = state_dict

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Sums D's accuracy on the device; reads it at the end of each window."""
        if not outputs["accuracy"]:
            return
        # The share of right logits on real and fake pairs together, on the device: no step waits for it.
        right = torch.stack(list(outputs["accuracy"].values())).mean()
        self.state["right"] = self.state["right"] + right  # not in place: a sum from a checkpoint is on the CPU
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
        """Starts to measure how outputs and targets vary."""
        self.statistics = OutputVariation()

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Adds the batch."""
        self.statistics.add(outputs, to_displayable(batch.target, pl_module.target_palette, batch.source))  # pyright: ignore

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Logs `val/variation` and `val/correlation`; low ones mean that the generator ignores its input."""
        if self.statistics.count < MIN_PAIRS:
            return
        variation, correlation = self.statistics.variation(), self.statistics.correlation()
        pl_module.log_dict({"val/variation": variation, "val/correlation": correlation})
        is_trained = trainer.global_step >= self.window  # at first the outputs hardly vary
        if is_trained and min(variation, correlation) < self.min_variation:
            self._warn(
                "generator",
                f"step {trainer.global_step}: from pair to pair the outputs vary {variation:.2f} times as much as the "
                f"targets and correlate with them by {correlation:.2f}: the generator has collapsed and ignores its "
                "input. Try a conditional objective with an L1 term (objective=l1_cgan), a U-Net (generator=unet), or "
                "a smaller optimizer.lr.",
            )

    def _warn(self, problem: str, message: str) -> None:
        if problem not in self.state["warned"]:
            self.state["warned"].append(problem)
            log.warning("%s %s", message, ADVICE)


class OutputVariation:
    """Measures how outputs and targets vary together from pair to pair, at each pixel, from running sums."""

    def __init__(self) -> None:
        self.count, self.sums = 0, torch.zeros(())

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """Adds outputs and targets (B, C, H, W). Batches of another size than the first are ignored."""
        if self.count and outputs.shape[1:] != self.sums.shape[1:]:
            return
        o, t = outputs.detach().float(), targets.float()
        # Five sums for each pixel: of outputs, targets, their squares and their products.
        sums = torch.stack([x.sum(dim=0) for x in (o, t, o.square(), t.square(), o * t)])
        self.count, self.sums = self.count + len(o), self.sums.to(sums) + sums

    def variation(self) -> float:
        """Standard deviation of the outputs from pair to pair, divided by that of the targets."""
        output_variance, target_variance, _ = self._moments()
        return math.sqrt(output_variance / target_variance) if target_variance else 1.0

    def correlation(self) -> float:
        """Correlation of outputs and targets over the pairs: 1 if each equals its target, 0 if unrelated."""
        output_variance, target_variance, covariance = self._moments()
        scale = math.sqrt(output_variance * target_variance)
        return covariance / scale if scale else 0.0

    def _moments(self) -> tuple[float, float, float]:
        """Variance of outputs, variance of targets and their covariance, as means over pixels."""
        # E[x^2] - E[x]^2 at each pixel, then the mean over pixels. Rounding may bring a variance below 0.
        o, t, oo, tt, ot = self.sums / self.count
        return float((oo - o * o).mean().clamp(0)), float((tt - t * t).mean().clamp(0)), float((ot - o * t).mean())
