"""Cached pairs are the pairs in the files, bit for bit, whatever happens to files, caches and processes."""

import multiprocessing
import os
import pickle
import shutil
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pix2pix.core import free_memory
from pix2pix.data.cache import cache as caching
from pix2pix.data.cache.cache import Cache
from pix2pix.data.cache.disk import DiskCache
from pix2pix.data.cache.preload import ResizedPairs, describe_content, prefetch_all
from pix2pix.data.pair import Pair
from pix2pix.data.samplers import Draw
from pix2pix.data.training_loader import collate_list
from pix2pix.runs.run import Run
from pix2pix.training.build import build_data
from tests.conftest import (
    DATASETS,
    TINY,
    compose_mapping,
    make_config,
    needs_datasets,
    pix2pix,
    same_pairs,
    same_weights,
)

CPU = torch.device("cpu")
Trainer = namedtuple("Trainer", "strategy num_devices")
Strategy = namedtuple("Strategy", "root_device")


def noise(seed: int, shape: tuple[int, ...] = (3, 10, 12), dtype=np.uint8) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 200, shape).astype(dtype))


def pairs(count: int = 9, *, content: str = "noise", **options) -> ResizedPairs:
    made = [Pair(noise(n, **options), noise(100 + n, (1, 10, 12)), f"pair {n}") for n in range(count)]
    return ResizedPairs(made, lambda pair: pair, content=lambda: content)


@pytest.fixture
def disk(tmp_path) -> DiskCache:
    return DiskCache(tmp_path / "caches", 10**6)


@pytest.mark.parametrize("kind", ["off", "memory", "disk", "device"])
def test_wherever_they_are_kept_the_pairs_are_the_same(kind, tmp_path):
    chosen, (train, val) = Cache(kind, tmp_path).store([pairs(), pairs(3, content="val")], CPU)
    assert chosen == kind
    assert same_pairs(train, pairs())
    assert same_pairs(val, pairs(3))
    assert isinstance(train, ResizedPairs) == (kind == "off")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_any_type_of_pixels_and_pairs_of_several_sizes_are_kept(disk, dtype):
    shapes = [(3, 10, 12), (3, 7, 5), (1, 1, 1)]
    made = [Pair(noise(n, shape, dtype), noise(n, shape), str(n)) for n, shape in enumerate(shapes)]
    kept = disk.open_or_build(ResizedPairs(made, lambda pair: pair))
    assert same_pairs(kept, made)
    assert [pair.source.dtype for pair in kept] == [made[0].source.dtype] * 3


def test_a_cache_is_built_once_and_told_apart_by_content(disk):
    first = disk.open_or_build(pairs())
    built = first.file.stat().st_mtime_ns
    assert disk.open_or_build(pairs()).file.stat().st_mtime_ns == built
    other = disk.open_or_build(pairs(4, content="other"))
    assert len(other) == 4
    assert len(list(disk.folder.glob("*/header.json"))) == 2


def test_writing_to_a_cached_pair_does_not_reach_the_cache(disk):
    disk.open_or_build(pairs())[0].source.zero_()
    assert same_pairs(disk.open_or_build(pairs()), pairs())


def test_a_cache_cut_short_is_built_again(disk):
    file = disk.open_or_build(pairs()).file
    file.write_bytes(file.read_bytes()[:100])
    assert same_pairs(disk.open_or_build(pairs()), pairs())
    header = file.with_name("header.json")
    header.write_text(header.read_text()[:50])
    assert same_pairs(disk.open_or_build(pairs()), pairs())


def test_a_cache_travels_to_another_process_by_its_name(disk):
    kept = disk.open_or_build(pairs())
    message = pickle.dumps(kept)
    assert len(message) < kept.file.stat().st_size / 2
    assert same_pairs(pickle.loads(message), pairs())


