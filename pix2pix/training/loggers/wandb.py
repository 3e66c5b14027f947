"""Logs to Weights & Biases: one W&B run per run, across kills, moves and offline sessions."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field
from pytorch_lightning.utilities import rank_zero_only

from pix2pix.runs.sample_sheets import Sheet
from pix2pix.runs.wandb_id import run_id
from pix2pix.training.loggers.background_worker import BackgroundWorker
from pix2pix.training.loggers.base import RunLogger
from pix2pix.training.loggers.wandb_session import Mode, Values, WandbSession, kill_service, sheet_values

REMEDY = "metrics.csv and samples/ in the run have everything; when the run is resumed, what is missing is sent."


class WeightsAndBiases(RunLogger):
    """Logs every number and picture against the training step, which is W&B's own step.

    What belongs to one step is one row of W&B's history, sent once the step is over. A run that is resumed goes on as
    the same W&B run: what it has not got yet is read from metrics.csv and samples/, what it has is not sent again.

    Args:
        directory: of the run; W&B's files go to `wandb/` in it, its id to `wandb/id`.
        project: the W&B project.
        entity: the user or team; None for the user's own default.
        group: under which W&B gathers the run with others.
        tags: words to filter by.
        notes: a sentence to remember it by.
        mode: `auto` takes WANDB_MODE where it is set, else `online` where an API key is configured and `offline` where
            none is.
        checkpoint_artifact: whether to upload `best.ckpt` when the run is finished.
        patience: seconds that the end of a training waits for the last uploads.
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
        mode: Mode | Literal["auto"] = "auto",
        checkpoint_artifact: bool = False,
        patience: Annotated[float, Field(gt=0)] = 120.0,
    ) -> None:
        super().__init__(directory)
        self.about = {"project": project, "entity": entity, "group": group, "tags": list(tags), "notes": notes}
        self.mode: Mode | Literal["auto"] = mode
        self.checkpoint_artifact, self.patience = checkpoint_artifact, patience
        self._courier: BackgroundWorker | None = None
        self._session: WandbSession | None = None
        self._step, self._row = 0, {}
        self._finished = False

    @property
    def version(self) -> str:
        """The W&B run's id."""
        return run_id(self.run)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Adds to the row of the step."""
        self._add(int(step or 0), dict(metrics))

    @rank_zero_only
    def log_sheet(self, sheet: Sheet) -> None:
        """Adds the pairs of the sheet: the same pair has the same place in every run, so that W&B's panels line up."""
        self._add(sheet.step, sheet_values(sheet))

    @rank_zero_only
    def log_table(self, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        """Adds a table of pictures and their metrics."""
        self._add(step, {"evaluation": list(rows)})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Sends what is left and ends the W&B run. A row that was cut short is left for the resumed training."""
        whole = status == "success"
        if whole:
            self._send_row()
        if self._courier is None and (self._finished or not whole):
            return
        self._hand(lambda session: session.finish(whole=whole, artifact=self.checkpoint_artifact)).finish(self.patience)
        self._courier = self._session = None
        self._finished = whole

    def _add(self, step: int, values: Values) -> None:
        if step != self._step:
            self._send_row()
            self._step = step
        self._row |= values

    def _send_row(self) -> None:
        step, row, self._row = self._step, self._row, {}
        if row:
            self._hand(lambda session: session.log(row, step))

    def _hand(self, errand: Any) -> BackgroundWorker:
        if self._courier is None:
            self._courier = BackgroundWorker("W&B", REMEDY, kill_service)

        def run() -> None:
            if self._session is None:
                self._session = WandbSession(self.run, self.about, self.mode)
            errand(self._session)

        self._courier.submit(run)
        return self._courier
