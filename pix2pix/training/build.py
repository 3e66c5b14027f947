"""Builds data, networks, optimizers and trainer from a run's configuration, by `core/instantiate.py`."""

import contextlib
import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Checkpoint, ModelCheckpoint
from pytorch_lightning.profilers import PassThroughProfiler
from torch import nn

from pix2pix.config.metric_names import PairMetric, find_mode
from pix2pix.config.schedules import build_schedules
from pix2pix.config.schema import RunConfig
from pix2pix.core.extras import missing_package_error
from pix2pix.core.instantiate import TARGET, Component, build, is_component_of, locate
from pix2pix.core.randomness import seed_weights
from pix2pix.data.cache.cache import Cache
from pix2pix.data.datamodule import PairDataModule
from pix2pix.data.own_source import require_pairs
from pix2pix.data.pair import PairSource
from pix2pix.models.initialisation import initialise
from pix2pix.models.objective import Objective
from pix2pix.models.terms import label_mask
from pix2pix.runs.checkpoints import AtomicCheckpointIO
from pix2pix.runs.run import Run
from pix2pix.training.callback_randomness import SeedCallbacks
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.training.callbacks.metrics_logging import TrainingLog
from pix2pix.training.cluster import find_cluster
from pix2pix.training.gan_ddp_strategy import GANDDPStrategy
from pix2pix.training.module import Pix2Pix
from pix2pix.training.moving_average import MovingAverage
from pix2pix.training.optimization import Optimization
from pix2pix.training.output_paths import logger_arguments

MOST_NOISE = 512  # height and width at which metrics are tried


def construct_generator(config: RunConfig) -> nn.Module:
    """The generator, with whatever weights it is constructed with."""
    return build(config.generator)


def build_networks(config: RunConfig) -> tuple[nn.Module, nn.Module | None]:
    """Generator and discriminator with their initial weights, which follow from the seed.

    Networks of this package get those of the setting `init`, by default the paper's. Any other keeps the weights that
    it is constructed with, which may have been trained elsewhere.
    """
    # Networks of other packages draw their own weights when they are constructed.
    seed_weights(config.seed)
    generator = construct_generator(config)
    discriminator = build(config.discriminator) if config.discriminator else None
    # Seeded again: what the constructors have drawn must not change the weights drawn here.
    seed_weights(config.seed)
    for network in (generator, discriminator):
        if network is not None and is_of_this_package(network):
            initialise(network, scheme=config.init.scheme, gain=config.init.gain)
    return generator, discriminator


def is_of_this_package(part: object) -> bool:
    """Whether the class of a network or another part is one of ours, not derived from one."""
    return type(part).__module__.partition(".")[0] == "pix2pix"


def build_model(config: RunConfig) -> Pix2Pix:
    """Both networks, initialised from the seed, in the module that trains them."""
    return build_module(config, *build_networks(config))


def build_objective(config: RunConfig) -> Objective:
    """The objective, which leaves out the pixels of no class where the targets are label maps."""
    objective: Objective = build(config.objective)
    if (palette := config.data.target_label_palette) is not None:
        objective.find_labelled = label_mask if config.data.target_palette else palette.find_labelled
    return objective


def build_module(config: RunConfig, generator: nn.Module, discriminator: nn.Module | None) -> Pix2Pix:
    """The module that trains these networks as a configuration says."""
    metrics = {name: build(metric) for name, metric in config.metrics.items()}
    _try_metrics(metrics, config)
    return Pix2Pix(
        generator,
        discriminator,
        build_objective(config),
        Optimization(
            {name: build(optimizer) for name, optimizer in config.trained_optimizers.items()},
            build_schedules(config),
            config.optimizer.clip_norm,
        ),
        step=build(config.training_step),
        average=MovingAverage(generator, decay, has_warm_up=config.ema_warmup) if (decay := config.ema_decay) else None,
        metrics=metrics,
        seed=config.seed,
        config=config,
    )


def _try_metrics(metrics: Mapping[str, PairMetric], config: RunConfig) -> None:
    """Measures noise: a metric that fails would otherwise end the training at its first validation."""
    data = config.data
    random = torch.Generator().manual_seed(0)
    shape = (2, data.output_picture_channels, *(min(side, MOST_NOISE) for side in data.shape))
    for metric in metrics.values():
        output, target = (torch.rand(shape, generator=random) * 2 - 1 for _ in range(2))
        metric.measure(output, target)