def test_a_file_that_cannot_be_read_ends_the_building_and_leaves_nothing(disk):
    def load(pair: Pair) -> Pair:
        if pair.name == "pair 5":
            raise ValueError("5.jpg: cannot be read as a picture")
        return pair

    with pytest.raises(ValueError, match=r"5\.jpg: cannot be read"):
        disk.open_or_build(ResizedPairs(pairs(), load, content=lambda: "noise"))
    assert [file.name for file in disk.folder.iterdir()] == [".lock"]
    assert same_pairs(disk.open_or_build(pairs()), pairs())


def start_building(disk: DiskCache, folder: Path) -> multiprocessing.Process:
    """Another process that builds the cache of `pairs()`, slowly; it leaves a file for each pair that it reads."""

    def load(pair: Pair) -> Pair:
        time.sleep(0.02)
        (folder / f"{pair.name} {os.getpid()}").touch()
        return pair

    slow = ResizedPairs(pairs(), load, content=lambda: "noise")
    process = multiprocessing.get_context("fork").Process(target=disk.open_or_build, args=(slow,))
    process.start()
    return process


def test_a_killed_building_is_begun_again_by_the_next_process(disk, tmp_path):
    process = start_building(disk, tmp_path)
    while not list(disk.folder.glob("*.part")):  # a pair is read before, to estimate the size
        assert process.is_alive()
        time.sleep(0.001)
    process.kill()
    process.join()
    assert [file.suffix for file in disk.folder.iterdir() if file.is_dir()] == [".part"]
    assert same_pairs(disk.open_or_build(pairs()), pairs())
    assert not list(disk.folder.glob("*.part"))


def test_processes_that_need_the_same_cache_build_it_once(disk, tmp_path):
    processes = [start_building(disk, tmp_path) for _ in range(2)]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    read = [file.name.rpartition(" ")[0] for file in tmp_path.glob("pair *")]
    assert sorted(read) == [pair.name for pair in pairs()]
    assert same_pairs(disk.open_or_build(pairs()), pairs())


def test_caches_used_longest_ago_make_room(tmp_path):
    one = pairs().estimated_bytes()
    disk = DiskCache(tmp_path / "caches", int(2.5 * one))
    caches = {name: disk.open_or_build(pairs(content=name)).file.parent for name in ("first", "second")}
    for age, name in ((20, "first"), (10, "second")):
        then = time.time() - age
        os.utime(caches[name] / "header.json", (then, then))
    disk.open_or_build(pairs(content="first"))  # used again
    disk.open_or_build(pairs(content="third"))
    assert caches["first"].is_dir()
    assert not caches["second"].exists()


def test_more_than_the_limit_is_refused_with_the_settings_that_mend_it(tmp_path):
    with pytest.raises(ValueError, match=r"data\.cache=disk: the pairs take .* Raise data\.cache_gigabytes"):
        DiskCache(tmp_path, 1000).open_or_build(pairs())


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file/caches: caches cannot be written here .* Set data\.cache_dir"):
        DiskCache(tmp_path / "file" / "caches", 10**6).open_or_build(pairs())


@pytest.mark.parametrize(
    ("free", "gigabytes", "processes", "choice"),
    [(10**9, 1, 1, "memory"), (30_000, 1, 1, "memory"), (30_000, 1, 4, "disk"), (0, 1, 1, "disk"), (0, 1e-6, 1, "off")],
)
def test_auto_takes_memory_then_disk_then_nothing_and_says_so(
    tmp_path, monkeypatch, caplog, free, gigabytes, processes, choice
):
    monkeypatch.setattr(caching, "free_memory", lambda: free)
    caplog.set_level("INFO")
    kind, (kept,) = Cache("auto", tmp_path, gigabytes).store([pairs()], CPU, processes)
    assert kind == choice
    assert same_pairs(kept, pairs())
    assert f"data.cache=auto: {choice}; the pairs take 0 MB" in caplog.text


