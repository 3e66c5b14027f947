"""The jobs of a sweep: their names, their settings, and checks that each of them can run."""

import itertools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from pix2pix.config.compose import CONFIG, CONFIGS, _in_words, resolve
from pix2pix.runs.sweep import SWEEP, Job

PATH_KEYS = {"name", "output_dir", "run_dir", "sweep_name"}  # settings that say where a run goes, and not what it is


# Words about Hydra that are the sweep's own: what starts the jobs, where they lie, how they are named.
SWEEP_KEYS = ("hydra.mode", "hydra.launcher", "hydra.sweeper", "hydra.sweep", "hydra.job.config.override_dirname")


def job_of(config: DictConfig, overrides: list[str]) -> Job:
    """The job that a sweep's configuration, with Hydra's own part, describes."""
    trainer, folder, name = config.trainer, Path(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)
    return Job(
        folder,
        name,
        overrides,
        flags=[f"run_dir={_quote(str(folder / name))}", "hydra.mode=RUN", *_forwarded_flags(config.hydra)],
        gpus=_gpu_count(trainer) if trainer.get("accelerator") != "cpu" else 0,
    )


def job_in_sweep(loader: ConfigLoader, sweep: DictConfig, overrides: list[str], number: int) -> tuple[Job, DictConfig]:
    """The job that overrides make of a sweep's configuration, and its own configuration."""
    config: Any = loader.load_sweep_config(sweep, overrides)
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
    return job_of(config, overrides), config


def _forwarded_flags(hydra_part: DictConfig) -> list[str]:
    """Where a job finds its configuration, and what else was said about Hydra: as for a run by itself."""
    sources = {source.provider: source.path for source in hydra_part.runtime.config_sources}
    found = {"--config-dir": sources.get("command-line", ""), "--config-path": sources.get("main", "")}
    found["--config-name"] = str(hydra_part.job.config_name)
    ours = {"", str(CONFIGS), CONFIG}
    words = [word for word in _raw_overrides(hydra_part.overrides.hydra) if not _is_of_sweep(word)]
    return [*words, *(word for flag, value in found.items() if value not in ours for word in (flag, value))]


def _is_of_sweep(word: str) -> bool:
    return word.lstrip("~+").replace("/", ".").startswith(SWEEP_KEYS)


def _raw_overrides(overrides: Any) -> list[str]:
    """The overrides as they were typed: references in them are followed by whoever reads them."""
    words = OmegaConf.to_container(overrides, resolve=False)
    assert isinstance(words, list)
    return words


def _quote(text: str) -> str:
    """The text as a value on Hydra's command line that means these characters and no others."""
    return QuotedString(literal(text), Quote.single).with_quotes()


def literal(text: str) -> str:
    """The text as a value in which OmegaConf finds no reference to follow."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def _gpu_count(trainer: DictConfig) -> int | None:
    devices = trainer.get("devices")
    if (trainer.get("accelerator"), devices) == ("auto", "auto"):
        return 1  # where there are none, jobs get shares of the CPU
    return devices if isinstance(devices, int) and devices > 0 else None


class PrepareSweep(Callback):
    """Before a sweep starts anything: checks the configuration of each of its jobs, and names runs by what differs."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Ends the program with the problems of the first job that cannot be run."""
        if not _imports_from_current_folder():
            os.environ["PYTHONSAFEPATH"] = "1"  # nor do the jobs, whatever starts them
        planned = config.hydra.sweeper._target_.endswith("BasicSweeper")  # a search finds its jobs on the way
        with _exit_on_error("the sweep:"):
            loader = GlobalHydra.instance().config_loader()
            overrides = _parse_sweep(config, loader)
            combinations = list(_combinations(overrides, planned))
            with open_dict(config):
                config.hydra.overrides.hydra.append(_exclude_shared_keys(overrides))
        jobs: dict[Path, Job] = {}
        for number, words in enumerate(combinations):
            with _exit_on_error(f"job {' '.join(words)!r}"):
                job, composed = job_in_sweep(loader, config, list(words), number)
                self._check(job, resolve(composed), jobs, planned)
        for job in jobs.values():
            SWEEP.add(job)

    def _check(self, job: Job, config: dict[str, Any], jobs: dict[Path, Job], planned: bool) -> None:
        from pix2pix.config.check import check
        from pix2pix.training.resume import require_end

        check(config)
        if planned:
            job.run.require_same(config)
            require_end(job.run, config)
            _require_own_directory(job, jobs.setdefault(job.run.path, job))


@contextmanager
def _exit_on_error(what: str) -> Iterator[None]:
    """Ends the program in words: Hydra would only warn of an exception of a callback, and start the jobs."""
    try:
        yield
    except Exception as error:
        raise SystemExit(
            f"pix2pix: in {what} {_in_words(error)}\nNo job was started. (The name of a sweep is sweep_name=...)"
        ) from error


def _parse_sweep(config: DictConfig, loader: ConfigLoader) -> list[Override]:
    """What was said about the jobs, the last word on each setting; `glob` is looked up in the configuration groups."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create(loader).parse_overrides([*params, *_raw_overrides(config.hydra.overrides.task)])
    return list({override.get_key_element(): override for override in overrides}.values())


def _exclude_shared_keys(overrides: Sequence[Override]) -> str:
    """Leaves out of the names of runs what all of them share: or only their place, where nothing differs."""
    same = [override.key_or_group for override in overrides if not override.is_sweep_override()]
    left_out = same if len(same) < len(overrides) else [key for key in same if key in PATH_KEYS]
    return f"hydra.job.config.override_dirname.exclude_keys=[{','.join(left_out)}]"


def _combinations(overrides: Iterable[Override], planned: bool) -> Iterator[Sequence[str]]:
    """Every combination of the swept values. Those that only a search can draw are checked job by job instead."""
    axes = []
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            axes.append([f"{key}={override.get_value_element_as_str()}"])  # as Hydra's sweeper words it
        elif override.is_discrete_sweep():
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
            if not axes[-1]:
                raise ValueError(f"{override.input_line} has no values: nothing matches it, or its range is empty.")
        elif planned:
            raise ValueError(f"{override.input_line} is for a search, hydra/sweeper=optuna. Give values: {key}=1,2,3.")
    return itertools.product(*axes)


def _require_own_directory(job: Job, other: Job) -> None:
    """Raises ValueError where the other job, which goes to the same directory, has other settings."""
    if other.overrides != job.overrides:
        raise ValueError(
            f"{job.run.path}: is the directory of job {' '.join(other.overrides)!r}, too. Each run needs its own: "
            "leave out run_dir and hydra.sweep.subdir, or sweep values that differ in more than slashes."
        )


def _imports_from_current_folder() -> bool:
    return bool(sys.path) and Path(sys.path[0] or ".").resolve() == Path.cwd()
