"""What is read from a file builds classes of pix2pix and of trusted modules, and nothing else runs."""

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import pix2pix as package
from pix2pix.core import trust, trusted_modules
from pix2pix.core.trust import UntrustedError, require_trusted
from pix2pix.core.trusted_modules import read_trusted_modules, trusted_modules_file
from pix2pix.data.pair import PairSource
from pix2pix.data.transforms import PairTransform
from pix2pix.export.export import SUFFIXES
from pix2pix.models.objective import Objective
from pix2pix.training.callbacks.checkpoint import Checkpoints
from pix2pix.web.demo.runs import load_runs
from pix2pix.web.demo.sample_pictures import find_samples
from tests.conftest import TINY, pix2pix

OWN = """
import torch
from subprocess import Popen, run
from torch import nn
from pix2pix.data.sources.synthetic.pairs import SyntheticFacades
from pix2pix.data.transforms import JitterAndMirror
from pix2pix.models import UNet


class Net(UNet):
    pass


def make_net(depth: int) -> nn.Module:
    return UNet(depth=depth)


def make_anything(**options):
    return UNet()


def make_text() -> str:
    return ""


class Any(nn.Module):
    def __init__(self, inner=None, **others):
        super().__init__()


class Helper:
    pass


class Pairs(SyntheticFacades):
    pass


class View(JitterAndMirror):
    pass
"""
MARK = "touched"


