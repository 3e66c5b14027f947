"""The W&B id of a run, stored in its directory."""

import os
import secrets

from pix2pix.core.atomic_files import write_text_atomic
from pix2pix.runs.run import Run


def run_id(run: Run) -> str:
    """The id of the W&B run, stored in the run: given by the agent of a W&B sweep, else drawn once."""
    file = run.path / "wandb" / "id"
    # The agent of a W&B sweep has chosen the id, and expects the run under it. Elsewhere WANDB_RUN_ID says nothing.
    agent_id = os.environ.get("WANDB_RUN_ID") if os.environ.get("WANDB_SWEEP_ID") else None
    if not file.is_file():
        write_text_atomic(file, (agent_id or secrets.token_hex(4)) + "\n")
    return file.read_text(encoding="utf-8").strip()
