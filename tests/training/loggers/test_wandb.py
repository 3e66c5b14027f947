"""W&B, for real and offline: its own files are read back with its own tool."""

import json
import os
import re
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from wandb.util import get_core_path

from pix2pix.config.compose import compose_command_line
from pix2pix.config.identity import flatten
from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from pix2pix.runs.sample_sheets import read_sheets
from pix2pix.runs.wandb_id import run_id
from pix2pix.training.loggers.wandb import WeightsAndBiases
from tests.conftest import TINY, command, compose_mapping, pix2pix, start_command, wait_until

OFFLINE = ["logger=wandb", "logger.wandb.mode=offline"]


@pytest.fixture(autouse=True)
def _no_account(monkeypatch, tmp_path):
    """No account, settings or cache of this machine's."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))


def records(run: Run) -> list[dict]:
    """What W&B wrote for the run, in the order in which `wandb sync` would upload the pieces."""
    found = []
    for piece in sorted((run.path / "wandb").glob("*run-*/run-*.wandb")):
        tool = [get_core_path(), "leet", "inspect", "--no-observability", "--json"]
        tool += ["--run-file", str(piece), str(piece.parent)]  # as `wandb leet inspect` does
        lines = subprocess.run(tool, capture_output=True, text=True, check=False).stdout.splitlines()
        found += [json.loads(line) for line in lines if line.startswith("{")]
    return found


def history(run: Run) -> list[dict]:
    return [record["history"]["item"] for record in records(run) if record["type"] == "history"]


def test_an_offline_run_holds_what_is_promised(tmp_path):
    words = [
        "tags=[small,drawn]",
        "notes=a word, or two",
        "callbacks.training_log.gradient_norms=true",
    ]
    result = command(
        "train", *TINY, *OFFLINE, *words, f"run_dir={tmp_path}/sweep/one", "logger.wandb.checkpoint_artifact=true"
    )
    assert result.returncode == 0, result.stderr
    assert f"wandb sync {tmp_path}/sweep/one/wandb/" in result.stdout
    run = Run(tmp_path / "sweep" / "one")
    about = next(record["run"] for record in records(run) if record["type"] == "run")
    assert (about["project"], about["run_group"], about["display_name"]) == ("pix2pix", "sweep", "one")
    assert (about["tags"], about["notes"]) == (["small", "drawn"], "a word, or two")
    assert about["job_type"] == "train"
    assert about["run_id"] == (run.path / "wandb" / "id").read_text().strip()
    config = about["config"]["update"]
    assert config["discriminator"]["receptive_field"] == 16
    assert config["provenance"]["data_fingerprint"] == run.provenance()["data_fingerprint"]
    rows = history(run)
    assert [row["_step"] for row in rows] == [4, 6, 8, 12]
    logged = {"loss/d_real", "loss/g_l1", "lr/generator", "accuracy/d_real", "accuracy/d_fake", "images_per_second"}
    logged |= {"gradient_norm/generator", "gradient_norm/discriminator"}
    assert logged <= rows[0].keys()
    assert {"val/l1", "val/ssim"} <= rows[1].keys()
    last = rows[-1]
    assert last["samples/val.captions"] == rows[1]["samples/val.captions"] == ["val_0000", "val_0001", "val_0002"]
    (files,) = (run.path / "wandb").glob("offline-run-*/files")
    assert all((files / name).is_file() for name in last["samples/val.filenames"])
    table = json.loads((files / last["evaluation.path"]).read_text())
    assert table["columns"] == ["pair", "input", "output", "target", "l1", "l2", "psnr", "ssim"]
    assert [row[0] for row in table["data"]] == ["val_0000", "val_0001", "val_0002"]
    artifacts = [record["artifact"] for record in records(run) if record["type"] == "artifact"]
    assert any("best" in artifact["aliases"] for artifact in artifacts)


def test_a_killed_and_resumed_run_has_one_history_without_gap_or_doubled_step(tmp_path):
    """Killed with SIGKILL, W&B loses what it had not written yet: it is sent again from metrics.csv and samples/."""
    words = ["train", *TINY, *OFFLINE, f"output_dir={tmp_path}", "name=run", "trainer.max_epochs=3"]
    run = Run(tmp_path / "run")
    with start_command(*words) as process:
        wait_until((run.path / "samples" / "val_epoch0001.png").exists, process)
    pix2pix_id = (run.path / "wandb" / "id").read_text() if (run.path / "wandb" / "id").exists() else None
    result = command(*words)
    assert result.returncode == 0, result.stderr
    assert pix2pix_id in {None, (run.path / "wandb" / "id").read_text()}
    rows = history(run)
    written = read_metrics(run.path / "metrics.csv")
    assert [row["_step"] for row in rows] == sorted({int(line["step"]) for line in written})
    for name in ("loss/g_l1", "val/ssim"):
        here = [float(line[name]) for line in written if line[name]]
        assert [row[name] for row in rows if name in row] == pytest.approx(here, rel=1e-5)
    assert [row["_step"] for row in rows if "samples/val.count" in row] == [6, 12, 18]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dead_or_hanging_service_never_stops_the_training(tmp_path, number):
    words = ["train", *TINY, *OFFLINE, f"output_dir={tmp_path}", "name=run", "logger.wandb.patience=2"]
    with start_command(*words, "trainer.max_epochs=8") as process:
        wait_until(lambda: list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")), process)
        (service,) = children(process.pid, "wandb-core")
        os.kill(service, number)
        output, complaints = process.communicate(timeout=300)
    assert process.returncode == 0
    assert output.count("W&B failed") == 1
    assert "Traceback" not in complaints
    assert Run(tmp_path / "run").is_finished()
    assert len({row["step"] for row in read_metrics(tmp_path / "run" / "metrics.csv")}) == 16


def children(pid: int, name: str) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid), name], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def test_without_a_network_the_run_is_logged_offline_and_no_key_is_left_behind(tmp_path, monkeypatch):
    key = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    result = command("train", *TINY, "logger=wandb", f"output_dir={tmp_path}", "name=run")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("W&B cannot be reached") == 1
    assert [row["_step"] for row in history(Run(tmp_path / "run"))] == [4, 6, 8, 12]
    assert key not in result.stdout + result.stderr
    files = [file for file in (tmp_path / "run").rglob("*") if file.is_file()]
    assert len(files) > 10
    assert all(key.encode() not in file.read_bytes() for file in files)


def test_without_a_key_offline_is_the_default_and_said_once(tmp_path):
    result = command("train", *TINY, "logger=wandb", f"output_dir={tmp_path}", "name=run", "trainer.max_epochs=1")
    assert result.stdout.count("no API key is configured") == 1
    assert len(history(Run(tmp_path / "run"))) == 2


def test_a_sitting_that_logs_one_step_or_none_reaches_wandb_too(run):
    """As the first thing anybody tries does, and a run that was stopped just before its end."""
    (run.path / "metrics.csv").write_text("step,loss/g_l1\n4,1\n6,2\n")
    first, second, third = (WeightsAndBiases(str(run.path), mode="offline") for _ in range(3))
    first.log_metrics({"loss/g_l1": 2.0}, 6)
    first.finalize("failed")  # whatever else belonged to step 6 was cut short
    assert history(run) == []
    second.finalize("success")
    second.finalize("success")
    rows = [(row["_step"], row["loss/g_l1"]) for row in history(run) if "loss/g_l1" in row]
    assert rows == [(4, 1), (6, 2)]
    third.log_metrics({"loss/g_l1": 3.0}, 13)
    third.finalize("success")
    assert [row["_step"] for row in history(run) if "loss/g_l1" in row] == [4, 6, 13]
    assert len(list((run.path / "wandb").glob("offline-run-*"))) == 2


def test_loggers_are_no_part_of_what_a_run_is(tiny_run, capsys):
    pix2pix("train", *TINY, f"output_dir={tiny_run.path.parent}", "name=tiny", "logger=none")
    assert "is finished; nothing to do" in capsys.readouterr().out


def test_a_run_that_an_agent_starts_goes_by_the_id_it_was_given(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_RUN_ID", "r77")
    assert run_id(Run(tmp_path / "alone")) != "r77"  # of a sweep's agent only
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    run = Run(tmp_path / "of_an_agent")
    assert run_id(run) == "r77"
    monkeypatch.setenv("WANDB_RUN_ID", "r78")
    assert run_id(run) == "r77"


def test_the_recipe_for_agents_gives_each_run_its_own_name(monkeypatch):
    from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

    page = (Path(__file__).parents[3] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    recipe = yaml.safe_load(re.search(r"```yaml\n(method: bayes.*?)```", page, re.DOTALL)[1])
    monkeypatch.setenv("WANDB_RUN_ID", "r77")
    command_of_agent = create_sweep_command(recipe["command"])
    arguments = create_sweep_command_args({"args": {"optimizer.lr": {"value": 0.001}}})
    # as `wandb agent` puts the arguments in
    words = [
        each
        for word in command_of_agent
        for each in (arguments["args_no_hyphens"] if word == "${args_no_hyphens}" else [word])
    ]
    assert words[:2] == ["pix2pix", "train"]
    config = compose_command_line(words[2:])
    assert (config["run_dir"], config["optimizer"]["lr"]) == ("outputs/agent_r77", 0.001)
    assert set(recipe["parameters"]) <= {key for key, _ in flatten(config)}


def test_runs_of_a_sweep_share_a_group_and_one_alone_has_none():
    assert compose_mapping("logger=wandb", "name=a")["logger"]["wandb"]["group"] is None
    in_sweep = compose_mapping("logger=wandb", "name=a", "run_dir='outputs/field/discriminator=pixel'")
    assert in_sweep["logger"]["wandb"]["group"] == "field"
    assert yaml.safe_load(yaml.safe_dump(in_sweep)) == in_sweep


def test_a_sheet_within_an_epoch_waits_for_numbers_of_earlier_steps(run):
    """A number that a callback logs at step 3 is sent with the next row, after the sheet of step 5 was made."""
    logger = WeightsAndBiases(str(run.path), mode="offline")
    sheet = next(read_sheets(run.path / "samples"))
    logger.log_metrics({"loss/g_l1": 2.0}, 2)
    logger.log_sheet(replace(sheet, step=5))
    for step in (3, 8):
        logger.log_metrics({"rare": 1.0}, step)
    logger.log_sheet(replace(sheet, step=9))
    logger.finalize("success")
    rows = {row["_step"]: row for row in history(run)}
    assert list(rows) == [2, 3, 5, 8, 9]
    assert [step for step in rows if f"samples/{sheet.kind}.count" in rows[step]] == [5, 9]
