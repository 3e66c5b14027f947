"""Hydra sweeper plugin for Optuna: searches for the best settings; each trial is a run, in a process of its own.

The search is stored on disk and resumes. Trials run in the job pool of the process launcher. Their progress is read
from their metrics.csv, so that a run needs no knowledge of the search. Hydra imports this module for every command, so
heavy modules are imported where they are used. No `from __future__ import annotations`: Hydra reads the signatures.
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
        params: the search space: for each setting `interval(a, b)`, `tag(log, interval(a, b))`, `range(a, b, step)` or
            `choice(a, b, c)`. Settings swept on the command line are added.
        trials: number of runs in all; the same command again continues to this number.
        warmup_trials: number of finished runs before any run is pruned (by the median of earlier trials).
        warmup_epochs: number of validations of a run before it may be pruned.
        seed: the seed of the search.
    """

    def __init__(
        self, params: dict[str, str], trials: int = 20, warmup_trials: int = 5, warmup_epochs: int = 3, seed: int = 0
    ) -> None:
        self.params, self.trials, self.seed = params, trials, seed
        self.warmup_trials, self.warmup_epochs = warmup_trials, warmup_epochs
        # By the directory of each run: its trial's number, the date of its metrics as last read, the values reported.
        self.trial_numbers: dict[Path, int] = {}
        self.metrics_dates: dict[Path, int] = {}
        self.reported_values: dict[Path, int] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Sets up the process launcher. Raises ValueError for another launcher, whose runs cannot be pruned."""
        from pix2pix.config.metric_names import find_mode

        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )
        if not isinstance(launcher, ProcessLauncher):
            raise ValueError("hydra/sweeper=optuna prunes runs, and needs hydra/launcher=processes or ray for it.")
        self.processes, self.folder = launcher, Path(config.hydra.sweep.dir)
        checkpoint = config.get("callbacks", {}).get("checkpoint")
        if checkpoint is None:
            raise ValueError(
                "a search compares runs by callbacks.checkpoint.monitor, but this training has no "
                "callbacks.checkpoint. Leave out debug=overfit or callbacks.checkpoint=null."
            )
        self.monitor: str = checkpoint.monitor
        self.mode: Any = find_mode(self.monitor, checkpoint.get("mode"), config.get("metrics", {}))

    def sweep(self, arguments: list[str]) -> None:
        """Runs the trials and logs the best one."""
        from pix2pix.runs.job_pool import JobPool
        from pix2pix.runs.sweep_display import SweepDisplay

        parser = OverridesParser.create(self.processes.loader)
        overrides = parser.parse_overrides([*(f"{key}={value}" for key, value in self.params.items()), *arguments])
        # The last one of a setting counts, so the command line overrides the file. What is not swept is fixed for all.
        by_key = {override.get_key_element(): override for override in overrides}
        self.space = {key: override for key, override in by_key.items() if override.is_sweep_override()}
        self.fixed = [str(override.input_line) for override in by_key.values() if not override.is_sweep_override()]
        self.study = self._open_study(self.folder)
        example = self.processes.job(self.fixed, 0)
        slots = self.processes.slots([example] * self.trials)
        for job, result in JobPool(slots, self._should_prune, SweepDisplay().update).run(self._jobs()):
            self._tell(job, result)
        if any(trial.state.name == "COMPLETE" for trial in self.study.trials):
            best = self.study.best_trial
            log.info("Best %s %.4g: %s", self.monitor, best.value, " ".join(best.user_attrs["overrides"]))

    def _open_study(self, folder: Path) -> Any:
        import optuna

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
        # The seed depends on the number of trials, so that a resumed search does not suggest its first trials again.
        seed = self.seed + len(study.trials)
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.warmup_trials)
        return study

    def _jobs(self) -> "Iterator[Job]":
        """Yields the unfinished runs of an earlier search, then new ones, suggested only when a slot is free."""
        from pix2pix.runs.sweep import SWEEP

        earlier = [trial for trial in self.study.trials if "overrides" in trial.user_attrs]
        for trial in earlier:
            job = self._job(trial.user_attrs["overrides"], trial.number)
            if trial.state.name == "PRUNED":
                SWEEP.record_result(job, "pruned", "by an earlier command")
            if trial.state.name == "RUNNING":
                yield job
        # Failed trials do not count: the same command tries as many again.
        for _ in range(self.trials - sum(trial.state.name != "FAIL" for trial in earlier)):
            trial = self.study.ask()
            overrides = [f"{key}={_suggest(trial, key, self.space[key])}" for key in self.space]
            trial.set_user_attr("overrides", overrides)
            known_runs = set(self.trial_numbers)
            job = self._job(overrides, trial.number)
            if job.run.path in known_runs:  # the same settings again: its result is known
                self.study.tell(
                    trial, job.run.best_value(), self._state("done" if job.run.best_value() is not None else "failed")
                )
                continue
            log.info("trial %d/%d: %s", trial.number + 1, self.trials, job.name)
            yield job

    def _job(self, overrides: list[str], number: int) -> "Job":
        from pix2pix.runs.sweep import SWEEP

        job = self.processes.job([*self.fixed, *overrides], number)
        self.trial_numbers.setdefault(job.run.path, number)
        SWEEP.add(job)
        return job

    def _should_prune(self, job: "Job") -> bool:
        """Reports new values of a run to Optuna. Returns whether the median of earlier trials was better then."""
        import optuna

        from pix2pix.runs.metrics import read_metrics

        file = job.run.path / "metrics.csv"
        date = file.stat().st_mtime_ns if file.is_file() else 0
        if date == self.metrics_dates.get(job.run.path, 0):
            return False
        self.metrics_dates[job.run.path] = date
        # Rows of training steps have no value of the metric; each that has one is a validation.
        values = [float(row[self.monitor]) for row in read_metrics(file) if row.get(self.monitor)]
        reported = self.reported_values.get(job.run.path, 0)
        if len(values) == reported:
            return False
        # The trial may be of an earlier process: it is taken from the study by its number. Optuna has no public way.
        trial = optuna.Trial(self.study, self.study.trials[self.trial_numbers[job.run.path]]._trial_id)
        for epoch, value in enumerate(values[reported:], start=reported):
            trial.report(value, epoch)
        self.reported_values[job.run.path] = len(values)
        return trial.should_prune()

    def _tell(self, job: "Job", result: "JobResult") -> None:
        from pix2pix.runs.sweep import SWEEP

        SWEEP.record_result(job, *result)
        if result.state == "stopped":  # the trial stays open: the same command resumes its run
            return
        value = job.run.best_value() if result.state == "done" else None
        has_no_value = result.state == "done" and value is None  # the metric was never a number
        self.study.tell(
            self.trial_numbers[job.run.path], value, self._state("failed" if has_no_value else result.state)
        )
        log.info("%s: %s %s%s", job.name, *result, "" if value is None else f", {self.monitor} {value:.4g}")

    @staticmethod
    def _state(result: str) -> Any:
        from optuna.trial import TrialState

        return {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}[result]


def _require_same(study: Any, direction: str, search: dict[str, Any]) -> None:
    """Raises ValueError if the study on disk is of another search, whose values cannot be compared."""
    before = study.user_attrs.get("search", search) | {"direction": study.direction.name.lower()}
    now = search | {"direction": direction}
    if before != now:
        changed = [f"  {key}: {before[key]} there, {here} here" for key, here in now.items() if before[key] != here]
        raise ValueError(
            "\n".join(["the sweep's directory holds another search:", *changed, "Give this one a name, sweep_name=..."])
        )
    study.set_user_attr("search", search)


def _suggest(trial: Any, key: str, override: Override) -> Any:
    """Suggests a value from the space of an override, with 4 digits for the name of the run's directory."""
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
    """The choices of an override: numbers as they are, words as on the command line."""
    values, words = list(override.sweep_iterator()), list(override.sweep_string_iterator())
    numbers = (bool, int, float, type(None))
    return [value if isinstance(value, numbers) else word for value, word in zip(values, words, strict=True)]
