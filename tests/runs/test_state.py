"""Whether a run is running, stopped, failed or finished, how far it is, and what it said last."""

import json
import os

import pytest

from pix2pix.runs.directory_lock import lock_directory
from pix2pix.runs.run import Run
from pix2pix.runs.state import RunState, format_duration, read_state


def state_of(run: Run) -> RunState:
    return read_state(run, run.config(), run.provenance())


def reopen(run: Run, **session: object) -> None:
    """The run as it is while its last session lasts, or after that was killed."""
    provenance = run.provenance()
    provenance["sessions"][-1] |= session
    run.provenance_file.write_text(json.dumps(provenance | {"finished": False}))


def test_a_finished_run_is_finished(tiny_run):
    assert state_of(tiny_run).describe() == "finished"


def test_a_killed_run_is_stopped_at_its_epoch(run):
    reopen(run)
    assert state_of(run).describe() == "stopped, epoch 2 of 2"


def test_a_run_that_holds_its_directory_is_running_and_has_so_much_time_left(run):
    header, *rows = (run.path / "metrics.csv").read_text().splitlines()
    first = [row for row in rows if row.split(",")[1] == "1"]  # six of twelve steps
    (run.path / "metrics.csv").write_text("\n".join([header, *first]) + "\n")
    began = "2026-01-01T00:00:00+00:00"
    reopen(run, started=began)
    os.utime(run.path / "metrics.csv", (1767225600 + 60, 1767225600 + 60))  # a minute after it began
    with lock_directory(run.path):
        state = state_of(run)
        assert (state.kind, state.epoch, state.epochs, state.step) == ("running", 1, 2, 6)
        assert state.seconds_left == pytest.approx(60)
        assert state.describe() == "running, epoch 1 of 2, 1:00 left"
    assert state_of(run).kind == "stopped"
    with lock_directory(run.path):  # asking left no lock behind
        pass


@pytest.mark.parametrize(
    ("log", "kind", "words"),
    [
        (
            "--- pix2pix train\n2026 ERROR The training ended with an error.\nTraceback (most recent call last):\n"
            "  File x\nRuntimeError: the loss is not finite\n",
            "failed",
            "RuntimeError: the loss is not finite",
        ),
        ("--- pix2pix train\n2026 ERROR The training ended with an error.\n--- pix2pix train\nok\n", "stopped", ""),
        ("--- pix2pix train\n2026 INFO Stopped. Run the same command again\n", "stopped", ""),
    ],
)
def test_the_error_is_that_of_the_last_session(run, log, kind, words):
    reopen(run)
    (run.path / "train.log").write_text(log)
    state = state_of(run)
    assert (state.kind, state.error) == (kind, words)


def test_a_run_of_a_sweep_that_failed_before_it_had_a_log_says_why(run):
    reopen(run)
    (run.path / "train.log").unlink(missing_ok=True)
    (run.path.parent / "logs").mkdir()
    (run.path.parent / "logs" / f"{run.path.name}.log").write_text("pix2pix: data.path=x: no such folder.\n")
    assert state_of(run).describe() == "failed, epoch 2 of 2: data.path=x: no such folder."


def test_durations_are_read_as_on_a_clock():
    assert [format_duration(seconds) for seconds in (0, 62, 3723.4)] == ["0:00", "1:02", "1:02:03"]
