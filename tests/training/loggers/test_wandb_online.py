"""W&B online: its own client talks to a stand-in for its service, `wandb_service.py`."""

import pytest

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.runs.wandb_id import run_id
from tests.conftest import TINY, command, start_command, wait_until
from tests.training.loggers.wandb_service import ReceivedRun, WandbService

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef0123456789abcdef01234567"
WORDS = ["train", *TINY, "logger=wandb", "name=run", "trainer.max_epochs=3"]


@pytest.fixture
def service(monkeypatch, tmp_path):
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with WandbService() as started:
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("WANDB_BASE_URL", started.url)
        yield started
        assert started.unknown == set()


def require_whole(received: ReceivedRun, run: Run) -> None:
    """The service has every row of the run, once, with its numbers and its pictures."""
    written = read_metrics(run.path / "metrics.csv")
    rows = received.rows()
    assert [row["_step"] for row in rows] == sorted({int(line["step"]) for line in written})
    for name in ("loss/g_l1", "val/ssim"):
        here = [float(line[name]) for line in written if line[name]]
        assert [row[name] for row in rows if name in row] == pytest.approx(here, rel=1e-5)
    named = {file for row in rows for file in (row.get("samples/val") or {}).get("filenames", [])}
    assert len(named) == 3 * len([line for line in written if line["val/ssim"]])  # three pairs each
    assert named <= received.files.keys()


def test_rows_and_pictures_of_an_online_run_arrive(service, tmp_path):
    result = command(*WORDS, f"output_dir={tmp_path}")
    assert result.returncode == 0, result.stderr
    run = Run(tmp_path / "run")
    received = service.runs[run_id(run)]
    require_whole(received, run)
    assert received.exit_code == 0
    assert KEY not in result.stdout + result.stderr


def test_a_killed_and_resumed_run_is_one_online_run_without_gap_or_doubled_step(service, tmp_path):
    run = Run(tmp_path / "run")
    with start_command(*WORDS, f"output_dir={tmp_path}", cold=True) as process:
        wait_until(lambda: any(len(received.lines) > 1 for received in service.runs.values()), process)
    result = command(*WORDS, f"output_dir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert list(service.runs) == [run_id(run)]
    require_whole(service.runs[run_id(run)], run)


def test_a_service_that_is_away_costs_the_training_nothing_and_gets_all_when_the_run_is_resumed(service, tmp_path):
    run = Run(tmp_path / "run")
    words = [*WORDS, f"output_dir={tmp_path}", "trainer.max_epochs=25"]
    with start_command(*words, "logger.wandb.patience=3", cold=True) as process:
        wait_until(lambda: service.runs, process)
        service.is_up.clear()
        wait_until(run.resume_checkpoints, process)
        process.terminate()
        _, complaints = process.communicate(timeout=300)
    assert process.returncode == 143, complaints
    service.is_up.set()
    result = command(*words)
    assert result.returncode == 0, result.stderr
    require_whole(service.runs[run_id(run)], run)
