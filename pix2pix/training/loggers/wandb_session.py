"""One session of a W&B run. Runs in the background thread, where it may wait or fail.

W&B has no public interface for two things, and this module uses its internals: `last_step` asks W&B's command-line tool
which steps an offline file holds, because a killed session loses its last rows; `kill_service` ends a service that
hangs, because W&B waits for it without a limit when the program exits.
"""

import functools
import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from pix2pix.config.metric_names import DIAGNOSES, METRICS, higher_is_better
from pix2pix.config.metric_names import Mode as Best
from pix2pix.core.addresses import hide_secrets_in
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import DEFAULT_CHECKPOINT, Run
from pix2pix.runs.sample_sheets import Sheet, read_sheets
from pix2pix.runs.wandb_id import run_id

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

Mode = Literal["online", "offline", "disabled"]
Values = dict[str, Any]


class WandbSession:
    """One session of a W&B run, from `wandb.init` to `finish`.

    Args:
        run: the run that is logged.
        about: project, entity, group, tags, notes and job type.
        mode: how W&B runs; see `WeightsAndBiases`.
        save_code: whether W&B keeps the state of the git repository.
    """

    def __init__(self, run: Run, about: Values, mode: Mode | Literal["auto"], *, save_code: bool = False) -> None:
        self.run = run
        # Listed before the session starts, which adds a file of its own.
        earlier = list((run.path / "wandb").glob(f"*run-*/run-{run_id(run)}.wandb"))
        self._wandb = _start_wandb_run(run, about, mode, save_code)
        # W&B has every earlier step: on its server or, offline, in the files of earlier sessions.
        self.first_step = self._wandb.starting_step
        if self._wandb.offline:
            self.first_step = max([0, *(last_step(file) + 1 for file in earlier)])
            log.info("W&B: offline, in %s/wandb. To upload it: wandb sync %s/wandb/*run-*", run.path, run.path)
        self._has_caught_up = False

    def log(self, row: Values, step: int) -> None:
        """Sends a row; before the first one, all rows that earlier sessions did not send."""
        self._catch_up(step)
        if step >= self.first_step:
            self._wandb.log(_to_wandb(row), step=step)

    def finish(self, *, succeeded: bool, artifact: bool) -> None:
        """Ends the session and marks the run as finished or failed. A finished run has every row."""
        if succeeded:
            self._catch_up(math.inf)
        if succeeded and artifact:
            self._log_checkpoints()
        self._wandb.finish(exit_code=0 if succeeded else 1)

    def _log_checkpoints(self) -> None:
        """Uploads two versions of one artifact: the best checkpoint, then the last one, which is W&B's `latest`."""
        import wandb

        metadata = hide_secrets_in(self.run.config().to_mapping())
        for name in ("best", DEFAULT_CHECKPOINT):
            file = self.run.checkpoints / f"{name}.ckpt"
            if file.is_file():  # no epoch may have been validated
                model = wandb.Artifact(f"{run_id(self.run)}-model", type="model", metadata=metadata)
                model.add_file(str(file), name="model.ckpt")
                self._wandb.log_artifact(model, aliases=[name])

    def _catch_up(self, step: float) -> None:
        """Sends, once, the rows before `step` that earlier sessions did not send."""
        if not self._has_caught_up:
            self._has_caught_up = True
            for missing, values in sorted(self._missing(step).items()):
                self._wandb.log(_to_wandb(values), step=missing)

    def _missing(self, before: float) -> dict[int, Values]:
        """The rows of metrics.csv and the sample sheets that W&B has not received, by step."""
        rows: dict[int, Values] = {}
        for line in read_metrics(self.run.path / "metrics.csv"):
            step = int(line.pop("step"))
            rows.setdefault(step, {}).update({name: float(value) for name, value in line.items() if value})
        for sheet in read_sheets(self.run.path / "samples"):
            rows.setdefault(sheet.step, {}).update(sheet_values(sheet))
        return {step: values for step, values in rows.items() if self.first_step <= step < before}


