"""Pairs that are edited in place are noticed though they keep their size; data that are touched or copied go on."""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix.data import inventory
from pix2pix.data.inventory import describe_edits, record_inventory
from pix2pix.data.pair import PairSource
from pix2pix.data.sources.derived import DerivedPairs
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.shards import ShardedPairs
from pix2pix.data.sources.synthetic.pairs import SyntheticFacades
from pix2pix.datasets.write_shards import write_shards
from tests.conftest import TINY_FOLDER, pix2pix

SIZES = {"height": 32, "width": 32, "load_height": 32, "load_width": 32}


def draw(file: Path, seed: int) -> None:
    """A picture of noise whose size in bytes is always the same: BMP, TIFF and .npy are not compressed."""
    pixels = np.random.default_rng(seed).integers(256, size=(32, 64, 3)).astype(np.uint8)
    if file.suffix == ".npy":
        np.save(file, pixels)
    else:
        Image.fromarray(pixels).save(file)


def folder(at: Path, suffix: str = ".bmp", count: int = 8) -> PairSource:
    for split, number in (("train", count), ("val", 2)):
        (at / split).mkdir(parents=True, exist_ok=True)
        for i in range(number):
            draw(at / split / f"{i}{suffix}", i)
    return PairFolder(str(at))


def derive(at: Path) -> PairSource:
    folder(at)
    return DerivedPairs(str(at), operation="grayscale", **SIZES)


def shards(at: Path) -> PairSource:
    folder(at / "pairs")
    write_shards(PairFolder(str(at / "pairs")), at / "shards", megabytes=1)
    return ShardedPairs(str(at / "shards"))


SOURCES: dict[str, Callable[[Path], PairSource]] = {
    **{suffix: lambda at, suffix=suffix: folder(at, suffix) for suffix in (".bmp", ".tif", ".npy")},
    "derived": derive,
    "shards": shards,
}


def files_of(source: PairSource) -> list[Path]:
    found = source.inventory()
    return [found.path(number) for number in range(len(found.dates))]


def change(file: Path, *, content: bool) -> None:
    """Gives the file another date, and on request turns a byte over; its size stays."""
    if content:
        held = bytearray(file.read_bytes())
        held[-1] ^= 1
        file.write_bytes(held)
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("how_many", ["one", "all"])
def test_an_edit_in_place_is_noticed_and_another_date_alone_is_none(tmp_path, kind, how_many, caplog):
    source, noted = SOURCES[kind](tmp_path / "data"), tmp_path / "data_files.npz"
    files = files_of(source) if how_many == "all" else files_of(source)[1:2]
    assert files
    before = source.inventory()
    record_inventory(noted, before, anew=True)
    assert describe_edits(noted, source.inventory()) == ""
    for file in files:
        change(file, content=False)
    with caplog.at_level(logging.INFO):
        assert describe_edits(noted, source.inventory()) == ""
    assert f"{len(files)} data files have another date; {len(files)} were read, and are unchanged" in caplog.text
    for file in files:
        change(file, content=True)
    assert source.inventory().fingerprint == before.fingerprint
    message = describe_edits(noted, source.inventory())
    assert message.startswith(f"edited in place, at the same size: {files[0]}")
    assert message.endswith(f" and {len(files) - 3} more") == (len(files) > 3)


def test_a_copy_of_the_data_is_the_same_data(tmp_path):
    noted = tmp_path / "data_files.npz"
    record_inventory(noted, folder(tmp_path / "data").inventory(), anew=True)
    shutil.copytree(tmp_path / "data", tmp_path / "copy", copy_function=shutil.copy)
    assert describe_edits(noted, PairFolder(str(tmp_path / "copy")).inventory()) == ""


