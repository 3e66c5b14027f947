"""Logs to Weights & Biases: one W&B run per run, across kills, moves and offline sessions.

Lightning's WandbLogger is not used. It numbers rows by its own calls instead of the training step, does not send what a
killed session lost, and calls the service from the training thread, so a hanging service stops the training.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from pytorch_lightning.utilities import rank_zero_only

from pix2pix.runs.sample_sheets import Sheet
from pix2pix.runs.wandb_id import run_id
from pix2pix.training.loggers.background_worker import BackgroundWorker
from pix2pix.training.loggers.base import RunLogger
from pix2pix.training.loggers.wandb_session import Mode, Values, WandbSession, kill_service, sheet_values

REMEDY = "metrics.csv and samples/ in the run are complete; a run that resumes sends what is missing."


class WeightsAndBiases(RunLogger):
    """Logs every number and picture by the training step, which is also W&B's step.

    All values of one step form one row of W&B's history, sent when the step is over. A resumed run continues the same
    W&B run: rows that W&B has not received are read from metrics.csv and samples/, and no row is sent twice.

    Args:
        directory: the run. W&B's files go to its `wandb/`, the W&B id to `wandb/id`.
        project: the W&B project.
        entity: the user or team; None for the user's default.
        group: the W&B group of the run.
        tags: tags to filter by.
        notes: a note on the run.
        job_type: what kind of job the run is, to group runs by.
        save_code: whether W&B keeps the git remote, commit and diff of the working directory.
        mode: `auto` takes WANDB_MODE if it is set, else `online` with an API key and `offline` without.
        checkpoint_artifact: whether to upload `best.ckpt` and `last.ckpt` when the run is finished.
        patience: seconds to wait for the last uploads at the end of the training.
    """

    kind = "wandb"

    def __init__(
        self,
        directory: str,
        *,
        project: str = "pix2pix",
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        notes: str | None = None,
        job_type: str | None = "train",
        save_code: bool = False,
        mode: Mode | Literal["auto"] = "auto",
        checkpoint_artifact: bool = False,
        patience: Annotated[float, Field(gt=0)] = 120.0,
    ) -> None:
        super().__init__(directory)
        self.about = {"project": project, "entity": entity, "group": group, "tags": list(tags), "notes": notes}
        self.about["job_type"] = job_type
        self.save_code = save_code
        self.mode: Mode | Literal["auto"] = mode
        self.checkpoint_artifact, self.timeout = checkpoint_artifact, patience
        self._worker: BackgroundWorker | None = None
        self._session: WandbSession | None = None
        self._step, self._row = 0, {}
        self._sheets: list[Sheet] = []  # that wait for the next row: numbers of earlier steps may still come
        self._finished = False

    @property
    def version(self) -> str:
        """The W&B run's id."""
        return run_id(self.run)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds metrics to the row of the step."""
        self._add(int(step or 0), dict(metrics))

    @rank_zero_only
    def log_sheet(self, sheet: Sheet) -> None:
        """Adds the pictures of a sheet. A pair has the same index in every run, so that W&B's panels line up."""
        self._sheets.append(sheet)

    @rank_zero_only
    def log_table(self, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """Adds a table of pictures and their metrics."""
        self._add(step, {"evaluation": list(rows)})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Ends the W&B run. After a failure the current row is incomplete and is left to the resumed training."""
        succeeded = status == "success"
        if succeeded:
            self._add_sheets(math.inf)
            self._send_row()
        if self._worker is None and (self._finished or not succeeded):
            return
        artifact = self.checkpoint_artifact
        self._submit(lambda session: session.finish(succeeded=succeeded, artifact=artifact)).finish(self.timeout)
        self._worker = self._session = None
        self._finished = succeeded

    def _add(self, step: int, values: Values) -> None:
        self._add_sheets(step)
        self._add_to_row(step, values)

    def _add_sheets(self, until: float) -> None:
        while self._sheets and self._sheets[0].step <= until:
            sheet = self._sheets.pop(0)
            self._add_to_row(sheet.step, sheet_values(sheet))

    def _add_to_row(self, step: int, values: Values) -> None:
        # W&B closes a row when it sees a later step, so all values of a step are collected and sent together.
        if step != self._step:
            self._send_row()
            self._step = step
        self._row |= values

    def _send_row(self) -> None:
        step, row, self._row = self._step, self._row, {}
        if row:
            self._submit(lambda session: session.log(row, step))

    def _submit(self, task: Callable[[WandbSession], None]) -> BackgroundWorker:
        if self._worker is None:
            self._worker = BackgroundWorker("W&B", REMEDY, kill_service)

        def run_task() -> None:
            # Started in the worker's thread: starting may wait for the server.
            if self._session is None:
                self._session = WandbSession(self.run, self.about, self.mode, save_code=self.save_code)
            task(self._session)

        self._worker.submit(run_task)
        return self._worker
