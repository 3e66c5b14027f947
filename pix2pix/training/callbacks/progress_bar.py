"""Progress on the console: epoch, step, smoothed losses, speed, time left."""

import contextlib
import shutil
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import pytorch_lightning as pl
from pydantic import Field

from pix2pix.core.progress_bars import tqdm
from pix2pix.training.length import count_steps

WIDE = 100  # columns from which the bar also shows images per second


class ProgressBar(pl.Callback):
    """One bar for the whole training: epoch, steps, time left, smoothed losses of the first process, images per second.

    If the output is not a terminal (a file, CI), lines with the same numbers: one after each epoch, and one after the
    step with which `every_n_seconds` have passed since the last line. Lightning's bars cover one epoch each, read
    the losses from the device in every step, and write every update of a bar into a file.

    Args:
        smoothing: weight of the past in the running mean of the losses.
        every_n_seconds: how often a line is printed within an epoch; None prints none there.
    """

    def __init__(
        self, *, smoothing: float = 0.98, every_n_seconds: Annotated[float, Field(gt=0)] | None = 30.0
    ) -> None:
        self.smoothing, self.every_n_seconds = smoothing, every_n_seconds
        self.losses: dict[str, Any] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Opens the bar at the step the training starts from."""
        self.elapsed, self.images, self.started = 0.0, 0, time.monotonic()
        self.begun, self.first_step, self.printed = self.started, trainer.global_step, self.started
        known_width = shutil.get_terminal_size((0, 0)).columns > 0  # some pseudo-terminals have none
        self.bar = _Bar(
            total=count_steps(trainer),
            initial=trainer.global_step,
            unit="step",
            dynamic_ncols=known_width,
            ncols=None if known_width else 100,
            nrows=None if known_width else 24,
            smoothing=0.05,
            disable=not (trainer.is_global_zero and sys.stderr.isatty()),
            bar_format="{desc} {bar} {n_fmt}/{total_fmt}  {remaining} left{numbers}",
        )

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Restarts the clock: the speed is that of training alone, without validation and saving."""
        self.images, self.started = 0, time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Smooths the losses without waiting for the device; advances the bar, or prints a line if it is due."""
        self.images += len(batch.name) * trainer.world_size
        self.elapsed = time.monotonic() - self.started
        for name, loss in outputs["losses"].items():
            # A running mean, on the device: loss + smoothing * (mean so far - loss).
            self.losses[name] = loss.lerp(self.losses.get(name, loss), self.smoothing)
        if self.bar.disable:
            if self.every_n_seconds is not None and time.monotonic() - self.printed >= self.every_n_seconds:
                self._print_line(trainer)
            return
        self.bar.update()
        if self.bar.n == self.bar.last_print_n:  # tqdm has just redrawn; fetching the numbers waits for the device
            self._set_losses(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws the bar with the losses of the last step, or prints the line of the epoch if there is no terminal."""
        if self.bar.disable:
            values = {n: v for n, v in trainer.callback_metrics.items() if n.startswith("val/")}
            self._print_line(trainer, *(f"{name} {float(value):.4g}" for name, value in values.items()))
        else:
            self._set_losses(trainer)
            self.bar.refresh()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Closes the bar."""
        self.bar.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Closes the bar, so that the error starts on its own line."""
        if hasattr(self, "bar"):
            self.bar.close()

    def _set_losses(self, trainer: pl.Trainer) -> None:
        """Sets the numbers of the next drawing of the bar."""
        self.bar.set_description(format_epoch(trainer), refresh=False)
        self.bar.numbers = f" │ {format_losses({name: float(loss) for name, loss in self.losses.items()})}"
        if self.bar.is_wide():
            self.bar.numbers += f"  {self._rate():.1f} img/s"

    def _print_line(self, trainer: pl.Trainer, *validated: str) -> None:
        """Prints a line, on the first process only; fetching the losses waits for the device."""
        self.printed = time.monotonic()
        if not trainer.is_global_zero:
            return
        total, steps = count_steps(trainer), trainer.global_step - self.first_step
        step = f"step {trainer.global_step}" + ("" if total is None else f"/{total}")
        # The mean over this session, with validations and saving, which the remaining steps will have as well.
        seconds = 0 if total is None else (total - trainer.global_step) * (self.printed - self.begun) / max(steps, 1)
        left = [] if total is None else [f"{tqdm.format_interval(seconds)} left"]
        with contextlib.suppress(OSError):  # a closed pipe must not stop the training
            tqdm.write("  ".join([format_epoch(trainer), step, *left, self._numbers(), *validated]), file=sys.stderr)

    def _rate(self) -> float:
        """Images per second of this epoch."""
        return self.images / max(self.elapsed, 1e-9)

    def _numbers(self) -> str:
        rate = self._rate()
        losses = "  ".join(f"{name} {float(loss):.3f}" for name, loss in self.losses.items())
        return f"{rate:.1f} img/s  {losses}"


class _Bar(tqdm):
    """A bar with the losses at its end, as short as they have to be for the bar to be seen at 80 columns."""

    numbers = ""

    @property
    def format_dict(self) -> dict[str, Any]:
        """What the format of the bar may name."""
        return {**super().format_dict, "numbers": self.numbers}

    def is_wide(self) -> bool:
        """Whether there is room for more than the losses."""
        return (self.format_dict["ncols"] or 0) >= WIDE


def format_losses(losses: Mapping[str, float]) -> str:
    """The losses of both networks in few characters: `D .18 .21  G 2.1  L1 33`, D of fake and real pairs."""
    parts = [" ".join(["D", *(_shorten(value) for name, value in losses.items() if name.startswith("d_"))])]
    for name, value in losses.items():
        if not name.startswith("d_"):
            term = name.removeprefix("g_")
            parts.append(f"{'G' if term == 'gan' else term.upper() if len(term) < 3 else term} {_shorten(value)}")
    return "  ".join(part for part in parts if part != "D")


def _shorten(value: float) -> str:
    """Two digits, without a zero before the point: `.18`, `2.1`, `33`, `1.2e+03`."""
    text = f"{value:.2g}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def format_epoch(trainer: pl.Trainer) -> str:
    """The number of the epoch and, if known, of how many."""
    last = f"/{trainer.max_epochs}" if trainer.max_epochs and trainer.max_epochs > 0 else ""
    return f"epoch {trainer.current_epoch + 1}{last}"
