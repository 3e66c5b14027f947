"""Loads a training epoch from shards behind a server that answers late, as one far away does: pairs a second.

python benchmarks/remote_shards.py --json benchmarks/results/remote_shards.json
python benchmarks/remote_shards.py --delay 0.1 --workers 4 --batch 16

The server is a process of its own on 127.0.0.1. Every number is given with and without reading ahead.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock
from urllib.parse import unquote

from PIL import Image
from torch.utils.data import DataLoader

from benchmarks.machine import write_results
from pix2pix.data.datamodule import TrainingPairs
from pix2pix.data.samplers import EpochBatches
from pix2pix.data.sources.folder import PairFolder
from pix2pix.data.sources.read_ahead import ReadAhead
from pix2pix.data.sources.shards import ShardedPairs
from pix2pix.data.training_loader import collate_stack
from pix2pix.data.transforms import JitterAndMirror
from pix2pix.datasets.write_shards import write_shards


def serve(folder: Path, delay: float, port: "multiprocessing.Queue[int]") -> None:
    """Serves byte ranges of the files in a folder, each answer `delay` seconds after its request."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.readline():
            headers = {}
            while line := (await reader.readline()).strip():
                name, _, value = line.decode().partition(": ")
                headers[name.lower()] = value
            with (folder / unquote(request.split()[1].decode()).lstrip("/")).open("rb") as file:
                first, _, last = headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
                file.seek(int(first))
                content = file.read(int(last) + 1 - int(first) if last else -1)
            await asyncio.sleep(delay)
            status = "206 Partial Content" if "range" in headers else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
            await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def serve_late(folder: Path, delay: float) -> Iterator[str]:
    """The address of such a server, a process of its own on this machine, until the end of the block."""
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(folder, delay, port), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{port.get()}"
    finally:
        server.terminate()
        server.join()


def make_shards(folder: Path, pairs: int) -> Path:
    """Shards of `pairs` training pairs of noise, 64x64 each, and a pair for validation."""
    for split, count in (("train", pairs), ("val", 1)):
        (folder / "pictures" / split).mkdir(parents=True)
        for number in range(count):
            picture = Image.effect_noise((128, 64), 50).convert("RGB")
            picture.save(folder / "pictures" / split / f"{number}.jpg")
    write_shards(PairFolder(str(folder / "pictures")), folder / "shards")
    return folder / "shards"


def pairs_a_second(address: str, workers: int, batch_size: int) -> float:
    """The rate from the first batch of an epoch to its last; starting the workers is not counted."""
    source = ShardedPairs(address)
    transform = JitterAndMirror(height=64, width=64, load_height=72, load_width=72)
    training = TrainingPairs(source.split("train"), transform, seed=0)
    batches = EpochBatches(len(training.pairs), batch_size, 0, lambda: (0, 0), order=source.order, workers=workers)
    loader = iter(DataLoader(training, batch_sampler=batches, num_workers=workers, collate_fn=collate_stack))
    next(loader)
    start = time.monotonic()
    count = sum(len(batch.views) for batch in loader)
    return count / (time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", type=float, default=0.03, help="seconds from a request to its answer")
    parser.add_argument("--pairs", type=int, default=4000)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2, 8])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--json", type=Path, help="where to leave the numbers")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        shards = make_shards(Path(folder), options.pairs)
        print("| workers | batch | pairs a second, one by one | read ahead | times |\n|---|---|---|---|---|")
        with serve_late(shards, options.delay) as address:
            for workers in options.workers:
                for batch_size in options.batch:
                    with mock.patch.object(ReadAhead, "announce"):
                        before = pairs_a_second(address, workers, batch_size)
                    after = pairs_a_second(address, workers, batch_size)
                    rows.append({"workers": workers, "batch": batch_size, "one_by_one": before, "read_ahead": after})
                    print(
                        f"| {workers} | {batch_size} | {before:.0f} | {after:.0f} | {after / before:.1f} |", flush=True
                    )
    write_results(options.json, delay=options.delay, rows=rows)


if __name__ == "__main__":
    main()
