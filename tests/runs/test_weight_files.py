"""Files of weights: what they hold is what was written, or words that name the file."""

import json
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import pix2pix as package
from pix2pix.runs.weight_files import read_safetensors, read_weights, write_safetensors
from tests.conftest import pix2pix


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / "whole.safetensors"
    pix2pix("export", tiny_run.path, "--format", "safetensors", "-o", file)
    return file


def metadata(file) -> dict[str, Any]:
    with safe_open(file, framework="pt") as content:
        return json.loads(content.metadata()["pix2pix"])


def change(exported, folder, about: Any = None, state: Any = None):
    """The exported file with other metadata or other tensors."""
    text = about if isinstance(about, str) else json.dumps(metadata(exported) if about is None else about)
    save_file(load_file(exported) if state is None else state, folder / "other.safetensors", metadata={"pix2pix": text})
    return folder / "other.safetensors"


def refuse(file) -> str:
    with pytest.raises(ValueError, match=file.name) as words:
        package.load_translator(file)
    return str(words.value)


def test_a_changed_value_or_setting_is_found_by_the_checksum(exported, tmp_path):
    data = bytearray(exported.read_bytes())
    data[-2] ^= 0x40
    (tmp_path / "flipped.safetensors").write_bytes(data)
    assert "is damaged: its checksum differs from the one that was written" in refuse(tmp_path / "flipped.safetensors")
    about = metadata(exported)
    about["config"]["inference"]["seed"] = 5
    assert "is damaged" in refuse(change(exported, tmp_path, about))


def test_files_without_a_checksum_load(exported, tmp_path):
    about = metadata(exported)
    about.pop("sha256")
    assert package.load_translator(change(exported, tmp_path, about)).trained.step == about["global_step"]


def test_weights_that_have_two_names_are_written_under_both(tmp_path):
    """A network of the user may use a layer in two places."""
    shared = torch.arange(6.0)
    state = {"a": shared, "b": shared, "c": shared[2:4]}
    write_safetensors(tmp_path / "a.safetensors", state, {}, 3)
    read = read_safetensors(tmp_path / "a.safetensors")["state_dict"]
    assert all(torch.equal(read[f"generator.{name}"], value) for name, value in state.items())


@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool])
def test_what_is_written_is_read(tmp_path, kind):
    state = {"a": torch.arange(6).reshape(2, 3).to(kind), "b": torch.ones((), dtype=kind), "c": torch.zeros(0).to(kind)}
    write_safetensors(tmp_path / "a.safetensors", state, {"näme": 1.5}, 3)
    content = read_safetensors(tmp_path / "a.safetensors")
    assert (content["config"], content["global_step"]) == ({"näme": 1.5}, 3)
    assert all(
        torch.equal(content["state_dict"][f"generator.{name}"], value.float() if value.is_floating_point() else value)
        for name, value in state.items()
    )


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ("{}", "holds no configuration"),
        ("[]", "holds no configuration"),
        ("null", "holds no configuration"),
        ('{"config": {}, "glo', "its configuration cannot be read"),
        ("[" * 10_000, "its configuration cannot be read"),
        ('{"config": {}, "global_step": 1}', "is incomplete, it lacks data, generator, inference"),
        ('{"config": 5, "global_step": 1}', "no mapping of settings"),
        ('{"config": {"a": 1}, "global_step": "x"}', "is no number of steps"),
    ],
    ids=lambda value: value[:20],
)
def test_metadata_that_say_nothing_are_told_in_words(exported, tmp_path, about, words):
    assert words in refuse(change(exported, tmp_path, about))


def test_other_weights_are_told_in_words(exported, tmp_path):
    state, about = load_file(exported), metadata(exported)
    about.pop("sha256")
    first = next(iter(state))
    without = {name: value for name, value in state.items() if name != first}
    assert f"{first} is nothing in the file" in refuse(change(exported, tmp_path, about, without))
    assert "extra is (1,) in the file, nothing in" in refuse(
        change(exported, tmp_path, about, state | {"extra": torch.zeros(1)})
    )
    assert f"{first} is (1,) in the file" in refuse(change(exported, tmp_path, about, state | {first: torch.zeros(1)}))
    nan = {
        name: torch.full_like(value, torch.nan) if value.is_floating_point() else value for name, value in state.items()
    }
    assert "NaN or infinite" in refuse(change(exported, tmp_path, about, nan))


@pytest.mark.parametrize(
    "content",
    [
        5,
        [],
        {"config": {}, "state_dict": {}},
        {"config": {}, "state_dict": [], "global_step": 1},
        {"config": {}, "state_dict": {"a": 1}, "global_step": 1},
        {"config": {}, "state_dict": {5: torch.zeros(1)}, "global_step": 1},
        {"config": {}, "state_dict": {"a": torch.zeros(1, device="meta")}, "global_step": 1},
        {"config": {}, "state_dict": {"a": torch.zeros(2, 2).to_sparse()}, "global_step": 1},
        {"config": {}, "state_dict": {"a": torch.zeros(1).expand(10**6)}, "global_step": 1},
        {"config": {}, "state_dict": {}, "global_step": None},
        {"config": {"a": torch.zeros(1)}, "state_dict": {}, "global_step": 1},
        {"config": None, "state_dict": {}, "global_step": 1},
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_checkpoint_of_other_things_is_told_in_words(tmp_path, content):
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt"):
        read_weights(tmp_path / "a.ckpt")
