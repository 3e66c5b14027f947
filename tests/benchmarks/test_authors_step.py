"""A checkout of the authors' repository can be the reference of the benchmark."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from benchmarks.authors_step import AuthorsStep, describe_reference
from benchmarks.reference_step import ReferenceStep, patchgan, unet
from pix2pix.models import PatchGAN, UNet
from pix2pix.models.losses import CrossEntropy
from pix2pix.models.objective import Objective
from pix2pix.models.reference_weights import convert_reference_weights
from pix2pix.training.step import pix2pix_step
from tests.training.test_module import updater

ROOT = Path(__file__).parents[2]
CHECKOUT = os.environ.get("PIX2PIX_AUTHORS_CHECKOUT", "")
needs_checkout = pytest.mark.skipif(not CHECKOUT, reason="PIX2PIX_AUTHORS_CHECKOUT names no clone of the authors' code")
STAND_IN = {
    "models/__init__.py": "",
    "util/__init__.py": "",
    "util/image_pool.py": "class ImagePool: ...",
    "models/networks.py": """
from benchmarks.reference_step import unet

def UnetGenerator(input_nc, output_nc, num_downs, ngf, use_dropout):
    return unet(num_downs, ngf, dropout=0.5 if use_dropout else 0.0)

def init_net(net, gpu_ids):
    return net
""",
    "models/pix2pix_model.py": """
import torch
from benchmarks.reference_step import ReferenceStep, patchgan, unet
from util.image_pool import ImagePool
from . import networks

class Pix2PixModel:
    def __init__(self, opt):
        depth = {"unet_256": 8, "unet_128": 7}[opt.netG]
        self.netG, self.netD = unet(depth, opt.ngf, dropout=0.0 if opt.no_dropout else 0.5), patchgan(base=opt.ndf)
        self.optimizer_G = torch.optim.Adam(self.netG.parameters(), lr=opt.lr, betas=(opt.beta1, 0.999))
        self.step = None

    def set_input(self, input):
        self.pair = input["A"], input["B"]

    def optimize_parameters(self):
        if self.step is None:
            self.step = ReferenceStep(self.netG, self.netD)
            self.step.optimizer_g = self.optimizer_G
        self.losses = self.step(*self.pair)

    def get_current_losses(self):
        return self.losses
""",
}


@pytest.fixture
def stand_in(tmp_path) -> Path:
    for name, text in STAND_IN.items():
        file = tmp_path / "checkout" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "checkout"


@pytest.fixture(autouse=True)
def _forget_the_checkout(monkeypatch):
    """Two checkouts have modules of the same names."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"models", "util"}:
            del sys.modules[name]


def import_benchmark(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("benchmark")


def require_equal_losses(checkout: Path, size: int) -> None:
    """Three steps of a checkout, of our copy of its algorithm, and of ours, from the same weights, without dropout."""
    torch.manual_seed(0)
    depth = min(size.bit_length() - 1, 8)
    authors = AuthorsStep(checkout, size, "cpu", base=8, dropout=False)
    generators = unet(depth, 8, dropout=0.0), UNet(base_channels=8, depth=depth, dropout=0.0)
    discriminators = patchgan(base=8), PatchGAN(6, base_channels=8)
    for theirs, networks in ((authors.model.netG, generators), (authors.model.netD, discriminators)):
        for network in networks:
            network.load_state_dict(convert_reference_weights(theirs.state_dict(), network))
    source, target = torch.rand(2, 2, 3, size, size) * 2 - 1
    copy = ReferenceStep(generators[0], discriminators[0])
    updates = updater(generators[1], fused=True), updater(discriminators[1], fused=True)
    for _ in range(3):
        expected = authors(source, target)
        assert set(expected) == {"G_GAN", "G_L1", "D_real", "D_fake"}
        assert copy(source, target) == pytest.approx(expected, rel=1e-3)
        parts = generators[1], discriminators[1], Objective(CrossEntropy())
        losses = pix2pix_step(source, target, *parts, *updates)["losses"]
        ours = {name: losses[name.lower()].item() * (100 if name == "G_L1" else 1) for name in expected}
        assert ours == pytest.approx(expected, rel=1e-3)


@needs_checkout
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad:UserWarning")  # they read losses so
@pytest.mark.parametrize("size", [64, 128, 256])
def test_three_steps_have_the_losses_of_the_authors_code(size):
    require_equal_losses(Path(CHECKOUT), size)


@pytest.mark.parametrize("size", [64, 128])
def test_three_steps_have_the_losses_of_a_checkout(stand_in, size):
    require_equal_losses(stand_in, size)


def test_losses_are_read_as_seldom_as_asked(stand_in):
    step, pair = AuthorsStep(stand_in, 32, "cpu", base=4, read_every=2), torch.rand(2, 2, 3, 32, 32)
    assert [len(step(*pair)) for _ in range(4)] == [0, 4, 0, 4]


def test_the_benchmark_measures_a_checkout_and_says_which_one(stand_in, tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", stand_in], check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", stand_in, *words], check=True)
    commit = subprocess.check_output(["git", "-C", stand_in, "rev-parse", "HEAD"], text=True).strip()
    (stand_in / "models" / "__init__.py").write_text("print('imported from the checkout')\n")
    file = tmp_path / "result.json"
    words = ["--what", "step", "--sizes", "32", "--sides", "reference", "--rounds", "2", "--steps", "1"]
    words += ["--threads", "1", "--reference", str(stand_in), "--json", str(file)]
    monkeypatch.setattr(sys, "argv", ["benchmark.py", *words])
    import_benchmark(monkeypatch).main()
    content = json.loads(file.read_text())
    assert content["reference"] == {"code": str(stand_in), "commit": commit, "changed": True}
    assert content["results"]["step"][0]["sides"]["reference"]["ms"]["median"] > 0


def test_without_a_checkout_the_reference_is_our_copy_and_without_git_there_is_no_commit(stand_in):
    assert describe_reference(None) == {"code": "benchmarks/reference_step.py"}
    assert describe_reference(stand_in) == {"code": str(stand_in), "commit": None, "changed": None}


def test_what_cannot_be_the_reference_is_refused(stand_in, tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit, match="at least 32 a side"):
        AuthorsStep(stand_in, 16, "cpu")
    with pytest.raises(SystemExit, match=r"no models/pix2pix_model\.py: --reference takes a clone of https://github"):
        AuthorsStep(tmp_path, 64, "cpu")
    (stand_in / "util" / "image_pool.py").write_text("import dominate_that_nobody_has\n")
    with pytest.raises(SystemExit, match=r"package dominate_that_nobody_has is missing.* -m pip install dominate_that"):
        AuthorsStep(stand_in, 64, "cpu")
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--check", "step.json", "--reference", str(stand_in)])
    with pytest.raises(SystemExit):
        import_benchmark(monkeypatch).main()
    assert "leave out --reference" in capsys.readouterr().err
