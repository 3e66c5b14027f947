"""From the command line to one resolved configuration: the only module that knows Hydra and OmegaConf."""

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from pix2pix import components
from pix2pix.errors import explained

# In a checkout the tree stands beside the package, in an installed wheel inside it.
CONFIGS = next(d for d in (Path(__file__).parent / "configs", Path(__file__).parents[1] / "configs") if d.is_dir())


def load_size(size: int, jitter: bool) -> int:
    """The size before the random crop: 286 for 256 (paper, section 6.2)."""
    return round(size * 286 / 256) if jitter and isinstance(size, int) else size  # the schema judges types


def unet_depth(height: int, width: int) -> int:
    """How often height and width can be halved: 8 for 256, down to 1x1 at a power of two."""
    if not (isinstance(height, int) and isinstance(width, int)):
        return 1  # the schema judges types
    common = math.gcd(height, width)
    return (common & -common).bit_length() - 1


def discriminator_channels(conditional: bool, source_channels: int, target_channels: int) -> int:
    """What the discriminator sees: the image, and its source when conditional."""
    return target_channels + (source_channels if conditional else 0)


def absolute_path(path: str | None) -> str | None:
    """A path that means the same from any folder: runs are evaluated from elsewhere than they were trained from."""
    return path and str(Path(path).expanduser().resolve())


for resolver in (absolute_path, load_size, unet_depth, discriminator_channels):
    OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


def resolve(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, every reference followed; no adversarial term, no discriminator."""
    cfg = cfg.copy()
    if OmegaConf.select(cfg, "objective.adversarial") is None:
        OmegaConf.update(cfg, "discriminator", None)
    resolved = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(resolved, dict)
    resolved.pop("hydra", None)
    return resolved  # pyright: ignore[reportReturnType]


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="train")
def main(cfg: DictConfig) -> float | None:
    """One job of `pix2pix train`; a sweep calls it once for each of its runs, each in a directory of the sweep."""
    from pix2pix.experiment import train

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        OmegaConf.update(cfg, "run_dir", os.path.relpath(HydraConfig.get().runtime.output_dir))
        return train(resolve(cfg))
    with in_words():
        return train(resolve(cfg))


@hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="train")
def show(cfg: DictConfig) -> None:
    """Prints the resolved configuration, as it would stand in config.yaml; runs nothing."""
    with in_words():
        print(OmegaConf.to_yaml(OmegaConf.create(resolve(cfg))), end="")


class PrepareSweep(Callback):
    """Before a sweep starts anything: checks the configuration of each of its jobs, and names runs by what differs."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Ends the program with the problems of the first job that cannot be run."""
        from pix2pix.experiment import check

        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
        overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
        for job in _jobs(overrides):
            try:
                check(resolve(hydra.compose("train", overrides=list(job))))
            except ValueError as error:
                raise SystemExit(f"pix2pix: in job {' '.join(job)!r} {error}\nNo job was started.") from error
        same = [override.key_or_group for override in overrides if not override.is_sweep_override()]
        if len(same) < len(overrides):
            with open_dict(config):
                config.hydra.overrides.hydra.append(
                    f"hydra.job.config.override_dirname.exclude_keys=[{','.join(same)}]"
                )


def _jobs(overrides: Sequence[Override]) -> Iterator[Sequence[str]]:
    """Every combination of the swept values. Ranges that only a search can draw from are checked job by job instead."""
    axes = []
    for override in overrides:
        if not override.is_sweep_override():
            axes.append([override.input_line])
        elif override.is_discrete_sweep():
            axes.append([f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()])
    return itertools.product(*axes)


def in_words() -> AbstractContextManager[None]:
    """Says in a sentence what Hydra, OmegaConf or we ourselves complain of."""
    return explained(HydraException, OmegaConfBaseException, words=_in_words)


def _in_words(error: Exception) -> str:
    """What Hydra or OmegaConf complains of, in the user's words where theirs are not."""
    cause: Any = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    node = getattr(cause, "parent_node", None)
    if isinstance(node, DictConfig) and cause.key is not None and cause.key not in node:
        return components.unknown(cause.full_key or str(cause.key), [str(name) for name in node])
    return str(error)
