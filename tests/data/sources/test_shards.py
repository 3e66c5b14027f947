"""Shards: the same pairs as in the folder they were made from, from wherever they lie."""

import base64
import json
import os
import shutil
import signal
import tarfile
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from webdataset.tariterators import group_by_keys, tar_file_expander

from benchmarks.remote_shards import serve_late
from pix2pix.core.randomness import epoch_order, windowed_order
from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.samplers import EpochBatches
from pix2pix.data.sources import remote_files
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.shards import ShardedPairs
from pix2pix.data.training_loader import collate_list
from pix2pix.data.transforms import JitterAndMirror
from pix2pix.datasets import write_shards as sharding
from pix2pix.datasets.write_shards import write_shards
from pix2pix.runs.run import Run
from tests.conftest import DATASETS, command, needs_datasets, pix2pix, same_pairs, same_weights
from tests.data.serving import FolderServer


def noise(path: Path, size: tuple[int, int], seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Twelve training and three validation pairs of noise, side by side, 16x12 each."""
    for split, count in (("train", 12), ("val", 3)):
        for number in range(count):
            noise(tmp_path / "pairs" / split / f"{number}.png", (32, 12), seed=100 * len(split) + number)
    return tmp_path / "pairs"


@pytest.fixture
def several(folder, tmp_path, monkeypatch) -> Path:
    """The same in four training shards of three pairs, and one of validation."""
    monkeypatch.setattr(sharding, "MEGABYTE", 6200)
    write_shards(PairFolder(str(folder)), tmp_path / "shards", megabytes=1)
    return tmp_path / "shards"


def test_names_with_any_sign_are_the_same_in_shards(tmp_path):
    """A backslash is a sign like others here; on Windows no file can have it."""
    names = ["a.b", "a%2Eb", "%5C", "a\\b", "%", "ü", "a\nb", "-a", "~", "a=b,c"]
    for number, name in enumerate(names):
        noise(tmp_path / "pairs" / "train" / f"{name}.png", (16, 8), seed=number)
        noise(tmp_path / "pairs" / "val" / f"{name}.png", (16, 8), seed=number)
    source = PairFolder(str(tmp_path / "pairs"))
    write_shards(source, tmp_path / "shards")
    assert same_pairs(ShardedPairs(str(tmp_path / "shards")).split("train"), source.split("train"))


def read_by_webdataset(*shards: Path) -> list[dict]:
    """Their samples as WebDataset's own reader groups them; it leaves closing the files to us."""
    with ExitStack() as stack:
        streams = [{"url": str(shard), "stream": stack.enter_context(shard.open("rb"))} for shard in shards]
        return list(group_by_keys(tar_file_expander(streams)))


def test_shards_hold_the_pairs_of_the_folder(folder, several):
    assert sorted(file.name for file in several.glob("*.tar")) == [
        *(f"train-00000{number}.tar" for number in range(4)),
        "val-000000.tar",
    ]
    how = {"direction": "BtoA", "val_share": None}
    ours, theirs = ShardedPairs(str(several), **how), PairFolder(str(folder), **how)
    for split in ("train", "val", "test"):
        assert same_pairs(ours.split(split), theirs.split(split))


def test_webdataset_reads_them(several, folder):
    samples = read_by_webdataset(*sorted(several.glob("train-*.tar")))
    assert [sample["__key__"] for sample in samples] == [str(number) for number in range(12)]
    assert [sample["ab.png"] for sample in samples] == [
        (folder / "train" / f"{number}.png").read_bytes() for number in range(12)
    ]


def test_two_folders_and_names_with_dots_and_long_ones_come_back(tmp_path):
    names = ["v1.2", "v1.3", "50%2E", "x" * 150, "Straße 1"]
    for number, name in enumerate(names):
        noise(tmp_path / "pairs" / "trainA" / f"{name}_A.png", (8, 6), number)
        noise(tmp_path / "pairs" / "trainB" / f"{name}_B.tiff", (8, 6), 100 + number)
    source = PairFolder(str(tmp_path / "pairs"))
    write_shards(source, tmp_path / "shards")
    ours = ShardedPairs(str(tmp_path / "shards"))
    assert same_pairs(ours.split("train"), source.split("train"))
    assert same_pairs(ours.split("val"), source.split("val"))
    samples = read_by_webdataset(tmp_path / "shards" / "train-000000.tar")
    assert len(samples) == len(ours.split("train"))
    assert all({"a.png", "b.tiff"} <= sample.keys() for sample in samples)


def test_pairs_of_several_inputs_and_deep_pixels_come_back(tmp_path):
    folders = {"A": {"mask": 1, "photo": 3}, "B": "depth"}
    for number in range(3):
        for folder in ("mask", "photo"):
            noise(tmp_path / "pairs" / folder / f"{number}.png", (8, 6), number)
        (tmp_path / "pairs" / "depth").mkdir(exist_ok=True)
        np.save(tmp_path / "pairs" / "depth" / f"{number}.npy", np.full((6, 8), number, dtype=np.uint16))
    how = {"folders": folders, "source_channels": 4, "target_channels": 1, "target_depth": 16}
    source = PairFolder(str(tmp_path / "pairs"), **how)
    words = ["--a", "mask", "--a", "photo", "--b", "depth"]
    pix2pix("data", "shard", tmp_path / "pairs", tmp_path / "shards", *words)
    ours = ShardedPairs(str(tmp_path / "shards"), **how).split("train")
    assert same_pairs(ours, source.split("train"))
    assert ours[1].source.shape == (4, 6, 8)
    assert ours[1].target.dtype == torch.uint16


def test_equal_pairs_make_equal_shards(folder, several, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "train" / "3.png").touch()
    write_shards(PairFolder(str(tmp_path / "copy")), tmp_path / "again", megabytes=1, workers=1)
    assert {file.name: file.read_bytes() for file in several.iterdir()} == {
        file.name: file.read_bytes() for file in (tmp_path / "again").iterdir()
    }


def test_stopped_halfway_the_same_call_goes_on(folder, several, tmp_path, monkeypatch):
    whole = {file.name: file.read_bytes() for file in several.iterdir()}
    output = tmp_path / "again"
    add, added = sharding._add_member, []

    def breaking(*arguments):
        added.append(1)
        if len(added) == 8:
            raise OSError("no space left on device")
        add(*arguments)

    monkeypatch.setattr(sharding, "_add_member", breaking)
    with pytest.raises(OSError, match="no space left"):
        write_shards(PairFolder(str(folder)), output, megabytes=1, workers=1)
    assert not (output / "index.json").exists()
    with pytest.raises(FileNotFoundError, match=r"no index\.json in .*pix2pix data shard FOLDER OUTPUT"):
        ShardedPairs(str(output))
    done = {file: file.stat().st_mtime_ns for file in output.glob("*.tar")}
    assert len(done) >= 2
    monkeypatch.setattr(sharding, "_add_member", add)
    write_shards(PairFolder(str(folder)), output, megabytes=1)
    assert all(file.stat().st_mtime_ns == when for file, when in done.items())
    assert {file.name: file.read_bytes() for file in output.iterdir()} == whole


def test_what_else_is_in_the_folder_stays(folder, several, tmp_path):
    with pytest.raises(ValueError, match=r"already contains other files"):
        write_shards(PairFolder(str(folder)), several, megabytes=2)
    noise(folder / "train" / "new.png", (32, 12), 7)
    with pytest.raises(ValueError, match=r"already contains other files"):
        write_shards(PairFolder(str(folder)), several, megabytes=1)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"for example chapter\.txt"):
        write_shards(PairFolder(str(folder)), tmp_path / "thesis")
    assert [file.name for file in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "precious"


def test_a_full_disk_is_seen_before_anything_is_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sharding.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 100))
    with pytest.raises(OSError, match=r"the shards take [\d,]+ bytes, the disk has 100 left"):
        write_shards(PairFolder(str(folder)), tmp_path / "shards")
    assert not list((tmp_path / "shards").glob("*.tar"))


