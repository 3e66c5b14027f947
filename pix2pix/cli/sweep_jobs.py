"""The jobs of a sweep: their names, their settings, and checks that each of them can run."""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict

from pix2pix.config.compose import CONFIG, CONFIGS, resolve
from pix2pix.config.composition_errors import describe_error
from pix2pix.core.addresses import describe_address
from pix2pix.core.extras import OPTUNA, RAY, import_extra
from pix2pix.core.processes import import_environment
from pix2pix.runs.sweep import SWEEP, Job

if TYPE_CHECKING:
    from pix2pix.config.schema import TrainerSettings

PATH_KEYS = {"name", "output_dir", "run_dir", "sweep_name"}  # settings that only place or name a run
CHECKED_GRID = "hydra_plugins.pix2pix_grid.CheckedGridSweeper"
PACKAGES = {"hydra_plugins.pix2pix_ray.RayLauncher": RAY, "hydra_plugins.pix2pix_search.OptunaSearch": OPTUNA}
# Hydra settings of the sweep itself, which are not passed on to jobs: launcher, folders and names.
SWEEP_KEYS = ("hydra.mode", "hydra.launcher", "hydra.sweeper", "hydra.sweep", "hydra.job.config.override_dirname")


def make_job(config: DictConfig, overrides: list[str]) -> Job:
    """Builds the job of a sweep's configuration, which includes Hydra's part."""
    from pix2pix.config.schema import TrainerSettings  # imports torch

    folder, name = Path(config.hydra.sweep.dir), str(config.hydra.sweep.subdir)
    if why := describe_address(str(config.hydra.sweep.dir)):
        raise ValueError(f"hydra.sweep.dir, which follows from output_dir: {why}.")
    return Job(
        folder,
        name,
        overrides,
        flags=[f"run_dir={_quote(str(folder / name))}", "hydra.mode=RUN", *_forwarded_flags(config.hydra)],
        gpus=_gpu_count(TrainerSettings.of(config.trainer)),
    )


def compose_job(loader: ConfigLoader, sweep: DictConfig, overrides: list[str], number: int) -> tuple[Job, DictConfig]:
    """Builds the job and the configuration of one set of overrides."""
    config: Any = loader.load_sweep_config(sweep, overrides)
    with open_dict(config):
        config.hydra.job.id = config.hydra.job.num = number
    return make_job(config, overrides), config


def find_or_compose_job(loader: ConfigLoader, config: DictConfig, overrides: list[str], number: int) -> Job:
    """The job of a sweep with these overrides: the one that was checked, or one that a search has drawn."""
    return SWEEP.find_checked(number, overrides) or compose_job(loader, config, overrides, number)[0]


def _forwarded_flags(hydra_part: DictConfig) -> list[str]:
    """The flags and Hydra overrides of the sweep that its jobs need, too."""
    # Where this command found its configurations, so that the jobs find them, too; the package's own need no flag.
    sources = {source.provider: source.path for source in hydra_part.runtime.config_sources}
    flags = {"--config-dir": sources.get("command-line", ""), "--config-path": sources.get("main", "")}
    flags["--config-name"] = str(hydra_part.job.config_name)
    defaults = {"", str(CONFIGS), CONFIG}
    words = [word for word in _raw_overrides(hydra_part.overrides.hydra) if not _is_of_sweep(word)]
    return [*words, *(word for flag, value in flags.items() if value not in defaults for word in (flag, value))]


def _is_of_sweep(word: str) -> bool:
    return word.lstrip("~+").replace("/", ".").startswith(SWEEP_KEYS)


def _raw_overrides(overrides: Any) -> list[str]:
    """The overrides as typed, with their references unresolved."""
    words = OmegaConf.to_container(overrides, resolve=False)
    assert isinstance(words, list)
    return words


def _quote(text: str) -> str:
    """Quotes a text so that Hydra's command line takes it literally."""
    return QuotedString(escape_references(text), Quote.single).with_quotes()


def escape_references(text: str) -> str:
    """Escapes a text so that OmegaConf takes it literally."""
    # A reference `${` gets a backslash. Those before it are doubled, because OmegaConf reads them as escapes there.
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def _gpu_count(trainer: "TrainerSettings") -> int | None:
    """The number of GPUs that a job needs; None for all of them."""
    if trainer.accelerator == "cpu":
        return 0
    if (trainer.accelerator, trainer.devices) == ("auto", "auto"):
        return 1  # without GPUs, jobs share the CPU
    return trainer.devices if isinstance(trainer.devices, int) and trainer.devices > 0 else None