@pytest.fixture
def mylab(tmp_path, monkeypatch):
    """A module of the user's own, and one whose name begins like it."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mylab.py").write_text(OWN)
    (tmp_path / "own" / "mylab2.py").write_text(OWN)
    (tmp_path / "own" / "loud.py").write_text(f"open({str(tmp_path / MARK)!r}, 'w')\n{OWN}")
    monkeypatch.syspath_prepend(tmp_path / "own")
    yield "mylab"
    for name in ("mylab", "mylab2", "loud"):
        sys.modules.pop(name, None)


def popen(folder: Path) -> dict[str, Any]:
    return {"_target_": "subprocess.Popen", "args": ["touch", str(folder / MARK)]}


UNET = {"_target_": "pix2pix.models.UNet", "depth": 4}
STRANGE = [
    {"_target_": "subprocess.Popen", "args": ["true"]},
    {"_target_": "os.system", "command": "true"},
    {"_target_": "torch.nn.Identity"},
    {"_target_": "torch.hub.load", "repo_or_dir": "a/b", "model": "c"},
    {"_target_": "pix2pix.cli.logging.FileHandler", "filename": "x"},
    {"_target_": "pix2pix.runs.sweep.subprocess.Popen", "args": ["true"]},
    {"_target_": "pix2pix.inference.generator.torch.hub.load"},
    {"_target_": "pix2pix.models.unet.nn.Identity"},
    {"_target_": "pix2pix.models.unet.Tensor"},
    {"_target_": "pix2pix.runs.run.Run", "path": "x"},
    {"_target_": "pix2pix.runs.sweep.Job"},
    {"_target_": "pix2pix.core.instantiate.build"},
    {"_target_": "pix2pix.__builtins__.open"},
    {"_target_": "pix2pix/../evil.Net"},
    {"_target_": "pix2pix..evil.Net"},
    {"_target_": "pix2pix2.Net"},
    {"_target_": "builtins.eval"},
    {"_target_": "UNet"},
    {"_target_": ""},
    {"_target_": 5},
    {"_target_": None},
    {"_target_": ["subprocess.Popen"]},
    {"_target_": {"_target_": "subprocess.Popen"}},
    {**UNET, "norm": {"_target_": "subprocess.Popen", "args": ["true"]}},
    {**UNET, "norm": {"_target_": "pix2pix.models.UNet"}},
    {**UNET, "norm": [{"_target_": "subprocess.Popen", "args": ["true"]}]},
    {**UNET, "norm": {"a": [{"b": {"_target_": "pix2pix.models.UNet"}}]}},
    {**UNET, "note": {"_target_": "subprocess.Popen", "args": ["true"]}},
    {**UNET, "_partial_": True},
    {**UNET, "_args_": [1]},
    {**UNET, "_recursive_": False},
    {**UNET, "_convert_": "all"},
    {**UNET, 5: 5},
    {**UNET, "depth": "${oc.env:HOME}"},
    [UNET],
    "pix2pix.models.UNet",
    None,
]


@pytest.mark.parametrize("node", STRANGE, ids=lambda node: json.dumps(node)[:70])
def test_nothing_but_components_of_pix2pix_is_built_of_a_file(node):
    with pytest.raises(UntrustedError, match=r"a\.ckpt: its configuration is not built"):
        trust.build_trusted(node, "generator", nn.Module, source="a.ckpt")


def test_components_of_pix2pix_are_built_with_those_that_their_annotations_name():
    assert isinstance(trust.build_trusted(UNET, "generator", nn.Module, source="a.ckpt"), nn.Module)
    hinge = {"_target_": "pix2pix.models.Hinge"}
    node = {"_target_": "pix2pix.models.Objective", "adversarial": hinge}
    assert trust.build_trusted(node, "objective", Objective, source="a.ckpt").adversarial is not None
    with pytest.raises(UntrustedError, match="must be a AdversarialLoss"):
        trust.build_trusted(node | {"adversarial": node}, "objective", Objective, source="a.ckpt")


def test_a_foreign_module_is_not_even_imported(mylab, tmp_path):
    for node in ({"_target_": "loud.Net"}, {**UNET, "norm": {"_target_": "loud.Net"}}):
        with pytest.raises(UntrustedError):
            require_trusted(node, "generator", nn.Module, source="a.ckpt", trust=["mylab"])
    assert "loud" not in sys.modules
    assert not (tmp_path / MARK).exists()


def test_the_refusal_names_the_class_the_rule_and_the_option():
    with pytest.raises(UntrustedError) as error:
        require_trusted({"_target_": "mylab.nets.Net"}, "generator", nn.Module, source="a.ckpt")
    for words in ("generator._target_=mylab.nets.Net", "classes of pix2pix only", "--trust mylab.nets", "trust=["):
        assert words in str(error.value)


def judge(*trusted: str, **node: Any) -> str:
    try:
        require_trusted(node, "generator", nn.Module, source="a.ckpt", trust=trusted)
    except UntrustedError as refused:
        return str(refused)
    return "built"


def test_a_trusted_module_covers_itself_and_no_name_like_it(mylab):
    assert judge("mylab", _target_="mylab.Net", depth=4) == "built"
    assert "--trust mylab2" in judge("mylab", _target_="mylab2.Net", depth=4)
    assert "--trust mylab" in judge("mylab.nets", _target_="mylab.Net", depth=4)
    assert "mylab.Popen, of subprocess" in judge("mylab", _target_="mylab.Popen")
    assert "cannot import 'mylab.os.Net'" in judge("mylab", _target_="mylab.os.Net")
    assert "must be a Module" in judge("mylab", _target_="mylab.Helper")


def test_a_trusted_class_that_takes_anything_takes_trusted_classes_only(mylab):
    assert judge("mylab", _target_="mylab.Any", inner={"_target_": "mylab.Helper"}) == "built"
    assert judge("mylab", _target_="mylab.Any", other={"_target_": "pix2pix.models.UNet"}) == "built"
    assert "must be a Module" in judge("mylab", _target_="mylab.Any", other={"_target_": "pix2pix.runs.run.Run"})
    for inner in (popen(Path()), {"_target_": "mylab.Any", "x": popen(Path())}):
        assert "subprocess.Popen" in judge("mylab", _target_="mylab.Any", other=inner)
        for place in ([inner], {"a": [1, {"b": inner}]}):
            assert "subprocess.Popen" in judge("mylab", _target_="mylab.Any", other=place)
    assert judge("mylab", _target_="mylab.Any", other={"a": [{"_target_": "mylab.Helper"}]}) == "built"
    assert "must be a Module" in judge("mylab", _target_="mylab.Any", other=[{"_target_": "pix2pix.runs.run.Run"}])


def test_a_function_of_a_file_is_called_only_if_it_is_trusted_and_says_what_it_makes(mylab):
    assert judge("mylab", _target_="mylab.make_net", depth=4) == "built"
    assert "--trust mylab" in judge(_target_="mylab.make_net", depth=4)
    assert "is a function that does not say what it returns" in judge("mylab", _target_="mylab.make_anything")
    assert "must be a Module" in judge("mylab", _target_="mylab.make_text")
    assert "not a class of pix2pix or" in judge("mylab", _target_="mylab.run", args=["true"])
    assert "not a class of pix2pix or" in judge(_target_="pix2pix.models.initialise")


@pytest.mark.parametrize("name", ["", "my lab", "mylab/../x", ".mylab", "a..b", "5"])
def test_what_is_no_module_cannot_be_trusted(name):
    with pytest.raises(ValueError, match="no module name"):
        require_trusted(UNET, "generator", nn.Module, source="a.ckpt", trust=[name])


@pytest.mark.parametrize(
    "config", [None, [], {"a": object()}, {"a": torch.zeros(1)}, {"a": {1: b""}}], ids=lambda value: str(value)[:20]
)
def test_a_configuration_is_plain_values(config):
    with pytest.raises(ValueError, match=r"^a\.ckpt: .*configuration"):
        trust.require_plain_settings(config, "a.ckpt")


def test_a_configuration_that_unfolds_without_end_is_not_read():
    around: dict[str, Any] = {}
    around["around"] = around
    doubled: Any = ["lol"]
    for _ in range(25):
        doubled = [doubled, doubled]
    for config in (around, {"a": doubled}):
        with pytest.raises(ValueError, match="larger than any of pix2pix"):
            trust.require_plain_settings(config, "a.ckpt")


# Whole commands


def rewritten(run, **changes: Any) -> Path:
    """The run with another configuration in its checkpoints, as somebody else may hand it on."""
    for name in ("best", "last"):
        file = run.checkpoint(name)
        content = torch.load(file, weights_only=True)
        for key, value in changes.items():
            group, _, part = key.partition("__")
            content["config"][group] = content["config"][group] | {part: value} if part else value
        file.unlink()
        torch.save(content, file)
    (run.checkpoints / "SHA256SUMS").unlink()
    run.config_file.write_text(yaml.safe_dump(content["config"]))
    return run.path


def commands(run: Path, folder: Path) -> list[list[Any]]:
    picture = folder / "a.png"
    Image.new("RGB", (32, 32), "red").save(picture)
    return [
        ["translate", run, picture, "-o", folder / "out"],
        ["translate", run / "checkpoints" / "best.ckpt", picture, "-o", folder / "out"],
        ["evaluate", run],
        ["export", run, "--format", "safetensors"],
    ]


@pytest.mark.parametrize("part", ["generator", "data__source", "data__transform"])
def test_no_command_runs_what_a_foreign_run_names(run, tmp_path, part, caplog):
    node = popen(tmp_path) if part != "generator" else {"_target_": "torch.nn.Identity", "note": popen(tmp_path)}
    foreign = rewritten(run, **{part: node})
    reached = commands(foreign, tmp_path) if part == "generator" else [["evaluate", foreign]]
    for words in reached:
        with pytest.raises(SystemExit, match=r"(?s)(last|best)\.ckpt: its configuration is not built.*--trust"):
            pix2pix(*words)
    with caplog.at_level(logging.ERROR):
        pix2pix("compare", foreign, "-o", tmp_path / "comparison.html")
    assert "its configuration is not built" in caplog.text
    if part != "generator":
        find_samples(load_runs([foreign])[0])
        assert "its configuration is not built" in caplog.text
    assert not (tmp_path / MARK).exists()


def test_other_data_open_nothing_that_a_foreign_run_names(run, tmp_path):
    pairs = tmp_path / "pairs" / "val"
    pairs.mkdir(parents=True)
    Image.new("RGB", (64, 32), "red").save(pairs / "1.png")
    source = {"_target_": "pix2pix.data.PairFolder", "path": "elsewhere", "folders": popen(tmp_path)}
    foreign = rewritten(run, data__source=source)
    with pytest.raises(SystemExit, match="its configuration is not built"):
        pix2pix("evaluate", str(foreign), "--data", str(pairs.parent))
    assert not (tmp_path / MARK).exists()


def test_a_foreign_safetensors_file_runs_nothing(tiny_run, tmp_path):
    config = tiny_run.config().to_mapping()
    for name, generator in {"nest": config["generator"] | {"norm": popen(tmp_path)}, "whole": popen(tmp_path)}.items():
        about = {"config": config | {"generator": generator}, "global_step": 1}
        save_file({"x": torch.zeros(1)}, tmp_path / f"{name}.safetensors", metadata={"pix2pix": json.dumps(about)})
        with pytest.raises(ValueError, match=rf"{name}\.safetensors: its configuration is not built"):
            package.load_translator(tmp_path / f"{name}.safetensors")
    assert not (tmp_path / MARK).exists()


def test_own_classes_load_when_they_are_trusted_by_name(run, mylab, tmp_path):
    foreign = rewritten(run, generator=run.config().generator | {"_target_": "mylab.Net"})
    with pytest.raises(UntrustedError, match="--trust mylab"):
        package.load_translator(foreign)
    assert package.load_translator(foreign, trust=["mylab"]).trained.trust == ("mylab",)
    words = commands(foreign, tmp_path)
    with pytest.raises(SystemExit, match="--trust mylab"):
        pix2pix(*words[0])
    for each in words:
        pix2pix(*each, "--trust", "mylab")
    assert not read_trusted_modules()


def test_ones_own_training_notes_its_modules(mylab, tmp_path):
    own = ["generator._target_=mylab.Net", "data.source._target_=mylab.Pairs", "data.transform._target_=mylab.View"]
    words = ["train", *TINY, *own, "trainer.max_epochs=1", "logger=csv", f"output_dir={tmp_path}", "name=mine"]
    pix2pix(*words)
    assert read_trusted_modules() == {"mylab"}
    assert trusted_modules_file().is_relative_to(tmp_path)
    for each in commands(tmp_path / "mine", tmp_path):
        pix2pix(*each)
    pix2pix("train", *TINY, "trainer.max_epochs=1", "logger=csv", f"output_dir={tmp_path}", "name=ours")
    assert read_trusted_modules() == {"mylab"}
    trusted_modules_file().unlink()
    with pytest.raises(SystemExit, match="--trust mylab"):
        pix2pix("evaluate", tmp_path / "mine")
    pix2pix(*words)  # nothing to do, but these are one's own words
    assert read_trusted_modules() == {"mylab"}


def test_where_nothing_can_be_noted_the_training_goes_on(mylab, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PIX2PIX_TRUSTED_MODULES", str(tmp_path / "file" / "trusted_modules"))
    trusted_modules.remember_modules({"generator": {"_target_": "mylab.Net"}})
    assert "--trust mylab" in caplog.text


def test_notes_are_added_to_and_rubbish_is_no_module(mylab):
    trusted_modules_file().parent.mkdir(parents=True)
    trusted_modules_file().write_text("# mine\nother.lab\n../x\n\n")
    trusted_modules.remember_modules(
        {"a": {"_target_": "mylab.Net"}, "b": {"_target_": "torch.optim.Adam"}, "c": popen(Path())}
    )
    assert read_trusted_modules() == {"other.lab", "mylab"}
    assert {path.name for path in trusted_modules_file().parent.iterdir()} <= {
        "trusted_modules",
        ".trusted_modules.lock",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"generator": {"_target_": "subprocess.Popen", "args": ["true"]}},
        {"callbacks": {"x": {"_target_": "subprocess.Popen", "args": ["true"]}}},
        {"hydra": {"callbacks": {"x": {"_target_": "subprocess.Popen", "args": ["true"]}}}},
        {"defaults": ["/somewhere"]},
        {"name": "${oc.env:HOME}"},
        {"optimizer": {"generator": {"_target_": "torch.optim.lr_scheduler.torch.hub.load"}}},
    ],
    ids=str,
)
@pytest.mark.parametrize("command", [["train"], ["data", "preview"]], ids="-".join)
def test_a_foreign_config_yaml_is_judged_before_it_is_composed(run, tmp_path, change, command):
    run.config_file.write_text(yaml.safe_dump(run.config().to_mapping() | change))
    with pytest.raises(SystemExit, match=r"config\.yaml: no training is made of it"):
        pix2pix(*command, "--config-dir", run.path, "--config-name", "config", "name=b", f"run_dir={tmp_path / 'b'}")


def test_a_run_is_trained_again_from_its_own_config_yaml(tiny_run, tmp_path):
    words = ["--config-dir", tiny_run.path, "--config-name", "config", "name=b", f"run_dir={tmp_path / 'b'}"]
    pix2pix("train", *words, "trainer.max_epochs=1")
    assert (tmp_path / "b" / "config.yaml").is_file()


def test_an_evaluation_writes_nowhere_but_into_the_run(run, tmp_path):
    shutil.rmtree(run.evaluation, ignore_errors=True)
    (tmp_path / "elsewhere" / "val").mkdir(parents=True)
    (tmp_path / "elsewhere" / "val" / "precious").touch()
    run.evaluation.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match="leads out of the run"):
        pix2pix("evaluate", run.path)
    assert (tmp_path / "elsewhere" / "val" / "precious").exists()


@pytest.mark.parametrize("kind", ["web", "safetensors"])
def test_an_export_writes_nowhere_but_into_the_run(run, tmp_path, kind):
    name = f"{run.path.name}{SUFFIXES[kind]}"
    (tmp_path / "elsewhere").mkdir()
    (run.path / "exported").mkdir()
    (run.path / "exported" / name).symlink_to(tmp_path / "elsewhere" / ("" if kind == "web" else "a"))
    with pytest.raises(SystemExit, match="leads out of the run"):
        pix2pix("export", run.path, "--format", kind)
    assert not any((tmp_path / "elsewhere").iterdir())


def test_every_kind_that_is_built_of_a_file_is_judged_by_its_kind():
    for kind in (PairSource, PairTransform):
        with pytest.raises(UntrustedError, match=f"must be a {kind.__name__}"):
            require_trusted(UNET, "data.source", kind, source="a.ckpt")


def test_a_demo_asks_no_server_that_a_file_names(run, monkeypatch):
    import fsspec.core

    asked = []
    monkeypatch.setattr(fsspec.core, "url_to_fs", asked.append)
    pairs = {"_target_": "pix2pix.data.ShardedPairs", "path": "https://example.org/shards"}
    foreign = rewritten(run, data__source=pairs)
    assert len(find_samples(load_runs([foreign])[0])) == 3  # of the run's own sheet
    assert not asked


def test_a_checkpoint_names_no_files_elsewhere():
    checkpoints = Checkpoints()
    checkpoints.load_state_dict({"best": 1.0, "names": ["best.ckpt", "epoch=3.ckpt", "../../x.ckpt", "/x/best.ckpt"]})
    assert checkpoints.names == ["best.ckpt", "epoch=3.ckpt"]