def test_files_that_were_found_the_same_are_not_read_again(tmp_path, monkeypatch):
    source, noted = folder(tmp_path / "data"), tmp_path / "data_files.npz"
    record_inventory(noted, source.inventory(), anew=True)
    for file in files_of(source):
        change(file, content=False)
    monkeypatch.setattr(inventory, "_hash_file", lambda file: pytest.fail(f"{file} was read"))
    record_inventory(noted, source.inventory(), anew=False)
    assert describe_edits(noted, source.inventory()) == ""


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 30_000), ("MAX_FILES", 4)])
def test_of_a_large_set_a_part_is_read_and_the_rest_cannot_be_edited_unnoticed(tmp_path, monkeypatch, limit, value):
    monkeypatch.setattr(inventory, limit, value)  # of ten files of 6 kB each
    source, noted = folder(tmp_path / "data"), tmp_path / "data_files.npz"
    record_inventory(noted, source.inventory(), anew=True)
    with np.load(noted) as content:
        known = set(content["numbers"].tolist())
    assert len(known) == 4
    files = files_of(source)
    unknown = next(number for number in range(10) if number not in known)
    change(files[unknown], content=True)
    assert "of another date, without a record of their content: " in describe_edits(noted, source.inventory())
    for file in files:
        change(file, content=False)
    assert (
        describe_edits(noted, source.inventory()) == ""
    )  # all were touched, or copied: what is known of them is the same
    for file in files:
        change(file, content=True)
    assert describe_edits(noted, source.inventory()).endswith(" and 1 more")


def test_what_is_noted_of_other_files_or_cannot_be_read_tells_nothing(tmp_path, caplog):
    source, noted = folder(tmp_path / "data"), tmp_path / "data_files.npz"
    assert describe_edits(noted, source.inventory()) == ""  # a run of an earlier version has noted nothing
    record_inventory(noted, source.inventory(), anew=True)
    draw(tmp_path / "data" / "train" / "99.bmp", 3)
    assert describe_edits(noted, PairFolder(str(tmp_path / "data")).inventory()) == ""  # the fingerprint tells
    noted.write_bytes(noted.read_bytes()[:100])
    assert describe_edits(noted, source.inventory()) == ""
    assert "data_files.npz cannot be read" in caplog.text


def test_pairs_that_are_drawn_have_no_files(tmp_path):
    record_inventory(tmp_path / "data_files.npz", SyntheticFacades(**SIZES).inventory(), anew=True)
    assert list(tmp_path.iterdir()) == []


def test_the_fingerprint_is_that_of_earlier_versions(tmp_path):
    source = folder(tmp_path / "data", count=1)
    lines = sorted(f"{file.relative_to(tmp_path / 'data')} {file.stat().st_size}" for file in files_of(source))
    assert source.fingerprint() == hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_a_run_whose_pairs_were_edited_in_place_is_refused_unless_it_is_allowed(tmp_path):
    data = tmp_path / "pairs"
    folder(data, count=4)
    words = ["train", *TINY_FOLDER, f"data.path={data}", f"output_dir={tmp_path}", "name=run", "data.num_workers=0"]
    pix2pix(*words, "trainer.max_epochs=1")
    for file in data.rglob("*.bmp"):
        change(file, content=False)
    pix2pix(*words, "trainer.max_epochs=2")
    change(data / "train" / "1.bmp", content=True)
    with pytest.raises(SystemExit, match=r"other data than these: edited in place, at the same size: .*1\.bmp\."):
        pix2pix(*words, "trainer.max_epochs=3")
    pix2pix(*words, "trainer.max_epochs=3", "allow_changed_data=true")
    pix2pix(*words, "trainer.max_epochs=3")


def test_a_pipe_among_the_files_is_not_waited_for(tmp_path):
    source = folder(tmp_path / "data")
    (tmp_path / "data" / "train" / "3.bmp").unlink()
    os.mkfifo(tmp_path / "data" / "train" / "3.bmp")
    record_inventory(tmp_path / "data_files.npz", source.inventory(), anew=True)
    assert (tmp_path / "data_files.npz").exists()