def build_data(config: RunConfig) -> PairDataModule:
    """The pairs of the run, found and matched. Raises ValueError if a source of the user's own has no usable pairs."""
    data = config.data
    source: PairSource = build(data.source if data.on_error == "fail" else data.tolerant_source_at(None))
    if not is_of_this_package(source):
        _try_source(source, config)
    return PairDataModule(
        source,
        build(data.transform),
        batch_size=data.batch_size,
        validation_batch=config.validation_batch,
        num_workers=data.num_workers,
        seed=config.seed,
        cache=Cache(data.cache, data.cache_dir, data.cache_gigabytes),
        on_error=data.on_error,
        skip_limit=data.skip_limit,
        cache_key=json.dumps([data.source, data.transform]),
    )


def _try_source(source: PairSource, config: RunConfig) -> None:
    data = config.data
    counts = (data.source_channels, data.target_channels)
    # Label maps have the channels of their colours, joined inputs those of their parts.
    source_count, target_count = (None if data.palette or data.source_inputs else count for count in counts)
    require_pairs(source, (source_count, target_count))


def build_trainer(config: RunConfig, run: Run) -> pl.Trainer:
    """The trainer, writing to the run directory only. Raises ValueError for devices that are not there.

    Like Lightning's trainer it sets how cuDNN computes in this process.
    """
    torch.backends.cudnn.allow_tf32 = config.execution.tf32
    try:
        callbacks = sort_callbacks(
            _build_part(f"callbacks.{name}", *_locate_callback(part, config, run))
            for name, part in config.callbacks.items()
        )
        has_checkpoints = any(isinstance(callback, Checkpoint) for callback in callbacks)
        trainer: pl.Trainer = build(
            # Otherwise Lightning adds a callback of its own, which saves into a logger's folder.
            config.trainer_here() | ({} if has_checkpoints else {"enable_checkpointing": False}),
            callbacks=[SeedCallbacks(config.seed), *callbacks],
            logger=[
                _build_part(f"logger.{name}", logger, logger_arguments(logger, run))
                for name, logger in config.logger.items()
            ],
            plugins=[AtomicCheckpointIO(), find_cluster(config)],
            **({} if config.has_profiler else {"profiler": NoProfiler()}),
            default_root_dir=run.path,
        )
    except MisconfigurationException as error:
        raise ValueError(f"the trainer cannot run here: {error} Choose trainer=cpu, or change trainer.*.") from error
    if trainer.world_size > 1 and not isinstance(trainer.strategy, GANDDPStrategy):
        raise ValueError(
            f"the trainer has {trainer.world_size} devices, but its strategy does not know of two networks. "
            "Choose trainer=ddp, on CPUs with trainer.accelerator=cpu; or trainer.devices=1."
        )
    return trainer


def _build_part(key: str, component: Component, arguments: Mapping[str, Any]) -> Any:
    """A callback or logger. Raises ValueError if it needs a package that is not installed."""
    try:
        return build(component, **arguments)
    except ImportError as error:
        raise missing_package_error(key, error) from error


def _locate_callback(callback: Component, config: RunConfig, run: Run) -> tuple[Component, Mapping[str, Any]]:
    """A callback and the folder that it is given for checkpoints; Lightning's would write to a logger's folder."""
    has_no_folder = is_component_of(callback, ModelCheckpoint) and callback.get("dirpath") is None
    return _with_mode(callback, config), {"dirpath": run.checkpoints} if has_no_folder else {}


def _with_mode(callback: Component, config: RunConfig) -> Component:
    """A callback that monitors a metric, with that metric's direction. By default Lightning's take less for better."""
    monitor = callback.get("monitor")
    if not isinstance(monitor, str) or "mode" not in inspect.signature(locate(callback[TARGET])).parameters:
        return callback
    mode = find_mode(monitor, callback.get("mode"), config.metrics)
    return callback | {"mode": mode} if mode else callback


def sort_callbacks(callbacks: Iterable[pl.Callback]) -> list[pl.Callback]:
    """Puts the training log behind the callbacks whose numbers it sends, and `Checkpoints` behind others that save.

    So `last.ckpt` holds the states of all others as they are after their work. Lightning itself puts those that save
    behind all others.
    """
    return sorted(callbacks, key=lambda callback: isinstance(callback, TrainingLog | Checkpoints))


class NoProfiler(PassThroughProfiler):
    """A faster version of Lightning's profiler that does nothing. Lightning calls it about 70 times a step."""

    nothing: Any = contextlib.nullcontext()

    def profile(self, action_name: str) -> Any:
        """A context that does nothing."""
        return self.nothing
