"""From the command line to one resolved configuration: the only module that knows Hydra and OmegaConf.

Torch is imported where it is needed: `pix2pix train --help` and misspelt words are answered without it.
"""

import itertools
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
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
from pix2pix.resolvers import RESOLVERS
from pix2pix.sweep import SWEEP, Job, JobFailedError

# In a checkout the tree stands beside the package, in an installed wheel inside it.
CONFIGS = next(d for d in (Path(__file__).parent / "configs", Path(__file__).parents[1] / "configs") if d.is_dir())

for resolver in RESOLVERS:
    OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


def resolve(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain values, every reference followed; no adversarial term, no discriminator."""
    cfg = cfg.copy()
    with open_dict(cfg):
        for about_sweeps in ("hydra", "sweep_name"):
            cfg.pop(about_sweeps, None)
    if OmegaConf.select(cfg, "objective.adversarial") is None:
        OmegaConf.update(cfg, "discriminator", None)
    resolved = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    assert isinstance(resolved, dict)
    return resolved  # pyright: ignore[reportReturnType]


def composed(words: Sequence[str]) -> dict[str, Any]:
    """The resolved configuration of a run that nobody trains from the command line."""
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return resolve(hydra.compose("train", overrides=list(words)))


def show_config(words: list[str]) -> None:
    """Prints the resolved configuration, as it would stand in config.yaml; runs nothing."""
    _with_hydra(lambda cfg: print(OmegaConf.to_yaml(OmegaConf.create(resolve(cfg))), end=""), words)


def configured(words: list[str]) -> dict[str, Any]:
    """The resolved configuration that the words say."""
    found: list[dict[str, Any]] = []
    _with_hydra(lambda cfg: found.append(resolve(cfg)), words)
    return found[0]


def train(words: list[str]) -> None:
    """`pix2pix train`: one run; or a sweep, and the table of what became of each of its runs."""
    SWEEP.begin()
    try:
        _with_hydra(_train_job, words)
    except JobFailedError:
        pass  # the table tells of it
    finally:
        if SWEEP.jobs:
            print(SWEEP.table())
    if SWEEP.failed():
        raise SystemExit(1)


# What train.yaml tells Hydra, for a configuration that is not ours: another run's config.yaml says nothing of Hydra.
ABOUT_HYDRA = (
    *("hydra.run.dir=.", "hydra.output_subdir=null", "hydra/job_logging=stdout", "hydra/hydra_logging=none"),
    "hydra.job_logging.formatters.simple.format='%(message)s'",
)


def _with_hydra(job: Callable[[DictConfig], Any], words: list[str]) -> None:
    """Composes what the words say and hands it to `job`, in a sweep to each of its jobs."""
    anew = ABOUT_HYDRA if any(word.startswith(("--config-name", "-cn")) for word in words) else ()
    typed, sys.argv = sys.argv, ["pix2pix train", *anew, *words]  # Hydra reads them there

    failed: list[Exception] = []

    def as_typed(cfg: DictConfig) -> Any:
        sys.argv = typed  # training on several devices starts its other processes by the command as it was typed
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            return job(cfg)
        try:
            job(cfg)
        except Exception as error:  # kept from Hydra, which would put a line of its own before ours
            failed.append(error)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises, and the words are ours
    hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name="train")(as_typed)()
    if failed:
        raise failed[0]


def _train_job(cfg: DictConfig) -> float | None:
    from pix2pix.experiment import train

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return _job_of_another_launcher(cfg)
    train(resolve(cfg))
    return None


def _job_of_another_launcher(cfg: DictConfig) -> float | None:
    """A job of a sweep whose launcher calls us within a process of its own; its error is left where ours would be."""
    from pix2pix.experiment import train

    whole = cfg.copy()
    with open_dict(whole):
        whole.hydra = HydraConfig.get()
    job = job_of(whole, [])
    OmegaConf.update(cfg, "run_dir", str(job.run.path))
    try:
        train(resolve(cfg))
    except Exception as error:
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.log.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        raise JobFailedError(f"{job.name}: {error}") from error
    return job.run.best()


def job_of(config: DictConfig, overrides: list[str]) -> Job:
    """The job that a sweep's configuration, with Hydra's own part, describes."""
    trainer, hydra_part = config.trainer, config.hydra
    own = [source.path for source in hydra_part.runtime.config_sources if source.provider == "command-line"]
    return Job(
        Path(hydra_part.sweep.dir),
        hydra_part.sweep.subdir,
        overrides,
        flags=[flag for path in own for flag in ("--config-dir", path)],
        gpus=_gpus(trainer) if trainer.get("accelerator") != "cpu" else 0,
    )


def _gpus(trainer: DictConfig) -> int | None:
    devices = trainer.get("devices")
    if (trainer.get("accelerator"), devices) == ("auto", "auto"):
        return 1  # where there are none, jobs get shares of the CPU
    return devices if isinstance(devices, int) and devices > 0 else None


class PrepareSweep(Callback):
    """Before a sweep starts anything: checks the configuration of each of its jobs, and names runs by what differs."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Ends the program with the problems of the first job that cannot be run."""
        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
        overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
        by_key = {override.get_key_element(): override for override in overrides}  # the last word counts
        same = [override.key_or_group for override in by_key.values() if not override.is_sweep_override()]
        naming = f"hydra.job.config.override_dirname.exclude_keys=[{','.join(same)}]"
        planned = config.hydra.sweeper._target_.endswith("BasicSweeper")  # a search finds its jobs on the way
        for words in _jobs(by_key.values()):
            self._prepare(list(words), [*config.hydra.overrides.hydra, naming], planned)
        if len(same) < len(by_key):
            with open_dict(config):
                config.hydra.overrides.hydra.append(naming)

    def _prepare(self, words: list[str], about_hydra: list[str], planned: bool) -> None:
        from pix2pix.experiment import check

        try:
            composed = hydra.compose("train", overrides=[*words, *about_hydra], return_hydra_config=True)
            job, config = job_of(composed, words), resolve(composed)
            check(config)
            if planned:
                job.run.require_same(config)
        except Exception as error:  # Hydra would only warn of an exception here, and start the jobs
            raise SystemExit(
                f"pix2pix: in job {' '.join(words)!r} {_in_words(error)}\nNo job was started. "
                "(The name of a sweep is sweep_name=...)"
            ) from error
        if planned:
            SWEEP.add(job)


def _jobs(overrides: Iterable[Override]) -> Iterator[Sequence[str]]:
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
    return str(error).partition("\nConfig search path")[0]
