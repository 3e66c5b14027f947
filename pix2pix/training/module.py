"""The LightningModule around the training step: optimizers, precision, validation."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from pix2pix.config.metric_names import PairMetric
from pix2pix.config.saved import config_in_weights
from pix2pix.config.schema import RunConfig
from pix2pix.core.randomness import seed_step
from pix2pix.core.trust import Trust
from pix2pix.data.images.palettes import Palette, to_displayable
from pix2pix.data.pair import Pair, to_pair
from pix2pix.evaluation.metrics import measure_validation
from pix2pix.inference.mode import InferenceMode
from pix2pix.models.objective import Objective
from pix2pix.models.step_interface import Networks, StepResult, TrainingStep, require_step_result
from pix2pix.runs.plain_state import make_plain, restore_types
from pix2pix.training.cuda_graph import CUDAGraphStep, Execution, match_memory_format, warn_about_skipped_hooks
from pix2pix.training.divergence import require_finite_state
from pix2pix.training.half_weights import HalfWeights
from pix2pix.training.length import find_end
from pix2pix.training.moving_average import MovingAverage
from pix2pix.training.objective_state import keep_networks_of_objective_out_of_checkpoints
from pix2pix.training.optimization import Optimization
from pix2pix.training.optimizer_states import apply_changed_settings, read_rates
from pix2pix.training.optimizer_update import OptimizerUpdate
from pix2pix.training.step_count import count_one_step
from pix2pix.training.step_options import Pix2PixStep
from pix2pix.training.stopping import update_callback_states


class Pix2Pix(pl.LightningModule):
    """Generator, discriminator and objective, trained in alternation.

    The networks keep the weights that they come with: `pix2pix.models.initialise` draws the paper's. The objective
    follows the module to its device; its networks are neither trained nor saved.

    Args:
        generator: maps (B, C, H, W) to (B, C', H, W) in [-1, 1].
        discriminator: maps images to logits; None when the objective has no adversarial term.
        objective: the losses and their weights.
        optimization: how the weights are updated.
        step: trains both networks on a batch; None: the paper's step.
        average: a moving average of G's weights, which replaces G wherever pictures are made; None for no average.
        metrics: further metrics of a validation.
        seed: the seed of every random draw.
        config: the run's configuration, which is stored in every checkpoint. It says what the data mean, how the
            generator is run when it does not train, and how a step is executed; None for pictures and the defaults.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None,
        objective: Objective,
        optimization: Optimization,
        *,
        step: TrainingStep | None = None,
        average: MovingAverage | None = None,
        metrics: Mapping[str, PairMetric] | None = None,
        seed: int = 0,
        config: RunConfig | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.generator, self.discriminator = generator, discriminator
        self.objective = objective.requires_grad_(False).train()  # the losses; their networks stay in evaluation mode
        keep_networks_of_objective_out_of_checkpoints(self)
        self.optimization, self.metrics, self.step = optimization, metrics or {}, step or Pix2PixStep()
        self.config, self.seed = config, seed
        self.inference = InferenceMode(**config.inference.model_dump()) if config else InferenceMode()
        self.source_palette: Palette | None = config.data.source_palette if config else None
        self.target_palette: Palette | None = config.data.target_palette if config else None
        self.target_label_palette: Palette | None = config.data.target_label_palette if config else None
        self.rates = optimization.build_rates()
        self.unsent_names: set[str] | None = None
        """The names of numbers that wait for a TrainingLog to send them to the loggers; None without a TrainingLog."""
        self.average = average
        # A setting that is still `auto` is off: only a run's start decides it.
        decided = config.execution if config else Execution()
        self.execution = Execution(**{field.name: getattr(decided, field.name) is True for field in fields(Execution)})
        if self.execution.channels_last:
            self.to(memory_format=torch.channels_last)
        # What a step calls, perhaps compiled. In a tuple, as torch would register the modules a second time.
        self.step_networks: tuple[Any, Any] = (generator, discriminator)
        self.half_weights: list[HalfWeights] = []
        self.graph_step: CUDAGraphStep | None = None

    def configure_optimizers(self) -> list[Optimizer]:
        """G's optimizer, then D's where there is a D."""
        networks = {"generator": self.generator}
        networks |= {} if self.discriminator is None else {"discriminator": self.discriminator}
        optimizers = self.optimization.build_optimizers(networks)
        self.rates.start(optimizers)
        return list(optimizers.values())

    def on_train_start(self) -> None:
        """Checks the schedules, and prepares the steps as `execution` says: memory format, compilation, CUDA graph."""
        if not self.trainer.fast_dev_run:  # pyright: ignore[reportAttributeAccessIssue]
            self.rates.check(find_end(self.trainer))
        for optimizer in self.trainer.optimizers:
            match_memory_format(optimizer)
        if self.execution.compiled:
            self.step_networks = (
                torch.compile(self.generator),
                self.discriminator and torch.compile(self.discriminator),
            )
        elif self.trainer.precision == "bf16-mixed":
            networks = filter(None, (self.generator, self.discriminator))
            self.half_weights = list(map(HalfWeights, networks, self.trainer.optimizers))
        if self.execution.cuda_graph:
            warn_about_skipped_hooks(self.trainer.callbacks)  # pyright: ignore[reportAttributeAccessIssue]
            self.graph_step = CUDAGraphStep(self._step, self.trainer.optimizers)
        if self.average is not None:
            self.average.resume()

    def training_step(self, batch: Any, batch_index: int) -> StepResult:
        """Trains on one batch, and counts it as one step: `global_step` counts batches, not optimizer steps.

        The batch is what `to_pair` takes. Without a TrainingLog the losses are logged here, as `loss/...`.
        """
        batch = to_pair(batch)
        seed_step(self.seed, self.global_step, self.global_rank)
        layout = self.execution.memory_format
        source, target = batch.source.contiguous(memory_format=layout), batch.target.contiguous(memory_format=layout)
        with count_one_step(self._optimizers()):
            result = (self.graph_step or self._step)(source, target)
        if self.average is not None:
            self.average.has_begun = True  # set here: a replayed CUDA graph does not run the Python code of `update`.
        if self.unsent_names is None:
            self.log_dict({f"loss/{name}": loss for name, loss in result["losses"].items()}, batch_size=len(source))
        return result

    def _step(self, source: Tensor, target: Tensor) -> StepResult:
        generator, discriminator = self.step_networks
        updates = [OptimizerUpdate(self, optimizer) for optimizer in self._optimizers()]
        # Without a discriminator there is one optimizer, and nobody calls the second update.
        networks = Networks(generator, discriminator, self.objective, updates[0], updates[-1])
        with ExitStack() as stack:
            for half in self.half_weights:
                stack.enter_context(half.use())
            result = require_step_result(self.step(source, target, networks, self.global_step), self.step)
        if self.average is not None:
            self.average.update(self.generator)
        return result

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers: Any = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clips the gradient of the network about to step. Lightning calls this after it removed a loss scale."""
        if (largest := self.optimization.clip_norm) is not None:
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            nn.utils.clip_grad_norm_(parameters, largest)

    def on_train_batch_start(self, batch: Pair, batch_idx: int) -> None:
        """Sets the learning rates of the step. Raises ValueError if something else has set scheduled rates."""
        self.rates.set_rates({"epoch": self.current_epoch, "step": self.global_step}, find_end(self.trainer))

    def generate(self, source: Tensor, names: str | Sequence[str]) -> Tensor:
        """Generates the pictures for `source` (B, C, H, W), each by itself, with the noise of its name."""
        network = self.average.module if self.average is not None else self.generator
        return to_displayable(self.inference.generate(network, source, names).float(), self.target_palette, source)

    def log(
        self, name: str, value: Any, prog_bar: bool = False, logger: bool | None = None, *args: Any, **options: Any
    ) -> None:
        """Lightning's `log`, but the loggers get the number from TrainingLog, if it is used, in the row of its step."""
        results = self.trainer._results
        if results is not None and isinstance(results.batch, Pair) and options.get("batch_size") is None:
            # The weight in means over an epoch. Lightning would take it from the first tensor that it finds.
            options["batch_size"] = len(results.batch.source)
        if self.unsent_names is not None and logger is not False:
            self.unsent_names.add(name)
            logger = False
        super().log(name, value, prog_bar, logger, *args, **options)

    def validation_step(self, batch: Any, batch_index: int) -> Tensor:
        """The output; logs the mean of each metric over the validation pairs, as `val/...`."""
        batch = to_pair(batch)
        output = self.generate(batch.source, batch.name)
        target = to_displayable(batch.target, self.target_palette, batch.source)
        metrics = measure_validation(output, target, self.target_label_palette, self.metrics)
        self.log_dict({f"val/{n}": v.mean() for n, v in metrics.items()}, batch_size=len(output), sync_dist=True)
        return output

    def on_validation_epoch_end(self) -> None:
        """Shows the metrics to the learning-rate schedules, before a checkpoint of this step is saved."""
        if not self.trainer.sanity_checking:
            self.rates.observe(self.trainer.callback_metrics)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the configuration: a checkpoint alone is enough to rebuild the translator.

        Raises ValueError, before anything is written, if weights or optimizer states are not finite, or if the state of
        a callback could not be loaded again.
        """
        require_finite_state(checkpoint, self.trainer.default_root_dir)
        checkpoint["config"] = self.config.to_mapping() if self.config else {}
        checkpoint |= {"training_step": self.step.state_dict(), "schedules": self.rates.state_dict()}
        make_plain(checkpoint)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, trust: Trust = (), **options: Any) -> Self:
        """The module of a checkpoint, ready to train, validate or generate.

        A checkpoint of `pix2pix train` holds the configuration that builds it. For one of a plain Trainer, give the
        arguments of the constructor, as with any LightningModule.

        Args:
            checkpoint_path: the file, for example `outputs/facades/checkpoints/last.ckpt`.
            args, options: arguments of Lightning's method and of the constructor.
            trust: modules outside pix2pix whose classes the configuration may build; see `pix2pix.core.trust`.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: for a damaged file, classes that are not trusted, or weights that do not fit.
        """
        if args or options:
            return super().load_from_checkpoint(checkpoint_path, *args, weights_only=True, **options)
        from pix2pix.training.load_module import load_module  # it builds this class

        return load_module(Path(checkpoint_path), trust)  # pyright: ignore[reportReturnType]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Prepares the states of callbacks and optimizers, before Lightning loads them, and restores the step's."""
        if self._trainer is None:
            return  # `load_from_checkpoint` takes the weights alone
        update_callback_states(checkpoint, self.trainer.callbacks)  # pyright: ignore[reportAttributeAccessIssue]
        restore_types(checkpoint, self.trainer.strategy.root_device)
        self.step.load_state_dict(checkpoint.get("training_step", {}))
        self._prepare_optimizer_states(checkpoint)

    def _prepare_optimizer_states(self, checkpoint: dict[str, Any]) -> None:
        """Gives the optimizers and schedules the settings of this run, even if the checkpoint was saved with others."""
        states = checkpoint.get("optimizer_states", [])
        if self.config and checkpoint.get("config"):
            saved = config_in_weights(checkpoint["config"], Path(str(self.trainer.ckpt_path)))
            apply_changed_settings(states, saved.trained_optimizers, self.config.trained_optimizers)
        self.rates.load_state_dict(checkpoint.get("schedules", {}), read_rates(states))
