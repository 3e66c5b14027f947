"""Frames per second and latency of the demo while a user draws, over the real websocket.

    python benchmarks/benchmark_demo.py                       # an untrained U-Net of 256x256, 64 base channels
    python benchmarks/benchmark_demo.py outputs/facades --seconds 20

The demo runs as its users start it, in a process of its own. The client draws for so many seconds at 60 changes a
second as the page does: one frame on its way, then the newest. Delay runs from the first change that a frame shows to
the arrival of its last answer.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from benchmarks.machine import describe_machine
from pix2pix.core.errors import exit_with_message

CHANGES = 60  # of the drawing in a second
WARM_UP = 3  # frames that are not counted


def main() -> None:
    """Prints one line of JSON: the machine, frames a second, delays in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", help="runs that answer the same drawing; default: an untrained one")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--size", type=int, default=256, help="of the untrained run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = arguments.runs or [write_untrained_run(Path(folder), arguments.size)]
        with demo(*runs) as (address, _):
            print(json.dumps(describe_machine() | measure(address, arguments.seconds)))


def write_untrained_run(folder: Path, size: int) -> str:
    """Writes a run directory with random weights, which do not affect the speed."""
    import torch
    import yaml

    from pix2pix.config.compose import compose_settings
    from pix2pix.config.parse import parse_config
    from pix2pix.training.build import build_model

    config = compose_settings([f"data.size={size}", f"output_dir={folder}", "name=untrained"])
    model = build_model(parse_config(config))
    run = folder / "untrained"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    content = {"config": config, "state_dict": model.state_dict(), "global_step": 0}
    torch.save(content, run / "checkpoints" / "last.ckpt")
    return str(run)


@contextmanager
def demo(*runs: str) -> Iterator[tuple[str, int]]:
    """Starts a demo of the runs; yields its address and process id."""
    words = [sys.executable, "-m", "pix2pix.cli", "demo", *runs, "--no-browser"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert process.stdout is not None
        address = next((line.split()[0] for line in process.stdout if re.match(r"http://", line)), None)
        if address is None:
            raise SystemExit("the demo did not start")
        yield address, process.pid
    finally:
        process.terminate()
        process.wait()


def measure(address: str, seconds: float) -> dict[str, object]:
    """Draws for the given seconds and returns the measurements."""
    with urllib.request.urlopen(f"{address}runs", timeout=60) as answer:
        page_data = json.load(answer)
    width, height, runs = (
        page_data["canvas"]["width"],
        page_data["canvas"]["height"],
        list(range(len(page_data["runs"]))),
    )
    delays: list[float] = []
    with connect(address.replace("http", "ws") + "live", max_size=None, compression=None) as page:
        for frame in range(WARM_UP):
            exchange(page, frame, runs, width, height)
        began = changed = time.perf_counter()
        while (now := time.perf_counter()) - began < seconds:
            exchange(page, int(now * 1000), runs, width, height)
            done = time.perf_counter()
            delays.append(1000 * (done - changed))
            changed = now + -(now - began) % (1 / CHANGES)  # the first change after this frame was sent
            time.sleep(max(0.0, changed - done))
        taken = time.perf_counter() - began
    delays.sort()
    return {
        "runs": len(runs),
        "size": f"{width}x{height}",
        "frames a second": round(len(delays) / taken, 1),
        "delay, median ms": round(statistics.median(delays)),
        "delay, 95th percentile ms": round(delays[int(0.95 * len(delays))]),
    }


def exchange(page: ClientConnection, frame: int, runs: list[int], width: int, height: int) -> None:
    """Sends a drawing and waits for the answers of all runs."""
    header = {"frame": frame, "seed": 0, "runs": runs, "width": width, "height": height}
    page.send(json.dumps(header).encode() + b"\n" + bytes([0, frame % 256, 255, 255]) * width * height)
    for _ in runs:
        answer = page.recv(60)
        assert isinstance(answer, bytes)
        head = json.loads(answer.partition(b"\n")[0])
        if "error" in head:
            raise SystemExit(head["error"])


if __name__ == "__main__":
    with exit_with_message():
        main()
