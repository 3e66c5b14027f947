"""Splits Hydra's flags from overrides, and explains other flags: `--batch_size 4` is `data.batch_size=4` here."""

import difflib
import shlex
from collections.abc import Iterator, Mapping, Sequence

from pix2pix.config.quoting import FLAGS_WITH_VALUE

FLAGS = {
    *FLAGS_WITH_VALUE,
    *("--help", "-h", "--hydra-help", "--version", "--resolve", "--run", "-r", "--multirun", "-m"),
    *("--shell-completion", "-sc", "--experimental-rerun"),
}
FULL_NAMES = {
    **{"-c": "--cfg", "-p": "--package", "-cp": "--config-path", "-cn": "--config-name", "-cd": "--config-dir"},
    **{"-i": "--info", "-h": "--help", "-m": "--multirun", "-r": "--run", "-sc": "--shell-completion"},
}
# The options of other programs that train pix2pix, and the settings that replace them here.
FOREIGN_OPTIONS = {
    **dict.fromkeys(("dataroot", "data_dir", "dataset", "input_dir", "data_path", "datapath"), "data.path"),
    **dict.fromkeys(("n_epochs", "niter", "epochs", "num_epochs", "max_epochs", "epoch"), "trainer.max_epochs"),
    **dict.fromkeys(("crop_size", "finesize", "image_size", "img_size", "imsize", "resolution"), "data.size"),
    **dict.fromkeys(("load_size", "loadsize", "scale_size"), "data.load_height"),
    **dict.fromkeys(("n_epochs_decay", "niter_decay"), "schedule=linear schedule.decay"),
    **dict.fromkeys(("gpu_ids", "gpus", "gpu", "devices"), "trainer.devices"),
    **dict.fromkeys(("num_threads", "nthreads", "workers", "num_workers"), "data.num_workers"),
    **dict.fromkeys(("checkpoints_dir", "output", "out", "outdir", "save_dir"), "output_dir"),
    **dict.fromkeys(("learning_rate", "lr"), "optimizer.lr"),
    **dict.fromkeys(("batchsize", "bs", "batch_size"), "data.batch_size"),
    **{"ngf": "generator.base_channels", "ndf": "discriminator.base_channels", "which_direction": "data.direction"},
    **{
        "netg": "generator",
        "netd": "discriminator",
        "lambda_l1": "objective.l1_weight",
        "l1_weight": "objective.l1_weight",
    },
    **{
        "continue_train": "resume",
        "no_flip": "data.mirror",
        "gan_mode": "objective.adversarial",
        "beta1": "optimizer.betas",
    },
}


def split_flags(words: Sequence[str]) -> tuple[list[str], dict[str, str | None]]:
    """Splits the words into overrides and Hydra's flags, these by their full names and with their values."""
    overrides: list[str] = []
    flags: dict[str, str | None] = {}
    parts = iter([part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])])
    for word in parts:
        flag = FULL_NAMES.get(word, word)
        if not word.startswith("-"):
            overrides.append(word)
        else:
            flags[flag] = next(parts, "") if flag in FLAGS_WITH_VALUE else None
    return overrides, flags


def join_flags(flags: Mapping[str, str | None], *left_out: str) -> list[str]:
    """The flags as words again, without some of them."""
    pairs = ((flag, value) for flag, value in flags.items() if flag not in left_out)
    return [word for pair in pairs for word in pair if word is not None]


def require_settings(words: Sequence[str]) -> None:
    """Raises ValueError for a flag that Hydra does not have, with the setting that was probably meant."""
    for at, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if not word.startswith("-") or flag in FLAGS or any(known.startswith(flag) for known in FLAGS):
            continue
        following = words[at + 1] if at + 1 < len(words) else ""
        is_value = not equals and following and not following.startswith("-") and "=" not in following
        raise ValueError(_explain(flag, value if equals else following if is_value else "VALUE"))


def _explain(flag: str, value: str) -> str:
    settings = list(dict.fromkeys(_find_settings(flag.lstrip("-"))))[:3]
    if not settings:
        return (
            f"{flag}: there is no such option. Settings are written without dashes and with an equals sign, as in "
            "data.batch_size=4; `pix2pix train --help` shows them."
        )
    shown = value if value == "VALUE" else shlex.quote(value)
    meant = " or ".join(f"{setting}={shown}" for setting in settings)
    return f"{flag}: there is no such option. Settings are written without dashes and with an equals sign:\n  {meant}"


def _find_settings(name: str) -> Iterator[str]:
    """The settings that a name may mean, the most likely first."""
    from pix2pix.config.compose import CONFIGS, compose_settings
    from pix2pix.config.identity import flatten

    name = name.replace("-", "_")
    known = [key for key, _ in flatten(compose_settings([]))]
    groups = [group.name for group in CONFIGS.iterdir() if group.is_dir()]
    if name in [*known, *groups]:
        yield name
        return
    if name.lower() in FOREIGN_OPTIONS:
        yield FOREIGN_OPTIONS[name.lower()]
        return
    last = {key: key.rpartition(".")[2] for key in known}
    meant = difflib.get_close_matches(name, known, 1, 0.75)
    close = {name, *difflib.get_close_matches(name, list(last.values()), 1, 0.75)}
    same = [key for key in last if last[key].lower() == name.lower()] or [key for key in last if last[key] in close]
    fewest = min((key.count(".") for key in same), default=0)
    yield from [key for key in same if key.count(".") == fewest] or meant
