"""Hydra's door to Optuna: a search over settings whose trials are runs, kept on disk, continued, pruned.

The trials run through the process launcher's pool, and what they have reached is read from their metrics.csv: a run
knows nothing of the search. No `from __future__ import annotations` here: Hydra reads the signatures. Hydra imports
this for every command, so what is heavy is imported where it is used.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from hydra_plugins.pix2pix_processes import ProcessLauncher

if TYPE_CHECKING:
    from pix2pix.runs.job_pool import JobResult
    from pix2pix.runs.sweep import Job

log = logging.getLogger(__name__)


class OptunaSearch(Sweeper):
    """Searches for the settings with the best value of the metric that chooses `best.ckpt`.

    Args:
        params: the space: for each setting `interval(a, b)`, `tag(log, interval(a, b))`, `range(a, b, step)` or
            `choice(a, b, c)`. Settings swept on the command line are added.
        trials: how many runs in all; the same command again goes on to this number.
        warmup_trials: how many runs must be finished before any is pruned (the median rule).
        warmup_epochs: how many validations a run is given before it may be stopped.
        seed: of the search.
    """

    def __init__(
        self, params: dict[str, str], trials: int = 20, warmup_trials: int = 5, warmup_epochs: int = 3, seed: int = 0
    ) -> None:
        self.params, self.trials, self.seed = params, trials, seed
        self.warmup_trials, self.warmup_epochs = warmup_trials, warmup_epochs
        self.by_job: dict[Path, int] = {}
        self.looked_at: dict[Path, int] = {}
        self.reported: dict[Path, int] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Takes the process launcher. Raises ValueError for another: only its runs can be watched and stopped."""
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not isinstance(launcher, ProcessLauncher):
            raise ValueError("hydra/sweeper=optuna watches the runs it starts; it needs hydra/launcher=processes.")
        self.processes, self.folder = launcher, Path(config.hydra.sweep.dir)
        self.monitor: str = config.callbacks.checkpoint.monitor
        self.mode: Any = config.callbacks.checkpoint.get("mode")

    def sweep(self, arguments: list[str]) -> None:
        """Runs trials until there are enough, and says which was best."""
        from pix2pix.runs.job_pool import JobPool

        parser = OverridesParser.create(self.processes.loader)
        given = parser.parse_overrides([*(f"{key}={value}" for key, value in self.params.items()), *arguments])
        by_key = {override.get_key_element(): override for override in given}
        self.space = {key: override for key, override in by_key.items() if override.is_sweep_override()}
        self.fixed = [str(override.input_line) for override in by_key.values() if not override.is_sweep_override()]
        self.study = self._open_study(self.folder)
        example = self.processes.job(self.fixed, 0)
        pool = JobPool(self.processes.slots([example] * self.trials), should_prune=self._should_prune)
        for job, ending in pool.run(self._jobs()):
            self._tell(job, ending)
        if any(trial.state.name == "COMPLETE" for trial in self.study.trials):
            best = self.study.best_trial
            log.info("Best %s %.4g: %s", self.monitor, best.value, " ".join(best.user_attrs["overrides"]))

    def _open_study(self, folder: Path) -> Any:
        try:
            import optuna
        except ImportError as error:
            raise ValueError("a search needs Optuna: pip install 'pix2pix[search]'") from error
        from hydra_plugins.pix2pix_search.journal import open_journal
        from pix2pix.config.metric_names import higher_is_better

        direction = "maximize" if higher_is_better(self.monitor, self.mode) else "minimize"
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            storage=open_journal(folder / "search.journal"),
            study_name="search",
            load_if_exists=True,
            direction=direction,
            pruner=optuna.pruners.MedianPruner(self.warmup_trials, self.warmup_epochs),
        )
        space = sorted(str(override.input_line) for override in self.space.values())
        _require_same(study, direction, {"monitor": self.monitor, "fixed": sorted(self.fixed), "space": space})
        # seeded by where the search stands: one that goes on must not ask for its first trials again
        seed = self.seed + len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.warmup_trials)
        return study

    def _jobs(self) -> "Iterator[Job]":
        """First the runs that a former search left in the middle, then new ones, each asked for when there is room."""
        from pix2pix.runs.sweep import SWEEP

        before = [trial for trial in self.study.trials if "overrides" in trial.user_attrs]
        for trial in before:
            job = self._job(trial.user_attrs["overrides"], trial.number)
            if trial.state.name == "PRUNED":
                SWEEP.record_result(job, "pruned", "by an earlier command")
            if trial.state.name == "RUNNING":
                yield job
        for _ in range(self.trials - sum(trial.state.name != "FAIL" for trial in before)):
            trial = self.study.ask()
            overrides = [f"{key}={_suggest(trial, key, self.space[key])}" for key in self.space]
            trial.set_user_attr("overrides", overrides)
            known = set(self.by_job)
            job = self._job(overrides, trial.number)
            if job.run.path in known:  # the same settings again: nothing new to learn
                self.study.tell(trial, job.run.best(), self._state("done" if job.run.best() is not None else "failed"))
                continue
            log.info("trial %d/%d: %s", trial.number + 1, self.trials, job.name)
            yield job

    def _job(self, overrides: list[str], number: int) -> "Job":
        from pix2pix.runs.sweep import SWEEP

        job = self.processes.job([*self.fixed, *overrides], number)
        self.by_job.setdefault(job.run.path, number)
        SWEEP.add(job)
        return job

    def _should_prune(self, job: "Job") -> bool:
        """Reports what the run has newly reached; whether the median of the others was better by then."""
        import optuna

        from pix2pix.runs.metrics import read_metrics

        file = job.run.path / "metrics.csv"
        written = file.stat().st_mtime_ns if file.is_file() else 0
        if written == self.looked_at.get(job.run.path, 0):
            return False
        self.looked_at[job.run.path] = written
        values = [float(row[self.monitor]) for row in read_metrics(file) if row.get(self.monitor)]
        done = self.reported.get(job.run.path, 0)
        if len(values) == done:
            return False
        trial = optuna.Trial(self.study, self.study.trials[self.by_job[job.run.path]]._trial_id)
        for epoch, value in enumerate(values[done:], start=done):
            trial.report(value, epoch)
        self.reported[job.run.path] = len(values)
        return trial.should_prune()

    def _tell(self, job: "Job", ending: "JobResult") -> None:
        from pix2pix.runs.sweep import SWEEP

        SWEEP.record_result(job, *ending)
        if ending.state == "stopped":  # the trial stays as it is: the same command goes on with its run
            return
        value = job.run.best() if ending.state == "done" else None
        failed = ending.state == "done" and value is None  # its metric was never a number
        self.study.tell(self.by_job[job.run.path], value, self._state("failed" if failed else ending.state))
        log.info("%s: %s %s%s", job.name, *ending, "" if value is None else f", {self.monitor} {value:.4g}")

    @staticmethod
    def _state(ending: str) -> Any:
        from optuna.trial import TrialState

        return {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}[ending]


