"""A flag that is a setting is answered with the setting."""

import pytest

from pix2pix.cli.flags import require_settings
from tests.conftest import pix2pix


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (["--optimizer.lr=0.0001"], "optimizer.lr=0.0001"),
        (["--batch_size", "4"], "data.batch_size=4"),
        (["--batch-size=4"], "data.batch_size=4"),
        (["--data.path", "my pairs"], "data.path='my pairs'"),
        (["--dataroot", "pairs", "seed=1"], "data.path=pairs"),
        (["--n_epochs", "seed=1"], "trainer.max_epochs=VALUE"),
        (["--netG", "unet"], "generator=unet"),
        (["--data", "folder"], "data=folder"),
        (["--norm", "instance"], "generator.norm=instance or discriminator.norm=instance"),
        (["--derection=BtoA"], "data.direction=BtoA"),
    ],
)
def test_a_setting_with_dashes_is_shown_without(words, setting):
    with pytest.raises(SystemExit) as end:
        pix2pix("train", *words)
    assert str(end.value.code).splitlines()[1].strip() == setting


def test_a_flag_that_means_nothing_is_answered_with_how_settings_are_written():
    with pytest.raises(SystemExit, match=r"--foo: there is no such option.*data\.batch_size=4"):
        pix2pix("train", "--foo=3")


def test_the_flags_of_hydra_pass():
    require_settings(["-m", "--cfg", "job", "--config-dir=x", "--multi", "--help", "seed=1", "-cd", "x"])
