"""Cost of logging: training steps with all loggers and with none, in alternation.

python benchmarks/benchmark_logging.py experiment=demo
python benchmarks/benchmark_logging.py data.size=256 data.batch_size=1 --steps 200
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import pytorch_lightning as pl

from benchmarks.machine import describe_machine
from pix2pix.config.compose import compose_settings
from pix2pix.config.parse import parse_config
from pix2pix.runs.run import Run
from pix2pix.training import build

OFF = ["logger=none", "~callbacks.training_log", "~callbacks.collapse_monitor", "~callbacks.results"]
ON = ["logger=wandb", "logger.wandb.mode=offline"]


WARM_UP = 100


class Stopwatch(pl.Callback):
    """Measures seconds per step after WARM_UP steps, in which loggers start (W&B takes a second or two)."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step < WARM_UP:
            return
        now = time.perf_counter()
        self.begin = now if trainer.global_step == WARM_UP else self.begin
        self.seconds = now - self.begin


def seconds_a_step(words: list[str], steps: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        limits = [f"trainer.max_steps={steps}", "trainer.limit_val_batches=0", f"run_dir='{folder}/run'"]
        quiet = ["~callbacks.samples", "~callbacks.checkpoint", "~callbacks.progress"]
        config = parse_config(compose_settings([*words, *limits, *quiet]))
        run, data = Run(config.run_dir), build.build_data(config)
        with run.open_session(config, data.pairs.fingerprint()):
            trainer, watch = build.build_trainer(config, run), Stopwatch()
            trainer.callbacks.append(watch)
            trainer.fit(build.build_model(config), data)
        return watch.seconds / (steps - WARM_UP)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", default=["experiment=demo"])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    times = {"off": [], "on": []}
    for number in range(options.rounds):
        for side in ("off", "on") if number % 2 else ("on", "off"):
            times[side].append(seconds_a_step([*options.overrides, *(ON if side == "on" else OFF)], options.steps))
    ratios = [on / off for on, off in zip(times["on"], times["off"], strict=True)]
    result = {
        "overrides": options.overrides,
        "milliseconds_a_step": {side: [1000 * value for value in values] for side, values in times.items()},
        "on_over_off": {"median": statistics.median(ratios), "all": ratios},
        "machine": describe_machine(),
    }
    for side, values in times.items():
        print(f"logging {side:<3}  {1000 * statistics.median(values):7.2f} ms a step")
    print(f"on / off  {statistics.median(ratios):.3f}  (from {min(ratios):.3f} to {max(ratios):.3f})")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
