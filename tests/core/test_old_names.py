"""Names of version 0.1.0 in configurations."""

import pytest

from pix2pix.core.instantiate import locate
from pix2pix.core.old_names import PACKAGES, current_name, update_class_names

OLD = [
    "pix2pix.callbacks.checkpoint.Checkpoints",
    "pix2pix.callbacks.diagnosis.Diagnosis",
    "pix2pix.callbacks.progress.Progress",
    "pix2pix.callbacks.results.Results",
    "pix2pix.callbacks.samples.Samples",
    "pix2pix.callbacks.training_log.TrainingLog",
    "pix2pix.callbacks.watch.Watch",
    "pix2pix.data.derived.DerivedPairs",
    "pix2pix.data.pairs.PairFolder",
    "pix2pix.data.shards.ShardedPairs",
    "pix2pix.data.synthetic.pairs.SyntheticFacades",
    "pix2pix.data.transforms.JitterAndMirror",
    "pix2pix.loggers.metrics_csv.MetricsCsv",
    "pix2pix.loggers.tensorboard.TensorBoard",
    "pix2pix.loggers.weights_and_biases.WeightsAndBiases",
    "pix2pix.losses.CrossEntropy",
    "pix2pix.losses.Hinge",
    "pix2pix.losses.LeastSquares",
    "pix2pix.losses.Objective",
    "pix2pix.losses.Wasserstein",
    "pix2pix.networks.EncoderDecoder",
    "pix2pix.networks.PatchGAN",
    "pix2pix.networks.ResNet",
    "pix2pix.networks.UNet",
    "pix2pix.networks.unet.UNet",
    "pix2pix.several_devices.PlayersTogether",
    "pix2pix.training.PlayersTogether",
    "pix2pix.training.callbacks.Diagnosis",
    "pix2pix.training.callbacks.Progress",
    "pix2pix.training.callbacks.Results",
    "pix2pix.training.callbacks.Watch",
]


@pytest.mark.parametrize("name", OLD)
def test_a_class_is_found_by_its_old_name(name):
    assert locate(name) is locate(current_name(name))
    assert current_name(name) != name
    assert current_name(current_name(name)) == current_name(name)


def test_names_of_others_stay():
    for name in ("torch.optim.Adam", "mylab.losses.Mine", "pix2pix.models.UNet", "pix2pix.lossesX.A", "Adam", ""):
        assert current_name(name) == name
    assert PACKAGES


def test_names_are_replaced_at_any_depth_and_nothing_else():
    tree = {"a": [{"_target_": "pix2pix.losses.Hinge", "name": "pix2pix.losses.Hinge"}], "_target_": "x.Y", "b": None}
    assert update_class_names(tree) == {
        "a": [{"_target_": "pix2pix.models.Hinge", "name": "pix2pix.losses.Hinge"}],
        "_target_": "x.Y",
        "b": None,
    }