def test_an_order_visits_all_pairs_and_stays_within_its_window():
    sizes = [5, 3, 4, 1, 7, 2]
    shard_of = np.repeat(np.arange(6), sizes)
    orders = [windowed_order(1, epoch, sizes, 2) for epoch in range(20)]
    for order in orders:
        assert sorted(order) == list(range(22))
        visited = [shard_of[pair] for pair in order]
        assert len({frozenset(visited[: len(visited) // 2]), frozenset(visited[len(visited) // 2 :])}) == 2
        changes = list(dict.fromkeys(visited))
        for first in range(0, 6, 2):
            window = [at for at, shard in enumerate(visited) if shard in changes[first : first + 2]]
            assert window == list(range(window[0], window[-1] + 1)), "two shards are done before others begin"
    assert len({tuple(order) for order in orders}) == 20


def test_a_window_over_all_shards_is_the_order_of_the_files(several, folder):
    assert np.array_equal(windowed_order(1, 4, [3, 3, 3, 3], 4), epoch_order(1, 4, 12))
    ours, theirs = ShardedPairs(str(several), window=4), PairFolder(str(folder))
    assert np.array_equal(ours.order(5, 2, 12), theirs.order(5, 2, 12))
    assert not np.array_equal(ShardedPairs(str(several), window=1).order(5, 2, 12), theirs.order(5, 2, 12))


def load(source: ShardedPairs, *, first: int = 0, workers: int = 0, rank: int = 0, processes: int = 1):
    """The names and pixels of an epoch's batches, from batch `first` on."""
    transform = JitterAndMirror(height=8, width=8, load_height=10, load_width=10)
    pairs = TrainingPairs(source.split("train"), transform, 3)
    batches = EpochBatches(
        len(pairs.pairs), 2, 3, lambda: (1, first), rank=rank, processes=processes, order=source.order
    )
    loader = DataLoader(pairs, batch_sampler=batches, num_workers=workers, collate_fn=collate_list)
    return [(batch.name, batch.source.sum().item()) for batch in (transform.augment_batch(*batch) for batch in loader)]


def test_an_epoch_over_http_is_taken_up_in_the_middle_by_any_number_of_workers(several):
    local = load(ShardedPairs(str(several), window=2))
    with FolderServer(several) as server:
        source = ShardedPairs(server.url, window=2)
        assert load(source) == local
        server.sent = 0
        assert load(source, first=4, workers=2) == local[4:]
        pictures = ShardedPairs(str(several)).split("train").files.ranges[:, 1].sum()
        assert server.sent <= pictures * 4 / 12 * 1.5, "what was taken before is not read again"


def test_the_connections_of_a_training_outlive_its_workers(several, monkeypatch):
    """A worker closes none of its parent's connections: the next validation would wait for minutes."""
    monkeypatch.setattr(remote_files, "RETRY_DELAYS", ())
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("no answer within ten seconds"))
    with serve_late(several, 0) as address:
        load(ShardedPairs(address), workers=2)
        signal.alarm(10)
        assert len(ShardedPairs(address).split("val")) == 3
        signal.alarm(0)


def test_pairs_are_read_ahead_while_the_server_thinks(several):
    """The server answers when four have asked: read one by one, the first would wait in vain."""
    with FolderServer(several) as server:
        source = ShardedPairs(server.url, window=2)
        server.together = threading.Barrier(4)
        assert load(source) == load(ShardedPairs(str(several), window=2))


def test_a_pair_that_was_read_ahead_in_vain_fails_when_it_is_asked_for(several):
    with FolderServer(several) as server:
        pairs = ShardedPairs(server.url).split("train")
        (several / "train-000003.tar").unlink()
        pairs.read_ahead(range(12))
        assert pairs[0].name == "0"
        with pytest.raises(FileNotFoundError, match=r"train-000003\.tar"):
            pairs[11]


def test_an_object_store_is_read_like_a_folder(several, folder):
    """fsspec's store in memory: keys and ranges, as those of S3 and its like."""
    import fsspec

    store = fsspec.filesystem("memory")
    store.put(str(several), "/bucket/shards", recursive=True)
    try:
        assert same_pairs(ShardedPairs("memory://bucket/shards").split("train"), PairFolder(str(folder)).split("train"))
    finally:
        store.rm("/bucket", recursive=True)


def test_a_store_that_takes_a_version_before_the_range_is_read_like_a_folder(several, folder, monkeypatch):
    """As that of s3fs, where the second argument is the version of a file."""
    from fsspec.implementations.local import LocalFileSystem

    def cat_file(self, path, version_id=None, start=None, end=None):
        assert version_id is None
        return Path(path).read_bytes()[start:end]

    monkeypatch.setattr(LocalFileSystem, "cat_file", cat_file)
    assert same_pairs(ShardedPairs(f"file://{several}").split("train"), PairFolder(str(folder)).split("train"))


def test_processes_on_several_machines_share_an_epoch(several):
    source = ShardedPairs(str(several), window=2)
    alone = [name for names, _ in load(source) for name in names]
    shares = [[name for names, _ in load(source, rank=rank, processes=3) for name in names] for rank in range(3)]
    assert sorted(name for share in shares for name in share) == sorted(alone)


def test_a_broken_connection_is_tried_again(several, monkeypatch, caplog):
    monkeypatch.setattr(remote_files, "RETRY_DELAYS", (0.0, 0.0, 0.0))
    caplog.set_level("INFO")
    with FolderServer(several, breaks=3) as server:
        assert len(ShardedPairs(server.url).split("val")) == 3
        assert "trying again" in caplog.text
        server.breaks = 9
        with pytest.raises(OSError, match=r"index\.json: cannot be read \(ClientPayloadError"):
            ShardedPairs(str(server.url)).split("train")


def test_a_read_that_failed_for_a_minute_is_not_tried_again(several, monkeypatch):
    monkeypatch.setattr(remote_files, "RETRY_DELAYS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(remote_files, "RETRY_SECONDS", -1.0)
    with FolderServer(several, breaks=1) as server, pytest.raises(OSError, match=r"index\.json: cannot be read"):
        ShardedPairs(server.url)


def test_a_server_without_ranges_is_named_with_the_way_out(several, tmp_path):
    with FolderServer(several, knows_ranges=False) as server:
        source = ShardedPairs(server.url)
        with pytest.raises(ValueError, match=r"sends the whole file instead of the requested range.*filecache::http"):
            source.split("train")[0]
        copied = ShardedPairs(f"filecache::{server.url}")
        assert same_pairs(copied.split("train"), ShardedPairs(str(several)).split("train"))


def test_nothing_there_is_said(several, tmp_path):
    with FolderServer(tmp_path) as server, pytest.raises(FileNotFoundError, match=r"no index\.json in 'http"):
        ShardedPairs(server.url)
    with pytest.raises(ValueError, match=r"s3://bucket/shards/index\.json: this kind of address needs another package"):
        ShardedPairs("s3://bucket/shards")


def test_a_damaged_shard_is_named(several):
    shard = several / "train-000002.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:2000])
    with pytest.raises(ValueError, match=r"train-000002\.tar: ends before the pair at byte"):
        ShardedPairs(str(several)).split("train")[7]
    shard.write_bytes(b"x" * len(whole))
    with pytest.raises(ValueError, match=r"train-000002\.tar: no pair begins at byte 0"):
        ShardedPairs(str(several)).split("train")[6]
    broken = bytearray(whole)
    broken[520:560] = b"x" * 40
    shard.write_bytes(broken)
    with pytest.raises(ValueError, match=r"train-000002\.tar/6\.ab\.png: cannot be read as a picture"):
        ShardedPairs(str(several)).split("train")[6]


def test_an_index_of_something_else_is_refused(several):
    index = json.loads((several / "index.json").read_text())
    (several / "index.json").write_text(json.dumps(index | {"format": 99}))
    with pytest.raises(ValueError, match=r"index\.json: not an index of shards of this version"):
        ShardedPairs(str(several))
    index["splits"]["train"].pop()
    (several / "index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"has shape \(12, 2\), but the index needs \(9, 2\)"):
        ShardedPairs(str(several)).split("train")


def test_the_fingerprint_changes_with_a_pixel(folder, several, tmp_path):
    before = ShardedPairs(str(several)).fingerprint()
    shutil.copytree(several, tmp_path / "moved")
    assert ShardedPairs(str(tmp_path / "moved")).fingerprint() == before
    noise(folder / "train" / "3.png", (32, 12), 7)
    write_shards(PairFolder(str(folder)), tmp_path / "other", megabytes=1)
    assert ShardedPairs(str(tmp_path / "other")).fingerprint() != before


SMALL = ["data.size=32", "generator.base_channels=4", "discriminator.base_channels=4", "trainer.max_epochs=1"]
SMALL += ["discriminator.receptive_field=16", "data.direction=BtoA", "trainer.limit_train_batches=6"]


@needs_datasets
def test_a_training_on_shards_is_the_training_on_the_folder(tmp_path, capsys):
    few = tmp_path / "facades"
    for split, count in (("train", 8), ("val", 2)):
        (few / split).mkdir(parents=True)
        for file in sorted((DATASETS / "facades" / split).iterdir())[:count]:
            shutil.copy(file, few / split)
    pix2pix("data", "shard", few, tmp_path / "shards")
    output = capsys.readouterr().out.splitlines()
    assert output[0].startswith("train: 8 pairs in 1 shard,")
    assert output[-1] == f"pix2pix train data=shards data.path={tmp_path / 'shards'}"
    common = [f"output_dir={tmp_path / 'runs'}", *SMALL]
    pix2pix("train", "data=folder", f"data.path={few}", "name=files", "data.num_workers=0", *common)
    with FolderServer(tmp_path / "shards") as server:
        pix2pix("train", "data=shards", f"data.path={server.url}", "name=web", "data.num_workers=2", *common)
    assert same_weights(Run(tmp_path / "runs" / "files"), Run(tmp_path / "runs" / "web"))


def test_a_missing_folder_is_a_sentence(tmp_path):
    refused = command("data", "shard", tmp_path / "nowhere", tmp_path / "shards")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"pix2pix: no folder '{tmp_path / 'nowhere'}'")


def test_a_large_set_takes_sixteen_bytes_a_pair(several):
    """A hundred thousand pairs: the same shard under many names. Their pictures never lie in memory together."""
    index = json.loads((several / "index.json").read_text())
    shard = index["splits"]["train"][0]
    many = 100_000 // shard["pairs"]
    (several / "index.json").write_text(json.dumps(index | {"splits": {"train": [shard] * many}}))
    places = np.load(several / "train.offsets.npy")[: shard["pairs"]]
    np.save(several / "train.offsets.npy", np.tile(places, (many, 1)))
    source = ShardedPairs(str(several), val_share=None)
    pairs = source.split("train")
    assert len(pairs) == 99_999
    assert pairs.files.ranges.nbytes == 16 * len(pairs)
    last = next(iter(EpochBatches(len(pairs), 4, 0, lambda: (3, 24_990), order=source.order)))
    assert [pairs[draw.pair].source.shape for draw in last] == [(3, 12, 16)] * 4


@pytest.mark.parametrize(
    "damage",
    [
        lambda places: places * np.nan,
        lambda places: places.astype(float),
        lambda places: -places,
        lambda places: places + 10**9,
        lambda places: places.astype(np.int64) * 0 + np.iinfo(np.int64).max,
        lambda places: places[:, :1],
        lambda places: places[:-1],
        lambda places: places.astype(object),
    ],
    ids=["nan", "float", "negative", "outside", "overflow", "narrow", "short", "objects"],
)
def test_damaged_places_are_told_by_the_name_of_their_file(several, damage):
    file = several / "train.offsets.npy"
    np.save(file, damage(np.load(file)), allow_pickle=True)
    with pytest.raises(ValueError, match=r"train\.offsets\.npy: (damaged|has shape)"):
        ShardedPairs(str(several)).split("train")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00\xff\xff{", b"x" * 1000])
def test_places_that_are_no_array_are_told_by_the_name_of_their_file(several, content):
    (several / "train.offsets.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"train\.offsets\.npy: damaged"):
        ShardedPairs(str(several)).split("train")


def change(several, **values):
    """The index with other values in the first shard."""
    index = json.loads((several / "index.json").read_text())
    index["splits"]["train"][0] |= values
    return json.dumps(index)


@pytest.mark.parametrize(
    "values",
    [
        {"name": "../../secret-0.tar"},
        {"name": "http://elsewhere/train-000000.tar"},
        {"name": 7},
        {"pairs": -1},
        {"pairs": 1.5},
        {"pairs": True},
        {"pairs": 2**70},
        {"bytes": None},
        {"more": 1},
    ],
)
def test_an_index_of_odd_shards_is_refused(several, values):
    (several / "index.json").write_text(change(several, **values))
    with pytest.raises(ValueError, match=r"index\.json: not an index of shards"):
        ShardedPairs(str(several))


@pytest.mark.parametrize("content", ["", "[]", "7", "[" * 100_000, '{"splits": []}', '{"splits": {"train": 3}}'])
def test_an_index_that_is_none_is_refused(several, content):
    (several / "index.json").write_text(content)
    with pytest.raises(ValueError, match=r"index\.json: not an index of shards"):
        ShardedPairs(str(several))


def test_an_index_without_a_split_to_validate_on_is_told(several):
    index = json.loads((several / "index.json").read_text())
    (several / "index.json").write_text(json.dumps(index | {"splits": {"train": index["splits"]["train"]}}))
    with pytest.raises(ValueError, match=r"index\.json: lists no shards of val"):
        ShardedPairs(str(several), val_share=None).split("val")


def link(name, to):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, to
    return member


def plain(name, content=b"", **header):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in header.items():
        setattr(member, field, value)
    return member


def replace_first_pair(shards: Path, *members: tarfile.TarInfo) -> None:
    """The first shard holds these members instead, as its first pair."""
    with tarfile.open(shards / "train-000000.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            tar.addfile(member)
    size = (shards / "train-000000.tar").stat().st_size
    places = np.load(shards / "train.offsets.npy")
    places[0] = 0, size
    np.save(shards / "train.offsets.npy", places)
    (shards / "index.json").write_text(change(shards, bytes=size))


@pytest.mark.parametrize(
    "members",
    [
        [link("1.ab.png", "/etc/passwd")],
        [link("1.a.png", "1.b.png"), link("1.b.png", "1.a.png")],
        [plain("1.ab.png", type=tarfile.DIRTYPE)],
        [plain("1.ab.png", type=tarfile.FIFOTYPE)],
        [plain("1.ab.png", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.realsize": "1000000000000"})],
        [plain("1.a.png")],
        [plain("1.b.png"), plain("1.a.png")],
        [plain("1.ab.png"), plain("2.ab.png")],
        [plain("caf\udce9.ab.png")],
        [],
    ],
    ids=["link", "loop", "folder", "pipe", "sparse", "half", "turned", "two", "no-utf8", "nothing"],
)
def test_members_that_are_no_pair_are_told_with_their_shard(several, members):
    replace_first_pair(several, *members)
    with pytest.raises(ValueError, match=r"train-000000\.tar: no pair begins at byte 0 \(.+\)"):
        ShardedPairs(str(several)).split("train")[0]


def test_a_member_of_no_bytes_is_named(several):
    replace_first_pair(several, plain("1.ab.png"))
    with pytest.raises(ValueError, match=r"train-000000\.tar/1\.ab\.png: cannot be read as a picture"):
        ShardedPairs(str(several)).split("train")[0]


def test_a_pipe_in_the_place_of_a_shard_is_not_waited_for(several):
    (several / "train-000000.tar").unlink()
    os.mkfifo(several / "train-000000.tar")
    with pytest.raises(FileNotFoundError, match=r"train-000000\.tar"):
        ShardedPairs(str(several)).split("train")[0]


LOGIN = "Basic " + base64.b64encode(b"user:TOPSECRET").decode()


@pytest.mark.parametrize("way", ["netrc", "environment", "address"])
@pytest.mark.parametrize("chain", ["", "simplecache::"])
def test_a_login_opens_shards_and_stands_in_no_message(several, monkeypatch, tmp_path, way, chain):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with FolderServer(several) as server:
        server.login, address = LOGIN, server.url
        if way == "netrc":
            (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password TOPSECRET")
        elif way == "environment":
            monkeypatch.setenv("PIX2PIX_LOGINS", address.replace("://", "://user:TOPSECRET@"))
        else:  # as in runs of before, and in programs of one's own
            address = address.replace("://", "://user:TOPSECRET@")
        pairs = ShardedPairs(f"{chain}{address}").split("train")
        assert same_pairs(pairs, ShardedPairs(str(several)).split("train"))
        (several / "train-000002.tar").write_bytes(b"x" * 20_000)
        (several / "train-000003.tar").unlink()
        (several / "val.offsets.npy").unlink()
        fresh = "" if chain else chain  # what was copied stays as it was
        pairs = ShardedPairs(f"{fresh}{address}").split("train")
        for read in (lambda: pairs[6], lambda: pairs[9], lambda: ShardedPairs(address).split("val")):
            with pytest.raises((ValueError, FileNotFoundError), match=r"127\.0\.0\.1") as error:
                read()
            assert "TOPSECRET" not in str(error.value)


def test_a_server_that_wants_a_login_is_told_with_where_to_put_it(several, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with FolderServer(several) as server:
        server.login = LOGIN
        with pytest.raises(OSError, match=r"index\.json: cannot be read \(.*401.*~/\.netrc .* or PIX2PIX_LOGINS="):
            ShardedPairs(server.url)
        assert len(server.asked) == 1
