"""Logs to Trackio, on this machine or in a Hugging Face Space."""

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from pix2pix.training.loggers.base import RunLogger


class Trackio(RunLogger):
    """Logs every number by the training step. A resumed run continues the newest Trackio run of its name.

    Rows that a killed session had sent after its last checkpoint are sent again, with the same numbers.

    Args:
        directory: the run.
        project: the Trackio project.
        group: the Trackio group of the run.
        space: the Space that shows the project, USER/NAME; None for this machine.
    """

    kind = "trackio"

    def __init__(
        self, directory: str, *, project: str = "pix2pix", group: str | None = None, space: str | None = None
    ) -> None:
        super().__init__(directory)
        try:
            import trackio
        except ModuleNotFoundError as error:
            raise ValueError("logger=trackio needs a package: pip install trackio") from error
        self._trackio: Any = trackio
        self.about = {"project": project, "group": group, "space_id": space}
        self.settings: dict[str, Any] = {}
        self._session: Any = None

    @rank_zero_only
    def log_hyperparams(self, settings: Mapping[str, Any], *_args: Any, **_kwargs: Any) -> None:
        """Keeps the settings of the run for its first row."""
        self.settings = dict(settings)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Sends a row."""
        if self._session is None:
            resume = "allow" if self.run.resume_checkpoints() else "never"
            options = {"name": self.run.path.name, "config": self.settings, "resume": resume}
            quiet = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
            self._session = self._trackio.init(**self.about, **options, **quiet)
        self._session.log(dict(metrics), step=step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Waits until all rows are sent."""
        if self._session is not None:
            self._trackio.finish()  # of the package: its session would be ended again when the program exits
            self._session = None