def kill_service() -> None:
    """Kills W&B's service process. Otherwise the program would wait for it when it exits, without a limit."""
    from wandb.sdk import wandb_setup

    service = wandb_setup.singleton()._connection
    if service is not None and service._cleanup is not None and service._proc is not None:
        service._cleanup()  # removes the exit handler that waits for the process
        service._proc._process.kill()


def last_step(file: Path) -> int:
    """The last step in a `.wandb` file, read with W&B's own tool; -1 if the file holds none, as after a kill."""
    command = [sys.executable, "-P", "-m", "wandb", "leet", "inspect", "--json", str(file)]
    output = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", errors="replace").stdout
    items = (json.loads(line)["history"]["item"] for line in output.splitlines() if '"type":"history"' in line)
    return max((item.get("_step", -1) for item in items), default=-1)


def _start_wandb_run(run: Run, about: Values, mode: Mode | Literal["auto"], save_code: bool) -> "wandb.Run":
    """Starts or resumes the W&B run; offline if its server cannot be reached."""
    import wandb

    settings = wandb.Settings(
        console="off", silent=True, disable_job_creation=True, disable_git=not save_code, save_code=save_code
    )
    options = about | {"id": run_id(run), "name": run.path.name, "config": _config(run), "dir": str(run.path)}
    start = functools.partial(wandb.init, **options, resume="allow", settings=settings)
    try:
        wandb_run = start(mode=_select_mode(mode))
    except wandb.Error as error:
        log.warning("W&B cannot be reached (%s): the run is logged offline.", str(error).rstrip("."))
        wandb_run = start(mode="offline")
    for name, best in _summary_modes(run).items():
        wandb_run.define_metric(name, summary=f"{best},last")
    return wandb_run


def _summary_modes(run: Run) -> dict[str, Best]:
    """Whether the largest or the smallest value of each metric is its best one."""
    known: dict[str, Best] = {f"val/{n}": "max" if higher_is_better(n) else "min" for n in METRICS | DIAGNOSES}
    monitor, mode = run.config().monitor or ("", None)
    if mode:
        known[monitor] = mode
    return known


def _select_mode(mode: Mode | Literal["auto"]) -> Mode | None:
    """The mode for `wandb.init`; None leaves the choice to WANDB_MODE."""
    import wandb

    if mode != "auto":
        return mode
    if os.environ.get("WANDB_MODE"):
        return None
    if wandb.login(prompt=False):
        return "online"
    log.info("W&B: no API key is configured (`wandb login`, or WANDB_API_KEY), so the run is logged offline.")
    return "offline"


def _config(run: Run) -> Values:
    """The resolved configuration, and what made the run."""
    provenance = run.provenance()
    session = provenance.get("sessions", [{}])[-1]
    return hide_secrets_in(run.config().to_mapping()) | {
        "provenance": {key: session.get(key) for key in ("versions", "git_commit", "python", "platform")}
        | {"data_fingerprint": provenance.get("data_fingerprint")}
        | {"repositories": {Path(each["path"]).name: _commit(each) for each in session.get("repositories", [])}}
    }


def _commit(repository: Values) -> str:
    return f"{repository['commit']}{' with changes' if repository['dirty'] else ''}"


def sheet_values(sheet: Sheet) -> Values:
    """What is logged of a sample sheet."""
    return {f"samples/{sheet.kind}": sheet}


def _to_wandb(values: Values) -> Values:
    """The values, with sheets as lists of images and lists of rows as tables."""
    import wandb

    def convert(value: Any) -> Any:
        if isinstance(value, Image.Image):
            return wandb.Image(value)
        if isinstance(value, Sheet):
            return [wandb.Image(strip, caption=name) for strip, name in zip(value.strips(), value.names, strict=True)]
        if isinstance(value, list):
            return wandb.Table(list(value[0]), [[convert(cell) for cell in row.values()] for row in value])
        return value

    return {name: convert(value) for name, value in values.items()}
