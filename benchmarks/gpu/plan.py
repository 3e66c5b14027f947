"""What part `good` trains: the paper's ablations, the parts of `configs/recipe`, and the parts that pay together."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gpu.notes import Options, fastest_settings

STEPS = 6000  # 60 epochs of 400 pairs in batches of 4
SEEDS = (1, 2, 3)
JUDGED_SEEDS = (1, 2)  # of each part, before parts are chosen
PAPER = "paper"
FIELDS = ("patch16", "pixel", "patch142", "image")
OBJECTIVES = ("l1", "gan", "cgan", "l1_gan")
PARTS = (
    *("ema", "linear", "cosine", "diffaugment", "perceptual", "feature_matching", "multiscale", "resize"),
    *("least_squares", "hinge", "spectral_norm", "instance_norm", "r1", "less_l1"),
)
RIVALS = (("linear", "cosine"), ("least_squares", "hinge"), ("multiscale", "instance_norm", "r1"))  # one is taken
SLOW = "batch_1"  # four times the steps for as many pictures: measured, and no candidate
PAIRS = (50, 100, 200)
LARGE, LARGE_STEPS = "better_256", 20_000
SCORERS = ("scorer_128", "scorer_256")
LEAST_SPREAD = {"lpips": 0.004, "score_class_iou": 0.006, "kid": 0.05}  # of few seeds, where theirs happens to be less
URGENT = (LARGE, *SCORERS, *(f"{SLOW}_s{seed}" for seed in JUDGED_SEEDS))  # what takes longest
TINY_PARTS, TINY_FIELDS = ("ema", "resize"), ("pixel",)  # which try the program, and need no pretrained networks

Results = Mapping[str, Mapping[str, Any]]


class Planned(NamedTuple):
    """A run: its name and settings."""

    name: str
    words: list[str]


def parts(options: Options) -> tuple[str, ...]:
    """The parts that are tried."""
    return TINY_PARTS if options.tiny else PARTS


def judged(options: Options) -> set[str]:
    """The runs by which parts are chosen."""
    alone = {f"{part}_s{seed}" for part in parts(options) for seed in JUDGED_SEEDS}
    return alone | {f"{PAPER}_s{seed}" for seed in SEEDS}


def first_stage(options: Options) -> Iterator[Planned]:
    """The scorers, each part alone, the paper's ablations; then further seeds."""
    for name in SCORERS:
        yield Planned(name, _sized(options, int(name.removeprefix("scorer_")), 5000))
    for seed in JUDGED_SEEDS:
        yield Planned(f"{SLOW}_s{seed}", [*_sized(options, 128, 4 * STEPS, batch=1), f"seed={seed}"])
    fields = {field: [f"discriminator={field}"] for field in (TINY_FIELDS if options.tiny else FIELDS)}
    others = {objective: [f"objective={objective}"] for objective in OBJECTIVES}
    for objective in ("l1", "l1_cgan"):
        others[f"encoder_decoder_{objective}"] = ["generator=encoder_decoder", f"objective={objective}"]
    alone = {part: [f"recipe={part}"] for part in parts(options)}
    plan = [({PAPER: []}, SEEDS), (alone, JUDGED_SEEDS), (fields, SEEDS), (others, SEEDS[:1])]
    for kinds, seeds in [*plan, (alone, SEEDS[2:]), (others, SEEDS[1:])]:
        for seed in seeds:
            for what, words in kinds.items():
                yield Planned(f"{what}_s{seed}", [*_sized(options, 128, STEPS), *words, f"seed={seed}"])


