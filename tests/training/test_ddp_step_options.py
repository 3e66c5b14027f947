"""The options of the training step in trainings by two processes."""

import pytest

from tests.conftest import TINY, pix2pix, weights
from tests.training.test_ddp import ONE_BATCH, SHARED_BATCH, TWO, Run, assert_close, assert_equal, read_numbers, run_by

pytestmark = pytest.mark.slow

MEANS = ["training_step.r1_weight=1", "training_step.r1_every=2", "ema_decay=0.9", "ema_warmup=true"]
"""Options whose numbers are means over pairs, so that it does not matter which process has a pair."""
OPTIONS = {
    "several steps of D": ["training_step.discriminator_steps=2"],
    "parts": ["training_step.micro_batches=2", "training_step.discriminator_steps=2"],
}
DRAWN = ["training_step.augmentation=[color,translation,cutout]", "training_step.micro_batches=2", *MEANS]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_two_processes_train_with_the_options_as_one_that_has_all_pairs_of_a_step(tmp_path, options):
    words = [*options, *MEANS]
    pix2pix("train", *ONE_BATCH, *words, f"output_dir={tmp_path}", "name=one")
    one, two = Run(tmp_path / "one"), run_by([*SHARED_BATCH, *TWO, *words], tmp_path, "two")
    assert_close(one, two)
    assert any(name.startswith("average.") for name in weights(two))
    for ours, theirs in zip(read_numbers(two), read_numbers(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-6)


def test_two_processes_that_draw_augmentations_go_on_bit_for_bit(tmp_path):
    words = [*TINY, *TWO, *DRAWN, "discriminator.norm=instance"]
    unbroken = run_by([*words, "trainer.max_steps=5"], tmp_path, "unbroken")
    for steps in (2, 5):
        run_by([*words, f"trainer.max_steps={steps}"], tmp_path, "stopped")
    assert_equal(unbroken, Run(tmp_path / "stopped"))
