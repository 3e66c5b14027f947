"""Damage is found whenever weights are read."""

import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

import pix2pix as package
from pix2pix.core.integrity import require_intact
from tests.conftest import TINY, pix2pix


def flip_bit(file: Path, name: str = "generator.") -> Path:
    """The file with one bit of the exponent of one weight flipped."""
    state = torch.load(file, weights_only=True)["state_dict"]
    weight = next(value for key, value in state.items() if key.startswith(name) and value.ndim == 4)
    data = bytearray(file.read_bytes())
    data[bytes(data).index(weight.contiguous().numpy().tobytes()[:64]) + 3] ^= 0x40
    file.unlink()  # it may have other names
    file.write_bytes(data)
    return file


@pytest.mark.parametrize("sums", [True, False], ids=["with checksums", "copied without"])
def test_one_flipped_bit_is_said_by_every_command_that_reads_it(run, tmp_path, sums):
    if not sums:
        (run.checkpoints / "SHA256SUMS").unlink()
    flip_bit(run.checkpoint("last"))
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    commands = [["translate", run.path, tmp_path / "a.png", "-o", tmp_path / "out"], ["evaluate", run.path]]
    commands += [["export", run.path, "--format", "safetensors"], ["demo", run.path, "--no-browser"]]
    for words in commands:
        with pytest.raises(SystemExit, match=r"last\.ckpt is damaged"):
            pix2pix(*words)
    with pytest.raises(ValueError, match=r"last\.ckpt is damaged"):
        package.load_translator(run.path)


def test_a_training_does_not_begin_with_damaged_weights(run, tmp_path):
    file = flip_bit(run.checkpoint("last"))
    words = ["train", *TINY, f"output_dir={tmp_path}", "logger=csv"]
    for setting in (f"init_from={run.path}", f"init_from={file}", f"resume={file}"):
        with pytest.raises(SystemExit, match=r"last\.ckpt is damaged"):
            pix2pix(*words, f"name={setting.partition('=')[0]}_{setting.endswith('ckpt')}", setting)


def test_a_run_copied_without_its_checksums_loads(run):
    (run.checkpoints / "SHA256SUMS").unlink()
    assert package.load_translator(run.path).trained.step > 0


def test_checksums_of_the_first_version_which_had_no_names_are_read(run):
    sums = run.checkpoints / "SHA256SUMS"
    sums.write_text("".join(f"{line.split()[0]}\n" for line in sums.read_text().splitlines()))
    package.load_translator(run.path)
    flip_bit(run.checkpoint("last"))
    with pytest.raises(ValueError, match="is damaged"):
        package.load_translator(run.path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_cut_short_is_named(tiny_run, tmp_path, share):
    whole = tiny_run.checkpoint("last").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"cut\.ckpt is damaged"):
        package.load_translator(tmp_path / "cut.ckpt")


def test_a_small_file_that_unpacks_to_a_large_one_is_not_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10**7))
    with pytest.raises(ValueError, match=r"bomb\.ckpt is damaged: its entries are packed"):
        require_intact(tmp_path / "bomb.ckpt")


def test_files_that_are_no_zip_have_no_sums_of_their_own(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    require_intact(tmp_path / "old.pth")
