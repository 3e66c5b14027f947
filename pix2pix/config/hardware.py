"""Selects accelerator, precision and kernels for `trainer=auto` and `precision=auto`."""

from collections.abc import Mapping
from typing import Any

import torch

from pix2pix.core.devices import find_gpu
from pix2pix.core.spinning import spins_less

AUTO = "auto"


def has_fast_bf16(accelerator: Any) -> bool:
    """Whether bfloat16 is faster than float32 on this machine: a CPU needs AVX512-BF16 or AMX."""
    if accelerator == "mps":
        return False  # autocast to bfloat16 was not tried on Apple's GPUs
    if accelerator == "gpu":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def select_hardware(trainer: Mapping[str, Any], precision: Any, *, sizes_vary: bool = False) -> dict[str, Any]:
    """Chooses what `trainer` and `precision` leave open: one GPU if there is one, else the CPU.

    Only one device, because a second one would double the pairs of a step and so change the training; `trainer=ddp`
    takes all. float32, unless `precision` is auto and the device has instructions for bfloat16. On the CPU the same
    command gives the same weights, bit for bit; on a GPU it uses the fastest kernels, as `trainer=gpu` does.

    Args:
        trainer: the settings of Lightning's trainer; `auto` and None are chosen here.
        precision: the setting `precision`.
        sizes_vary: whether pictures keep their own sizes.
    """
    # Only settings that are `auto` or unset are chosen; whatever the user has set stays.
    accelerator, found = trainer.get("accelerator"), {}
    if accelerator == AUTO:
        accelerator = {"cuda": "gpu", "mps": "mps", None: "cpu"}[find_gpu()]
        choice = {"devices": 1, "deterministic": accelerator == "cpu"}
        found = {name: value for name, value in choice.items() if trainer.get(name) in {AUTO, None}}
    if accelerator == "gpu" and find_gpu() == "mps":
        accelerator = "mps"  # as Lightning understands it
    if precision == AUTO:
        found["precision"] = "bf16-mixed" if has_fast_bf16(accelerator) else 32
    # cuDNN's trials depend on the choices above, so they are decided last.
    found |= {"accelerator": accelerator}
    return found | {"benchmark": _tries_kernels({**trainer, **found}, sizes_vary)}


def _tries_kernels(trainer: Mapping[str, Any], sizes_vary: bool) -> bool:
    """Whether cuDNN times its kernels for each new shape and takes the fastest: `trainer.benchmark`, null by default.

    The timing may choose other kernels in the next process, and these round differently: never for deterministic runs.
    If every picture has another size, the trials take longer than the steps.
    """
    if trainer.get("deterministic"):
        return False
    chosen = trainer.get("benchmark")
    return trainer["accelerator"] in {"gpu", "cuda"} and not sizes_vary if chosen in {AUTO, None} else bool(chosen)


def _advise_precision(precision: Any) -> str:
    """Names the faster precision where another one is set. A CPU without instructions for bfloat16 emulates it."""
    if has_fast_bf16("cpu"):
        return "; precision=bf16-mixed would be faster here" if precision in {32, "32", "32-true"} else ""
    slow = str(precision).startswith("bf16")
    return "; precision=32 would be faster here: this CPU has no instructions for bfloat16" if slow else ""


def describe_hardware(found: Mapping[str, Any], precision: Any) -> str:
    """Describes the chosen device, its threads and precision, and what would be faster."""
    number = found.get("precision", precision)
    in_words = f"precision {number}{' (picked)' if 'precision' in found else ''}"
    if found["accelerator"] == "mps":
        return f"the Apple GPU, {in_words}"
    if found["accelerator"] != "gpu":
        threads = f"{torch.get_num_threads()} threads" if torch.get_num_threads() > 1 else "1 thread"
        beside = ", which give way to another training on this machine" if spins_less() else ""
        return f"the CPU with {threads}{beside}, {in_words}{_advise_precision(number)}"
    others = torch.cuda.device_count() - 1
    also = f"; trainer=ddp takes all {others + 1} GPUs" if others else ""
    return f"one GPU ({torch.cuda.get_device_name(0)}), {in_words}{also}"
