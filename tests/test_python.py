"""The public functions and classes, as a script or a notebook uses them."""

import warnings
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from PIL import Image
from torch.utils.data import DataLoader

import pix2pix
from pix2pix.models import LeastSquares, Objective, PatchGAN, UNet, initialise
from pix2pix.training import Optimization
from tests.conftest import TINY
from tests.small import fit, module


def test_every_public_name_can_be_imported():
    assert [name for name in pix2pix.__all__ if not hasattr(pix2pix, name)] == []


def test_a_script_trains_measures_compares_and_translates(tmp_path):
    run = pix2pix.train([*TINY, f"output_dir={tmp_path}", "name=first"])
    assert run.path == tmp_path / "first"
    rows = list_of_rows(run.metrics())
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})  # a row for each step
    assert {"loss/g_l1", "val/l1"} <= {name for row in rows for name in row}

    result = pix2pix.evaluate(run.path, split="test")
    assert result.folder == run.path / "evaluation" / "test"
    assert 0 < result.totals["l1"] < 2

    config = run.config().replace(seed=2, name="second", run_dir=str(tmp_path / "second"))
    other = pix2pix.train(config)
    table = list_of_rows(pix2pix.compare([run, other.path], page=tmp_path / "page.html").table())
    assert [(row["seed"], "l1" in row) for row in table] == [(0, True), (2, True)]
    assert (tmp_path / "page.html").is_file()
    assert pix2pix.load_translator(other.path)(Image.new("RGB", (32, 32))).size == (32, 32)


def list_of_rows(table) -> list[dict]:
    return table if isinstance(table, list) else table.to_dict("records")


def test_a_table_is_a_data_frame_where_pandas_is_installed():
    pandas = pytest.importorskip("pandas")
    from pix2pix.core.tables import make_table

    assert isinstance(make_table([{"step": 1}]), pandas.DataFrame)


def test_a_misspelt_setting_is_refused_in_the_words_of_the_command_line(tmp_path):
    with pytest.raises(ValueError, match=r"did you mean base_channels\?"):
        pix2pix.train([*TINY, f"output_dir={tmp_path}", "generator.base_chanels=4"])
    with pytest.raises(TypeError, match="Give a list of words"):
        pix2pix.train("experiment=demo")


def test_own_groups_of_settings_are_found(tmp_path):
    (tmp_path / "my configs" / "generator").mkdir(parents=True)
    (tmp_path / "my configs" / "generator" / "small.yaml").write_text(
        "_target_: pix2pix.models.UNet\nin_channels: 3\nout_channels: 3\ndepth: 2\n"
    )
    # The words of TINY are for the U-Net of this package, so that only the depth is another.
    words = [*TINY, f"output_dir={tmp_path}", "name=own", "generator=small", "trainer.max_epochs=1"]
    words = [word for word in words if word != "generator.base_channels=4"]
    run = pix2pix.train([*words, "+generator.base_channels=4"], config_dir=tmp_path / "my configs")
    assert run.config().generator["depth"] == 2


IMAGES = torch.rand(4, 2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
TUPLES = [(source, target) for source, target in IMAGES]
DICTIONARIES = [{"source": source, "target": target} for source, target in IMAGES]


def adversarial_module(**options) -> pix2pix.Pix2Pix:
    networks = UNet(depth=2, base_channels=4), PatchGAN(6, receptive_field=16, base_channels=4)
    for network in networks:
        initialise(network)
    adam = partial(torch.optim.Adam, lr=2e-4, betas=(0.5, 0.999))
    optimization = Optimization({"generator": adam, "discriminator": adam})
    return pix2pix.Pix2Pix(*networks, Objective(LeastSquares(), gan_weight=1, l1_weight=100), optimization, **options)


def train_plainly(model: pl.LightningModule, pairs, folder) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, default_root_dir=folder, **quiet)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        trainer.fit(model, DataLoader(pairs, 2), DataLoader(pairs, 2))
    return trainer


@pytest.mark.parametrize("pairs", [TUPLES, DICTIONARIES], ids=["tuples", "dictionaries"])
def test_a_plain_trainer_takes_pairs_and_logs_the_losses(pairs, tmp_path):
    trainer = train_plainly(adversarial_module(), pairs, tmp_path)
    logged = trainer.callback_metrics
    assert {"loss/d_real", "loss/d_fake", "loss/g_gan", "loss/g_l1", "val/l1"} <= logged.keys()
    assert trainer.global_step == 2


def test_a_batch_that_is_no_pair_is_refused_in_words(tmp_path):
    with pytest.raises(TypeError, match=r"the keys \['photo'\].*`source` and `target`"):
        train_plainly(adversarial_module(), [{"photo": source} for source, _ in TUPLES], tmp_path)


def test_a_checkpoint_of_a_plain_trainer_loads_with_the_arguments_of_the_constructor(tmp_path):
    trained = module()
    fit(trained, max_epochs=1).save_checkpoint(tmp_path / "plain.ckpt")
    arguments = {"generator": torch.nn.Conv2d(3, 3, 1), "discriminator": None, "objective": Objective(None)}
    loaded = pix2pix.Pix2Pix.load_from_checkpoint(tmp_path / "plain.ckpt", **arguments, optimization=Optimization({}))
    assert torch.equal(loaded.generator.weight, trained.generator.weight)


def test_a_checkpoint_of_a_run_loads_by_itself_and_trains_on(tiny_run, tmp_path):
    loaded = pix2pix.Pix2Pix.load_from_checkpoint(tiny_run.last_checkpoint)
    saved = torch.load(tiny_run.last_checkpoint, weights_only=True)["state_dict"]
    assert all(torch.equal(value, saved[name]) for name, value in loaded.state_dict().items())
    train_plainly(loaded, TUPLES, tmp_path)
    assert not all(torch.equal(value, saved[name]) for name, value in loaded.state_dict().items())


def test_a_foreign_checkpoint_builds_no_class_that_is_not_trusted(tiny_run, tmp_path):
    content = torch.load(tiny_run.last_checkpoint, weights_only=True)
    content["config"]["objective"]["_target_"] = "mylab.losses.Own"
    torch.save(content, tmp_path / "foreign.ckpt")
    with pytest.raises(ValueError, match=r"objective.*mylab.losses.Own"):
        pix2pix.Pix2Pix.load_from_checkpoint(tmp_path / "foreign.ckpt")