def test_a_container_or_a_clusters_job_has_the_memory_it_was_given(tmp_path, monkeypatch):
    monkeypatch.setattr(free_memory, "CGROUPS", tmp_path)
    assert free_memory._free_in_cgroup(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 600000\ninactive_file 200000\n")
    assert free_memory._free_in_cgroup(tmp_path) == 300_000
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory._free_in_cgroup(tmp_path) is None
    assert free_memory.free_memory() > 0


def test_pairs_are_read_ahead_in_their_order_and_few_at_a_time(monkeypatch):
    begun: list[int] = []
    monkeypatch.setattr("pix2pix.core.prefetch.count_cores", lambda: 2)

    def load(pair: Pair) -> Pair:
        begun.append(1)
        return pair

    reading = prefetch_all(ResizedPairs(pairs(60), load))
    taken = [next(reading).name for _ in range(10)]
    assert taken == [f"pair {n}" for n in range(10)]
    assert len(begun) <= 10 + 2 * 2 + 2
    assert sum(1 for _ in reading) == 50


@needs_datasets
@pytest.mark.parametrize("name", ["facades", "maps"])
def test_real_pairs_come_out_of_every_cache_as_out_of_their_files(name, tmp_path):
    """Batches as the trainer gets them: augmented training pairs, and validation pairs."""
    few = tmp_path / name
    for split, count in (("train", 6), ("val", 2)):
        (few / split).mkdir(parents=True)
        for file in sorted((DATASETS / name / split).iterdir())[:count]:
            shutil.copy(file, few / split)

    def batches(kind: str) -> list[torch.Tensor]:
        words = [f"data={name}", f"data.path={few}", f"data.cache={kind}", f"data.cache_dir={tmp_path / 'caches'}"]
        data = build_data(make_config(*words))
        data.trainer = Trainer(Strategy(CPU), 1)
        data.setup("fit")
        pickle.dumps(data.training)  # as workers get it where processes are not forked
        assert data.workers == (0 if kind != "off" else len(os.sched_getaffinity(0)))
        examples = [data.training[Draw(3, index)] for index in range(6)]
        batch = data.on_after_batch_transfer(collate_list(examples), 0)
        return [batch.source, batch.target, *data.validation[1][:2]]

    uncached = batches("off")
    for kind in ("memory", "disk", "disk", "device", "auto"):
        assert all(torch.equal(a, b) for a, b in zip(batches(kind), uncached, strict=True))


def test_a_changed_file_and_other_settings_make_another_cache(tmp_path):
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        for number in range(2):
            Image.new("RGB", (64, 32), (number, 0, 0)).save(tmp_path / split / f"{number}.png")

    def content(*words: str) -> str:
        config = make_config("data=folder", f"data.path={tmp_path}", "data.size=32", *words)
        data = build_data(config)
        return describe_content(data.pairs, "train", data.cache_key)

    before = content()
    assert content() == before
    assert content("data.direction=BtoA") != before
    assert content("data.load_height=40") != before
    file = tmp_path / "train" / "1.png"
    when = file.stat().st_mtime_ns
    Image.new("RGB", (64, 32), (7, 0, 0)).save(file)
    os.utime(file, ns=(when, when + 1))
    assert content() != before


@pytest.mark.parametrize("kind", ["memory", "disk", "device"])
def test_a_training_from_a_cache_is_the_training_from_files(tiny_run, tmp_path, kind):
    words = [*TINY, f"output_dir={tmp_path}", "name=cached", f"data.cache={kind}", f"data.cache_dir={tmp_path}/caches"]
    pix2pix("train", *words)
    assert same_weights(tiny_run, Run(tmp_path / "cached"))


def test_workers_on_a_cache_in_memory_of_the_device_are_refused():
    from pix2pix.config.check import parse_and_check

    with pytest.raises(ValueError, match=r"other processes do not reach pairs that are kept on the device"):
        parse_and_check(compose_mapping("data.cache=device", "data.num_workers=2"))
    parse_and_check(compose_mapping("data.cache=device", "data.num_workers=auto"))


def test_a_run_goes_on_with_another_cache_than_it_began_with(run):
    pix2pix("train", *TINY, f"output_dir={run.path.parent}", "name=tiny", "data.cache=memory", "data.num_workers=0")