class PrepareSweep(Callback):
    """Checks the configuration of every job before a sweep starts, and names runs by the settings that differ."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Exits with the problems of the first invalid job."""
        os.environ.update(import_environment())
        is_grid = config.hydra.sweeper._target_.endswith("BasicSweeper")  # a search draws its jobs later
        with _exit_on_error("the sweep:"):
            _require_packages(config.hydra)
            loader = GlobalHydra.instance().config_loader()
            overrides = _parse_sweep(config, loader)
            combinations = list(_combinations(overrides, is_grid))
            with open_dict(config):
                config.hydra.overrides.hydra.append(_exclude_shared_keys(overrides))
        # All before the first is started: a mistake in the last job would otherwise show after hours.
        jobs: dict[Path, Job] = {}
        for number, words in enumerate(combinations):
            swept = [word for word, override in zip(words, overrides, strict=False) if override.is_sweep_override()]
            with _exit_on_error(f"job {' '.join(swept or words)!r}"):
                job, composed = compose_job(loader, config, list(words), number)
                self._check(job, resolve(composed), jobs, is_grid)
                SWEEP.checked[number] = job
        for job in jobs.values():
            SWEEP.add(job)
        if is_grid:
            config.hydra.sweeper._target_ = CHECKED_GRID

    def _check(self, job: Job, settings: dict[str, Any], jobs: dict[Path, Job], is_grid: bool) -> None:
        from pix2pix.config.check import parse_and_check

        config = parse_and_check(settings)
        if is_grid:
            job.run.require_same(config)
            SWEEP.configs[job.run.path] = config
            SWEEP.is_complete(job)  # refuses a run that was trained for longer than this
            _require_own_directory(job, jobs.setdefault(job.run.path, job))


def _require_packages(hydra_part: DictConfig) -> None:
    """Raises MissingExtraError if the package of the launcher or sweeper is not installed, before a file is written."""
    for part in (hydra_part.launcher, hydra_part.sweeper):
        if needed := PACKAGES.get(str(part.get("_target_"))):
            import_extra(*needed)


@contextmanager
def _exit_on_error(what: str) -> Iterator[None]:
    """Exits with a message. For an exception in a callback, Hydra would only warn and start the jobs."""
    try:
        yield
    except Exception as error:
        raise SystemExit(
            f"pix2pix: in {what} {describe_error(error)}\nNo job was started. (To name a sweep, set sweep_name=NAME.)"
        ) from error


def _parse_sweep(config: DictConfig, loader: ConfigLoader) -> list[Override]:
    """The overrides of the jobs, the last one of each setting; `glob` matches the configuration groups."""
    # The sweep of a file first, then the command line, which overrides it.
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    overrides = OverridesParser.create(loader).parse_overrides([*params, *_raw_overrides(config.hydra.overrides.task)])
    return list({override.get_key_element(): override for override in overrides}.values())


def _exclude_shared_keys(overrides: Sequence[Override]) -> str:
    """The override that leaves shared settings out of run names; only paths, if nothing differs."""
    # A name that repeats what all runs have in common would only be long.
    shared = [override.key_or_group for override in overrides if not override.is_sweep_override()]
    excluded = shared if len(shared) < len(overrides) else [key for key in shared if key in PATH_KEYS]
    return f"hydra.job.config.override_dirname.exclude_keys=[{','.join(excluded)}]"


def _combinations(overrides: Iterable[Override], is_grid: bool) -> Iterator[Sequence[str]]:
    """All combinations of the swept values. Ranges that only a search can draw are left out."""
    axes = []
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            axes.append([f"{key}={override.get_value_element_as_str()}"])  # in the form of Hydra's sweeper
        elif override.is_discrete_sweep():
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
            if not axes[-1]:
                raise ValueError(f"{override.input_line} has no values: no option matches, or the range is empty.")
        elif is_grid:
            raise ValueError(
                f"{override.input_line} needs a search (hydra/sweeper=optuna). Or give values: {key}=1,2,3."
            )
    return itertools.product(*axes)


def _require_own_directory(job: Job, other: Job) -> None:
    """Raises ValueError if two jobs with different settings share a directory."""
    if other.overrides != job.overrides:
        raise ValueError(
            f"{job.run.path}: is also the directory of job {' '.join(other.overrides)!r}. Each run needs its own: "
            "omit run_dir and hydra.sweep.subdir, or sweep values that differ in more than slashes."
        )
