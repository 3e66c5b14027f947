"""Walks a part of an epoch of a million pairs in shards in an S3 store, on two hosts with two loader workers each.

python -m benchmarks.s3_shards --json benchmarks/results/s3_shards.json    # after: pip install s3fs 'moto[server]'

The store is moto's server on this machine, and the hosts are processes. The pairs are small, and the shards are one
under many names; index, order of the whole epoch, ranges, decoding and workers are those of a training.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader

from benchmarks.machine import describe_machine
from benchmarks.shard_memory import SIZE, memory, simulate
from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.samplers import EpochBatches
from pix2pix.data.sources.shards import ShardedPairs
from pix2pix.data.training_loader import collate_stack
from pix2pix.data.transforms import JitterAndMirror
from tests.object_store.store import missing, start_store

ADDRESS = "s3://bucket/shards"
HOSTS = 2


def upload(folder: Path) -> None:
    """Copies the shards into a bucket."""
    import s3fs

    system = s3fs.S3FileSystem(skip_instance_cache=True)
    system.mkdir("bucket")
    for file in folder.iterdir():
        system.put_file(str(file), f"bucket/shards/{file.name}")


def walk(host: int, workers: int, batch_size: int, batches: int, results: "multiprocessing.Queue[Any]") -> None:
    """Leaves the seconds to the first batch and of the others, and megabytes at ten points of the way."""
    began = time.monotonic()
    source = ShardedPairs(ADDRESS)
    transform = JitterAndMirror(height=SIZE, width=SIZE, load_height=SIZE, load_width=SIZE)
    pairs = TrainingPairs(source.split("train"), transform, seed=0)
    order = EpochBatches(
        len(pairs.pairs), batch_size, 0, lambda: (0, 0), rank=host, processes=HOSTS, order=source.order, workers=workers
    )
    loader = iter(DataLoader(pairs, batch_sampler=order, num_workers=workers, collate_fn=collate_stack))
    next(loader)
    first, megabytes = time.monotonic() - began, []
    began = time.monotonic()
    for number in range(batches):
        if number % (batches // 10) == 0:
            megabytes.append(memory())
        next(loader)
    results.put({"first_batch": first, "seconds": time.monotonic() - began, "megabytes": megabytes})


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Makes the shards, uploads them and walks on all hosts at once."""
    shards = simulate(folder, options.pairs, options.shard)
    with start_store() as store:
        os.environ |= {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.port}", "AWS_DEFAULT_REGION": "us-east-1"}
        os.environ |= {"AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "something"}
        upload(shards)
        before, batches = store.requests, options.walk // HOSTS // options.batch
        context = multiprocessing.get_context("spawn")
        results: multiprocessing.Queue[Any] = context.Queue()
        given = (options.workers, options.batch, batches, results)
        hosts = [context.Process(target=walk, args=(host, *given)) for host in range(HOSTS)]
        for host in hosts:
            host.start()
        walked = [results.get() for _ in hosts]
        requests = store.requests - before
        for host in hosts:
            host.join()
    count = batches * options.batch * HOSTS
    return {
        "pairs": options.pairs,
        "walked": count,
        "pairs_a_second": count / max(host["seconds"] for host in walked),
        "requests": requests,
        "seconds_to_first_batch": max(host["first_batch"] for host in walked),
        "megabytes_of_a_host": [
            min(min(host["megabytes"]) for host in walked),
            max(max(host["megabytes"]) for host in walked),
        ],
    }


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--shard", type=int, default=1000, help="pairs in a shard")
    parser.add_argument("--walk", type=int, default=100_000, help="pairs to load, by both hosts together")
    parser.add_argument("--workers", type=int, default=2, help="of each host")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    if why := missing():
        raise SystemExit(f"There is no store: it {why}.")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options)
    print(json.dumps(result, indent=1))
    if options.json:
        record = {
            "command": " ".join(["python -m benchmarks.s3_shards", *sys.argv[1:]]),
            "machine": describe_machine(),
            "load": os.getloadavg(),
            **result,
        }
        options.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
