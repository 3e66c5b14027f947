"""Errors of run directories that need several sentences."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def other_data_error(run: Path, reason: str) -> ValueError:
    """The error for pairs that differ from those that the run was trained on."""
    return ValueError(
        f"{run}: was trained on other data than these: {reason}. Give this run a name of its own, name=..., "
        "restore the data, or continue with these: allow_changed_data=true."
    )


def unusable_config_error(file: Path, reason: str, checkpoints: Sequence[Path]) -> ValueError:
    """The error for a config.yaml that cannot be used; `checkpoints` are those that the run can resume from."""
    other = f" Or continue it under another name: name=... resume={checkpoints[0]}." if checkpoints else ""
    return ValueError(
        f"{file}: {reason}. Restore a copy; each checkpoint holds the same configuration, under "
        f"`config`.{other} Or start over with resume=never: the old run is renamed."
    )


def no_run_error(folder: Path, checkpoints: Sequence[Path]) -> ValueError:
    """The error for a folder of other files, or of a run that has lost its configuration but not its checkpoints."""
    if checkpoints:
        return unusable_config_error(folder / "config.yaml", "is missing, and the run has checkpoints", checkpoints)
    return ValueError(f"{folder}: holds files but no run. Choose another name=..., or move them elsewhere.")


def damaged_checkpoints_error(run: Path, checkpoints: Iterable[Path]) -> ValueError:
    """The error for a run of whose checkpoints none can be resumed from."""
    return ValueError(
        f"{run}: its checkpoints are damaged ({', '.join(path.name for path in checkpoints)}), so the run "
        f"cannot be resumed. Restore a copy; or resume from another checkpoint, such as {run}/checkpoints/best.ckpt: "
        "resume=PATH; or start over with resume=never, which renames this run."
    )