def _require_same(study: Any, direction: str, search: dict[str, Any]) -> None:
    """Raises ValueError when the study on disk is another search's: their values do not compare."""
    before = study.user_attrs.get("search", search) | {"direction": study.direction.name.lower()}
    now = search | {"direction": direction}
    if before != now:
        changed = [f"  {key}: {before[key]} there, {here} here" for key, here in now.items() if before[key] != here]
        raise ValueError(
            "\n".join(["the sweep's directory holds another search:", *changed, "Give this one a name, sweep_name=..."])
        )
    study.set_user_attr("search", search)


def _suggest(trial: Any, key: str, override: Override) -> Any:
    """A value from the space that the override describes, with no more digits than a directory's name bears."""
    space: Any = override.value()
    if isinstance(space, ChoiceSweep | Glob):
        return trial.suggest_categorical(key, _choices(override))
    if isinstance(space, IntervalSweep):
        if isinstance(space.start, int) and isinstance(space.end, int):
            return trial.suggest_int(key, space.start, space.end, log="log" in space.tags)
        return float(f"{trial.suggest_float(key, space.start, space.end, log='log' in space.tags):.4g}")
    if isinstance(space, RangeSweep):
        numbers: Any = override.sweep_iterator()
        values, step = sorted(numbers), abs(space.step)
        if all(isinstance(value, int) for value in values):
            return trial.suggest_int(key, values[0], values[-1], step=step)
        return float(f"{trial.suggest_float(key, values[0], values[-1], step=step):.4g}")
    raise ValueError(f"{override.input_line}: a search takes interval(), range(), choice() or glob().")


def _choices(override: Override) -> list[Any]:
    """Numbers as they are, words as they stand on a command line."""
    values, words = list(override.sweep_iterator()), list(override.sweep_string_iterator())
    numbers = (bool, int, float, type(None))
    return [value if isinstance(value, numbers) else word for value, word in zip(values, words, strict=True)]
