"""`debug=...`: short runs that use up no name and start anew each time."""

import pytest

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from tests.conftest import TINY, compose_mapping, pix2pix

SMALL = [word for word in TINY if not word.startswith("trainer.")]


def test_debug_runs_use_up_no_name_and_start_anew(tmp_path, capsys):
    words = ["train", *SMALL, f"output_dir={tmp_path}", "name=mine", "debug=fast"]
    pix2pix(*words)
    output = capsys.readouterr()
    assert "Trainable params" in output.out + output.err
    pix2pix(*words)
    assert {path.name for path in (tmp_path / "debug").iterdir()} == {"mine", "mine.before-1"}
    assert not (tmp_path / "mine").exists()
    assert Run(tmp_path / "debug" / "mine").is_finished()


def test_the_report_of_the_profiler_is_shown_and_kept(tmp_path, capsys):
    pix2pix("train", *SMALL, f"output_dir={tmp_path}", "debug=profile", "trainer.limit_train_batches=2")
    output = capsys.readouterr()
    log = (tmp_path / "debug" / "synthetic_facades" / "train.log").read_text()
    for text in (output.out + output.err, log):
        assert "FIT Profiler Report" in text
        assert "Trainable params" in text


def test_one_batch_is_learnt_without_a_checkpoint_after_each_step(tmp_path, capsys):
    words = ["trainer.max_epochs=40", "trainer.log_every_n_steps=20", "optimizer.lr=0.002"]
    pix2pix("train", *SMALL, f"output_dir={tmp_path}", "name=one", "debug=overfit", *words)
    run = Run(tmp_path / "debug" / "one")
    assert not any(run.checkpoints.iterdir())
    early, late = (float(row["loss/g_l1"]) for row in read_metrics(run.path / "metrics.csv") if row["loss/g_l1"])
    assert late < 0.9 * early


def test_a_callback_that_is_set_to_null_is_left_out():
    assert "samples" not in compose_mapping("callbacks.samples=null")["callbacks"]
    assert compose_mapping("logger.tensorboard=null")["logger"].keys() == {"metrics_csv"}


@pytest.mark.parametrize("option", ["fast", "overfit", "profile"])
def test_debug_comes_after_the_experiment_and_before_the_command_line(option):
    config = compose_mapping("experiment=edges2shoes", f"debug={option}")
    assert (config["run_dir"], config["resume"]) == ("outputs/debug/edges2shoes", "never")
    assert config["trainer"]["max_epochs"] in {1, 300}
    assert (
        compose_mapping("experiment=facades", f"debug={option}", "trainer.max_epochs=7")["trainer"]["max_epochs"] == 7
    )