def second_stage(options: Options, better: list[str]) -> Iterator[Planned]:
    """The parts that pay together: at 256x256, with three seeds, with few pairs, and without each."""
    small, together = _sized(options, 128, STEPS), _recipe(better)
    yield Planned(LARGE, [*_sized(options, 256, LARGE_STEPS), together])
    for seed in SEEDS:
        yield Planned(f"better_s{seed}", [*small, together, f"seed={seed}"])
    for pairs in PAIRS:
        folder = few_pairs(Path(options.data) / "facades", Path(options.work) / f"pairs_{pairs}", pairs)
        few = [f"data.root={folder.parent}", "seed=1"]
        yield Planned(f"better_{pairs}_s1", [*small, together, *few])
        yield Planned(f"{PAPER}_{pairs}_s1", [*small, *few])
    for seed in JUDGED_SEEDS:
        for part in better:
            rest = _recipe([other for other in better if other != part])
            yield Planned(f"better_without_{part}_s{seed}", [*small, rest, f"seed={seed}"])


def _recipe(parts: list[str]) -> str:
    return f"recipe=[{','.join(parts)}]"


def _sized(options: Options, size: int, steps: int, *, batch: int = 4) -> list[str]:
    """So many steps at half the paper's width, validated three times; nothing makes the card wait."""
    width, steps = (8, 6) if options.tiny else (32, steps)
    networks = [f"{network}.base_channels={width}" for network in ("generator", "discriminator")]
    length = ["trainer.max_epochs=null", f"trainer.max_steps={steps}", "trainer.check_val_every_n_epoch=null"]
    length += [f"trainer.val_check_interval={steps // 3}"]
    quiet = ["logger=csv", "callbacks.samples=null", "callbacks.checkpoint.every_n_minutes=null"]
    quiet += ["callbacks.checkpoint.min_seconds=100000", "trainer.benchmark=false", "data.cache=memory"]
    data = [f"data.batch_size={batch}", *([] if options.tiny else [f"data.size={size}"])]
    return [*fastest_settings(options), *networks, *length, *quiet, *data]


def few_pairs(whole: Path, folder: Path, pairs: int) -> Path:
    """A data set with so many evenly spaced training pairs, and all others of `whole`: links, in `folder`.

    Raises ValueError for more pairs than there are.
    """
    if pairs > (there := len(list((whole / "train").iterdir()))):
        raise ValueError(f"{pairs} pairs: {whole}/train has {there}; take as many or fewer.")
    for split in sorted(path.name for path in whole.iterdir() if path.is_dir()):
        (folder / whole.name / split).mkdir(parents=True, exist_ok=True)
        files = sorted((whole / split).resolve().iterdir())
        for file in files[:: len(files) // pairs][:pairs] if split == "train" else files:
            if not (link := folder / whole.name / split / file.name).is_symlink():
                link.symlink_to(file)
    return folder / whole.name


def choose_better(done: Results, candidates: Sequence[str] = PARTS) -> list[str]:
    """The parts whose gains over the paper's recipe exceed the spread of seeds, of rivals one; the best part first.

    The gain is the sum of those of LPIPS, class IoU and KID, each in units of the larger standard deviation over the
    seeds of both. None of the three may be worse by more than one unit.
    """
    gains = {part: measure_gains(done, part) for part in candidates}
    paying = {part: sum(each) for part, each in gains.items() if each and sum(each) > 1.5 and min(each) > -1}
    for rivals in RIVALS:
        for loser in sorted(set(rivals) & paying.keys(), key=lambda part: paying[part])[:-1]:
            del paying[loser]
    return sorted(paying, key=lambda part: -paying[part])


def measure_gains(done: Results, part: str) -> list[float]:
    """The gains of a part in the metrics of `LEAST_SPREAD`; none before two runs of it have ended."""
    gains = []
    for metric, least in LEAST_SPREAD.items():
        paper, ours = (
            [result[metric] for name, result in done.items() if name[:-1] == f"{what}_s" and metric in result]
            for what in (PAPER, part)
        )
        if min(len(paper), len(ours)) < 2:
            return []
        spread = max(least, statistics.stdev(paper), statistics.stdev(ours))
        difference = (statistics.mean(ours) - statistics.mean(paper)) / spread
        gains.append(difference if metric == "score_class_iou" else -difference)
    return gains
