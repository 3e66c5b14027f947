"""Rules that the options of the training step keep with the rest of a configuration, each with a sentence."""

from collections.abc import Iterator

from pix2pix.config.schema import PIX2PIX_STEP, RunConfig
from pix2pix.core.instantiate import TARGET, Component, read_argument
from pix2pix.models.norms import Norm

D_OPTIONS = ("augmentation", "r1_weight", "pool_size")


def find_broken_step_rules(config: RunConfig) -> Iterator[str]:
    """Yields a sentence for each setting that contradicts an option of the package's own training step."""
    if config.ema_warmup and config.ema_decay is None:
        yield "ema_warmup=true begins a moving average, but ema_decay=null keeps none; set ema_decay, such as 0.999"
    if config.training_step[TARGET] != PIX2PIX_STEP:
        return
    for rule in (_check_discriminator, _check_batch, _check_pool, _check_cuda_graph):
        yield from rule(config)


def _check_discriminator(config: RunConfig) -> Iterator[str]:
    step, discriminator = config.training_step, config.discriminator
    asked = [name for name in D_OPTIONS if read_argument(step, name)]
    asked += ["discriminator_steps"] * (read_argument(step, "discriminator_steps") > 1)
    if asked and discriminator is None:
        yield f"training_step.{asked[0]} is for a discriminator, but discriminator=none; leave it out, or choose one"
    if "r1_weight" in asked and has_norm(discriminator, "batch"):
        yield (
            "training_step.r1_weight: the penalty is of the gradient of each picture, which batch norm mixes; "
            "set discriminator.norm=instance or none"
        )


def has_norm(network: Component | None, norm: Norm) -> bool:
    """Whether a network has this norm, by its argument `norm`."""
    return network is not None and read_argument(network, "norm") == norm


def _check_batch(config: RunConfig) -> Iterator[str]:
    parts, batch = read_argument(config.training_step, "micro_batches"), config.data.batch_size
    if parts > batch:
        yield f"training_step.micro_batches={parts}: a batch of {batch} has no more than {batch} parts; lower it"


def _check_pool(config: RunConfig) -> Iterator[str]:
    if not read_argument(config.training_step, "pool_size"):
        return
    if not config.is_single_process:
        yield (
            "training_step.pool_size: each process would have a pool of its own, and a checkpoint holds one; set "
            "training_step.pool_size=0 or trainer.devices=1"
        )
    if not config.data.has_one_size:
        yield (
            "training_step.pool_size: pairs of several sizes cannot be exchanged; set training_step.pool_size=0, or "
            "one size for all pairs"
        )


def _check_cuda_graph(config: RunConfig) -> Iterator[str]:
    if config.execution.cuda_graph is True and (needed := find_changing_steps(config)):
        yield (
            f"execution.cuda_graph=true repeats one and the same step, and needs {' and '.join(needed)}; or set "
            "execution.cuda_graph=false"
        )


def find_changing_steps(config: RunConfig) -> list[str]:
    """The settings without which every step of the package's own training step would do the same."""
    step = config.training_step
    found = {
        "discriminator_steps=1": read_argument(step, "discriminator_steps") > 1,
        "r1_every=1": read_argument(step, "r1_weight") and read_argument(step, "r1_every") > 1,
        "pool_size=0": read_argument(step, "pool_size"),
    }
    return [f"training_step.{remedy}" for remedy, is_broken in found.items() if is_broken]
