"""One session of a W&B run. Runs in the background thread, where it may wait or fail."""

import functools
import json
import logging
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from PIL import Image

from pix2pix.config.metric_names import DIAGNOSES, METRICS, higher_is_better
from pix2pix.config.metric_names import Mode as Best
from pix2pix.core.addresses import hide_secrets_in
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import Sheet, read_sheets
from pix2pix.runs.wandb_id import run_id

if TYPE_CHECKING:
    import wandb

log = logging.getLogger(__name__)

Mode = Literal["online", "offline", "disabled"]
MODES: tuple[Mode, ...] = get_args(Mode)
Values = dict[str, Any]


class WandbSession:
    """One sitting of a W&B run, from `wandb.init` to `finish`."""

    def __init__(self, run: Run, about: Values, mode: Mode | Literal["auto"]) -> None:
        self.run = run
        earlier = list((run.path / "wandb").glob(f"*run-*/run-{run_id(run)}.wandb"))
        self._wandb = _start_wandb_run(run, about, mode)
        # W&B has every step before this one: on its server or, offline, in the pieces that earlier sittings left.
        self.begin = self._wandb.starting_step
        if self._wandb.offline:
            self.begin = max([0, *(last_step(piece) + 1 for piece in earlier)])
            log.info("W&B: offline, in %s/wandb. To upload it: wandb sync %s/wandb/*run-*", run.path, run.path)
        self._caught_up = False

    def log(self, row: Values, step: int) -> None:
        """Sends the row, and before the first one what earlier sittings left out."""
        self._catch_up(step)
        if step >= self.begin:
            self._wandb.log(_for_wandb(row), step=step)

    def _catch_up(self, step: float) -> None:
        """Sends what earlier sittings left out of the rows before `step`, once."""
        if not self._caught_up:
            self._caught_up = True
            for missing, values in sorted(self._missing(step).items()):
                self._wandb.log(_for_wandb(values), step=missing)

    def finish(self, *, whole: bool, artifact: bool) -> None:
        """Ends the sitting; the run is marked as finished, and then has every row, or as failed."""
        if whole:
            self._catch_up(math.inf)
        if whole and artifact:
            import wandb

            model = wandb.Artifact(
                f"{run_id(self.run)}-best", type="model", metadata=hide_secrets_in(self.run.config())
            )
            model.add_file(str(self.run.checkpoint("best")))
            self._wandb.log_artifact(model, aliases=["best"])
        self._wandb.finish(exit_code=0 if whole else 1)

    def _missing(self, before: float) -> dict[int, Values]:
        """Rows of metrics.csv and sheets that W&B has not got, by step."""
        rows: dict[int, Values] = {}
        for line in read_metrics(self.run.path / "metrics.csv"):
            step = int(line.pop("step"))
            rows.setdefault(step, {}).update({name: float(value) for name, value in line.items() if value})
        for sheet in read_sheets(self.run.path / "samples"):
            rows.setdefault(sheet.step, {}).update(sheet_values(sheet))
        return {step: values for step, values in rows.items() if self.begin <= step < before}


def kill_service() -> None:
    """Ends W&B's service process, for which the program would wait at its end, however long that took."""
    from wandb.sdk import wandb_setup

    service = wandb_setup.singleton()._connection
    if service is not None and service._cleanup is not None and service._proc is not None:
        service._cleanup()  # from what is done at the program's end
        service._proc._process.kill()


def last_step(transaction_log: Path) -> int:
    """The last step in a `.wandb` file; -1 where there is none, as after a kill. Read with W&B's own tool."""
    command = [sys.executable, "-P", "-m", "wandb", "leet", "inspect", "--json", str(transaction_log)]
    said = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", errors="replace").stdout
    lines = said.splitlines()
    items = (json.loads(line)["history"]["item"] for line in lines if '"type":"history"' in line)
    return max((item.get("_step", -1) for item in items), default=-1)


def _start_wandb_run(run: Run, about: Values, mode: Mode | Literal["auto"]) -> "wandb.Run":
    """Starts or resumes the W&B run; offline where its server cannot be reached."""
    import wandb

    settings = wandb.Settings(console="off", silent=True, disable_git=True, disable_job_creation=True)
    known = about | {"id": run_id(run), "name": run.path.name, "config": _config(run), "dir": str(run.path)}
    begin = functools.partial(wandb.init, **known, resume="allow", settings=settings)
    try:
        begun = begin(mode=_select_mode(mode))
    except wandb.Error as error:
        log.warning("W&B cannot be reached (%s): the run is logged offline.", str(error).rstrip("."))
        begun = begin(mode="offline")
    for name, best in _summary_modes(run).items():
        begun.define_metric(name, summary=f"{best},last")
    return begun


def _summary_modes(run: Run) -> dict[str, Best]:
    """Whether the largest or the smallest value of each metric is its best one."""
    known: dict[str, Best] = {f"val/{n}": "max" if higher_is_better(n) else "min" for n in METRICS | DIAGNOSES}
    chosen = run.config().get("callbacks", {}).get("checkpoint", {})
    return known | ({chosen["monitor"]: chosen["mode"]} if chosen.get("mode") else {})


def _select_mode(mode: Mode | Literal["auto"]) -> Mode:
    import wandb

    if mode != "auto":
        return mode
    for known in MODES:
        if os.environ.get("WANDB_MODE") == known:
            return known
    if wandb.login(prompt=False):
        return "online"
    log.info("W&B: no API key is configured (`wandb login`, or WANDB_API_KEY), so the run is logged offline.")
    return "offline"


def _config(run: Run) -> Values:
    """The resolved configuration, and what made the run."""
    provenance = run.provenance()
    session = provenance.get("sessions", [{}])[-1]
    return hide_secrets_in(run.config()) | {
        "provenance": {key: session.get(key) for key in ("versions", "git_commit", "python", "platform")}
        | {"data_fingerprint": provenance.get("data_fingerprint")}
    }


def sheet_values(sheet: Sheet) -> Values:
    """What is logged of a sheet of samples."""
    return {f"samples/{sheet.kind}": sheet}


def _for_wandb(values: Values) -> Values:
    return {name: _to_media(value) for name, value in values.items()}


def _to_media(value: Any) -> Any:
    import wandb

    if isinstance(value, Sheet):
        return [wandb.Image(strip, caption=name) for strip, name in zip(value.strips(), value.names, strict=True)]
    if isinstance(value, list):
        columns = list(value[0])
        return wandb.Table(columns, [[_cell(row[column]) for column in columns] for row in value])
    return value


def _cell(value: Any) -> Any:
    import wandb

    return wandb.Image(value) if isinstance(value, Image.Image) else value
