"""Cost of saving: seconds to write, sync, checksum and rename a checkpoint, and their share of a training.

python benchmarks/benchmark_checkpoints.py data.size=256
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe_machine
from pix2pix.config.compose import compose_settings
from pix2pix.config.parse import parse_config
from pix2pix.runs.checkpoints import AtomicCheckpointIO
from pix2pix.training import build

MINUTES = 10.0  # between two checkpoints, callbacks.checkpoint.every_n_minutes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", default=["data.size=256"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = build.build_model(parse_config(compose_settings(options.overrides)))
    moments = {
        name: [tensor.clone(), tensor.clone()] for name, tensor in model.state_dict().items()
    }  # as Adam keeps them
    state = {"state_dict": model.state_dict(), "optimizer_states": moments}
    times = []
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for _ in range(options.rounds):
            begin = time.perf_counter()
            disk = AtomicCheckpointIO()
            disk.save_checkpoint(state, Path(folder) / "last.ckpt")
            times.append(time.perf_counter() - begin)
            if disk.error:
                raise disk.error
        megabytes = (Path(folder) / "last.ckpt").stat().st_size / 1e6
    median = statistics.median(times)
    share = median / (MINUTES * 60)
    print(f"{megabytes:.0f} MB  {median:.2f} s (from {min(times):.2f} to {max(times):.2f})")
    print(f"every {MINUTES:g} minutes: {share:.2%} of the time")
    if options.json:
        result = {"megabytes": megabytes, "seconds": times, "share": share, "machine": describe_machine()}
        options.json.write_text(
            json.dumps(result | {"overrides": options.overrides}, indent=2) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
