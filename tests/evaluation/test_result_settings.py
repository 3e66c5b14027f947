"""Which settings keep runs out of one group: those that can change a result."""

import pytest

from pix2pix.evaluation.result_settings import result_settings
from tests.conftest import make_config

EARLY = "{_target_: pytorch_lightning.callbacks.EarlyStopping, monitor: val/l1}"


@pytest.mark.parametrize(
    "words",
    [
        ["name=other", "output_dir=elsewhere", "tags=[paper]", "notes=again", "logger=tensorboard"],
        ["resume=never", "allow_changed_data=true", "data.num_workers=3", "data.cache=off", "data.root=/elsewhere"],
        ["callbacks.checkpoint.every_n_epochs=7", "callbacks.samples.every_n_epochs=7", "~callbacks.samples"],
        ["trainer.enable_progress_bar=false", "trainer.log_every_n_steps=3", "trainer.accelerator=cpu"],
        ["data.batch_size=2", "trainer.devices=2"],
        ["execution.channels_last=true"],
    ],
)
def test_settings_that_cannot_change_a_result_divide_no_group(words):
    usual = make_config("data.batch_size=4") if "data.batch_size=2" in words else make_config()
    assert result_settings(make_config(*words)) == result_settings(usual)


@pytest.mark.parametrize(
    "words",
    [
        ["resume=other/checkpoints/last.ckpt"],
        ["init_from=other"],
        ["trainer.devices=2"],
        ["trainer.devices=-1"],
        ["+trainer.num_nodes=2"],
        ["trainer.max_epochs=3"],
        ["inference.dropout=off"],
        [f"+callbacks.early={EARLY}"],
        ["+callbacks.own={_target_: mylab.Callback}"],
    ],
)
def test_settings_that_can_change_a_result_do(words):
    assert result_settings(make_config(*words)) != result_settings(make_config())
