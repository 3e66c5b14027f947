"""Rules that the settings of a training keep together, each with a sentence for who breaks it.

They hold on this machine and for a training that starts now: a saved configuration may be read where it cannot be run.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pix2pix.config.data_rules import find_broken_data_rules
from pix2pix.config.metric_names import DIAGNOSES, METRICS, find_mode, higher_is_better, validation_metrics
from pix2pix.config.schema import RunConfig, TrainerSettings
from pix2pix.config.step_rules import find_broken_step_rules, has_norm
from pix2pix.config.trainer_values import find_wrong_trainer_values
from pix2pix.core.addresses import describe_address
from pix2pix.core.instantiate import TARGET, Component, is_component, locate_factory

CAPTURABLE = {"torch.optim.Adam", "torch.optim.AdamW"}


def find_broken_rules(config: RunConfig) -> Iterator[str]:
    """Yields a sentence for each contradiction in a configuration."""
    if not config.name.strip():
        yield "name: is blank, and the folder of the run is called so; give a name with a visible character"
    for setting in ("output_dir", "run_dir", "init_from"):
        if (path := getattr(config, setting)) is not None and not path.strip():
            yield f"{setting}: is empty, as of a shell variable that is not set; give a path, or leave the setting out"
    places = {"name": config.name, "output_dir": config.output_dir, "run_dir": config.run_dir}
    places |= {"data.cache_dir": config.data.cache_dir}
    # The first one is enough: run_dir follows from output_dir and name.
    yield from [f"{key}: {why}" for key, path in places.items() if (why := describe_address(path))][:1]
    if ".." in Path(config.name).parts:
        yield f"name={config.name}: leads out of output_dir; give a name without .., or another output_dir"
    yield from find_broken_data_rules(config.data)
    yield from find_broken_step_rules(config)
    yield from find_wrong_trainer_values(config)
    for rule in (_check_objective, _check_label_losses, _check_trainer, _check_precision):
        yield from rule(config)
    for rule in (_check_monitors, _check_cuda_graph):
        yield from rule(config)


def _check_objective(config: RunConfig) -> Iterator[str]:
    adversarial, discriminator = config.objective.get("adversarial"), config.discriminator
    if adversarial and discriminator is None:
        yield "the objective has an adversarial term but discriminator=none; choose one, or objective=l1"
    elif adversarial and adversarial.get("gradient_penalty") and has_norm(discriminator, "batch"):
        yield (
            "objective.adversarial: a gradient penalty is a norm per picture, which batch norm mixes; "
            "set discriminator.norm=instance or none"
        )


def _check_label_losses(config: RunConfig) -> Iterator[str]:
    of_labels = [name for name in ("cross_entropy_weight", "dice_weight") if config.objective.get(name)]
    terms = config.objective.get("terms") or {}
    of_labels += [f"terms.{name}" for name, term in terms.items() if _is_of_label_maps(term)]
    if of_labels and config.data.target_palette is None:
        yield (
            f"objective.{of_labels[0]}: cross-entropy and Dice need label maps as targets, one channel a class; "
            "set data.one_hot=true, data.palette, data.label_map and the data.direction that ends in the label map"
        )


def _is_of_label_maps(term: Any) -> bool:
    """Whether a term says so, by `pix2pix.models.Term.of_label_maps`."""
    with contextlib.suppress(ValueError):  # what is no class is refused with all other components
        return is_component(term) and getattr(locate_factory(term[TARGET]), "of_label_maps", False)
    return False


def _check_trainer(config: RunConfig) -> Iterator[str]:
    trainer = config.trainer_settings
    if trainer.gradient_clip_val is not None:
        yield "trainer.gradient_clip_val does not reach two networks that are trained in turn; set optimizer.clip_norm"
    if trainer.accumulate_grad_batches != 1:
        yield (
            "trainer.accumulate_grad_batches: the networks are trained in turn on every batch; raise data.batch_size "
            "instead, and training_step.micro_batches to compute it in parts"
        )
    if trainer.check_val_every_n_epoch is None and isinstance(trainer.val_check_interval, float):
        yield (
            "trainer.check_val_every_n_epoch=null counts validations in steps; set their distance, such as "
            "trainer.val_check_interval=1000"
        )
    if trainer.sync_batchnorm and _is_on_cpu(config):
        yield "trainer.sync_batchnorm needs GPUs; on CPUs set generator.norm and discriminator.norm=instance"


def _check_precision(config: RunConfig) -> Iterator[str]:
    if config.precision != "16-mixed":
        return
    if _is_on_cpu(config):
        yield "precision=16-mixed needs a GPU; on the CPU set precision=bf16-mixed or 32"
    optimizer = config.optimizer
    if optimizer.clip_norm and any(each.get("fused") for each in (optimizer.generator, optimizer.discriminator)):
        yield (
            "optimizer.clip_norm cannot see through the loss scale of precision=16-mixed with fused optimizers; "
            "set precision=bf16-mixed, or optimizer.generator.fused=false and optimizer.discriminator.fused=false"
        )


def _check_monitors(config: RunConfig) -> Iterator[str]:
    for name in config.metrics.keys() & (METRICS | DIAGNOSES).keys():
        yield f"metrics.{name}: a built-in metric has this name; choose another one"
    foreign = [part for part in config.callbacks.values() if not part[TARGET].startswith("pix2pix.")]
    logged = _list_validation_metrics(config)
    for name, component in _list_observers(config).items():
        monitor = component.get("monitor")
        # a callback of the user's own may log more than we know of
        if isinstance(monitor, str) and not foreign and monitor not in logged:
            yield f"{name}.monitor={monitor}: this run logs no such metric. Choose from {', '.join(logged)}"
        elif isinstance(monitor, str):
            yield from _check_direction(name, component, config)


def _list_observers(config: RunConfig) -> dict[str, Component]:
    """Callbacks and schedules of this package: what those of others call `monitor` may be anything."""
    parts = {f"callbacks.{name}": component for name, component in config.callbacks.items()}
    parts |= {"schedule" if is_component(config.schedule) else f"schedule.{n}": s for n, s in config.schedules.items()}
    return {name: component for name, component in parts.items() if component[TARGET].startswith("pix2pix.")}


def _check_direction(name: str, component: Component, config: RunConfig) -> Iterator[str]:
    monitor = component["monitor"]
    try:
        mode = find_mode(monitor, component.get("mode"), config.metrics)
        higher_is_better(monitor, mode, setting=f"{name}.mode")
    except ValueError as error:
        yield str(error)


def _list_validation_metrics(config: RunConfig) -> list[str]:
    data = config.data
    names = validation_metrics(data.height, data.width, of_label_maps=data.label_map_side == "target")
    diagnosed = any(component[TARGET].endswith(".CollapseMonitor") for component in config.callbacks.values())
    return [f"val/{name}" for name in [*names, *config.metrics, *(DIAGNOSES if diagnosed else ())]]


def _check_cuda_graph(config: RunConfig) -> Iterator[str]:
    if config.execution.cuda_graph is True and (broken := find_graph_obstacles(config)):
        yield f"execution.cuda_graph=true needs {'; and '.join(broken)}; or set execution.cuda_graph=false"


def find_graph_obstacles(config: RunConfig) -> list[str]:
    """What a CUDA graph needs and a configuration does not have on this machine: each setting with the reason."""
    # Each need with its reason, and whether it is met.
    optimizers = (config.optimizer.generator, config.optimizer.discriminator)
    norms = any(callback.get("gradient_norms") for callback in config.callbacks.values())
    rules = {
        "trainer=gpu: it is recorded on one": config.hardware_here()["accelerator"] in {"gpu", "cuda"},
        "trainer.devices=1, or NCCL and pictures of one size: all processes replay together": (
            config.is_single_process or _replays_messages(config)
        ),
        "precision=bf16-mixed: the loss scale of 16-mixed is read in every step": config.precision != "16-mixed",
        "optimizer.*.fused=true, of Adam or AdamW: others keep numbers where no graph reads them": all(
            each.get("fused") and each[TARGET] in CAPTURABLE for each in optimizers
        ),
        "callbacks.training_log.gradient_norms=false: a recorded step calls no callback": not norms,
    }
    return [rule for rule, is_kept in rules.items() if not is_kept]


def _replays_messages(config: RunConfig) -> bool:
    """Whether the gradients of several processes can be sent within a graph, by all of them in the same steps."""
    strategy = TrainerSettings.of(config.trainer_here()).strategy
    is_ours = isinstance(strategy, Mapping) and strategy.get(TARGET) == "pix2pix.training.GANDDPStrategy"
    return is_ours and strategy.get("process_group_backend") in {None, "nccl"} and config.data.has_one_size


def _is_on_cpu(config: RunConfig) -> bool:
    return config.hardware_here()["accelerator"] == "cpu"
