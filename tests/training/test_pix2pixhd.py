"""pix2pixHD's recipe, one experiment: it trains, and with everything that a step can do."""

import pytest

from pix2pix.runs.metrics import read_metrics
from pix2pix.runs.run import Run
from tests.conftest import noise_pairs, pix2pix, weights

SMALL = [
    *("data.size=96", "generator.base_channels=2", "generator.blocks=1", "discriminator.base_channels=2"),
    *("trainer.max_epochs=2", "trainer.log_every_n_steps=2", "data.batch_size=2"),
]
OPTIONS = [
    *("training_step.augmentation=[color,translation,cutout]", "training_step.r1_weight=1", "training_step.r1_every=2"),
    *("training_step.pool_size=3", "training_step.micro_batches=2", "discriminator.spectral_norm=true"),
]


@pytest.mark.parametrize("options", [[], OPTIONS], ids=["recipe", "with options"])
def test_the_recipe_trains_every_scale_by_its_losses_and_a_rate_that_falls(tmp_path, options):
    pairs = noise_pairs(tmp_path / "pairs", 4)
    words = ["experiment=pix2pixhd", f"data.path={pairs}", f"output_dir={tmp_path}", "data.num_workers=0"]
    pix2pix("train", *words, *SMALL, *options)
    run = Run(tmp_path / "pix2pixhd")
    first, last = (row for row in read_metrics(run.path / "metrics.csv") if row.get("loss/g_gan"))
    assert {"loss/d_real", "loss/d_fake", "loss/g_gan", "loss/g_feature_matching"} < first.keys()
    assert "loss/g_l1" not in first
    assert float(last["lr/generator"]) < float(first["lr/generator"])
    scales = {name.split(".")[2] for name in weights(run) if name.startswith("discriminator.scales.")}
    assert scales == {"0", "1", "2"}
