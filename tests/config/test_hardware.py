"""What is left to the machine, and what the machine's memory costs."""

import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from pix2pix.config.hardware import describe_hardware, select_hardware
from pix2pix.core.allocator import SWITCH, USER_CHOICES
from pix2pix.runs.run import Run
from pix2pix.training import build
from tests import conftest
from tests.conftest import TINY, make_config, pix2pix


@pytest.fixture
def card(monkeypatch):
    """A machine with four GPUs, as far as torch says."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "Card")


@pytest.fixture
def no_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def select(*overrides: str):
    config = make_config(*overrides)
    here = select_hardware(config.trainer, config.precision, sizes_vary=not config.data.has_one_size)
    assert config.hardware_here() == here
    return here


def test_without_a_gpu_it_is_the_cpu_bit_for_bit_in_float32(no_card):
    assert select() == {"accelerator": "cpu", "devices": 1, "deterministic": True, "benchmark": False}


def test_a_gpu_is_taken_where_there_is_one_and_one_only(card):
    found = select()
    assert found == {"accelerator": "gpu", "devices": 1, "deterministic": False, "benchmark": True}
    assert describe_hardware(found, 32) == "one GPU (Card), precision 32; trainer=ddp takes all 4 GPUs"


def test_what_the_user_chose_is_kept(card):
    assert select("trainer.deterministic=false", "trainer.devices=2") == {"accelerator": "gpu", "benchmark": True}
    assert select("trainer=cpu") == {"accelerator": "cpu", "benchmark": False}


@pytest.mark.parametrize("trainer", ["trainer=auto", "trainer=gpu", "trainer=ddp"])
def test_cudnn_tries_its_kernels_where_that_pays(card, trainer):
    """Not where runs are to be equal bit for bit, nor where each picture would be another size to try them for."""
    never = ["trainer.deterministic=true", "trainer.deterministic=warn", "data.preprocess=none"]
    assert [select(trainer, *also)["benchmark"] for also in ([], *([word] for word in never))] == [True] + [False] * 3
    assert not select(trainer, "trainer.benchmark=false")["benchmark"]
    assert not select(trainer, "trainer.deterministic=true", "trainer.benchmark=true")["benchmark"]
    assert select(trainer, "data.preprocess=none", "trainer.benchmark=true")["benchmark"], "who says so is heard"


def test_what_was_picked_is_what_torch_is_told(tmp_path, monkeypatch, no_card):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    config = make_config(f"output_dir={tmp_path}")
    build.build_trainer(config, Run(config.run_dir))
    assert torch.backends.cudnn.benchmark is False


@pytest.mark.parametrize(("overrides", "allowed"), [([], True), (["execution.tf32=false"], False)])
def test_convolutions_are_in_tf32_unless_the_user_says_otherwise(tmp_path, monkeypatch, no_card, overrides, allowed):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", not allowed)
    config = make_config(f"output_dir={tmp_path}", *overrides)
    build.build_trainer(config, Run(config.run_dir))
    assert torch.backends.cudnn.allow_tf32 is allowed


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, 32)])
def test_bfloat16_takes_both_the_instructions_and_the_users_word(no_card, monkeypatch, bf16, precision):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": bf16})
    assert "precision" not in select()
    assert select("precision=auto")["precision"] == precision
    assert ("precision=bf16-mixed would be faster" in describe_hardware(select(), 32)) == bf16
    assert ("precision=32 would be faster" in describe_hardware(select(), "bf16-mixed")) != bf16


def test_float16_is_refused_where_auto_means_the_cpu(no_card):
    with pytest.raises(SystemExit, match="needs a GPU"):
        pix2pix("train", "precision=16-mixed")


def test_a_training_says_what_it_runs_on(tmp_path, capsys, no_card):
    pix2pix("train", *TINY, f"output_dir={tmp_path}", "trainer.max_epochs=1", "precision=auto")
    output = capsys.readouterr().out
    assert "It runs on the CPU with 1 thread, precision " in output
    assert "tf32" not in output
    assert Run(tmp_path / "synthetic_facades").config().precision == select("precision=auto")["precision"]


def test_tests_see_a_gpu_only_where_they_are_asked_for_by_their_marker(monkeypatch):
    for expression, seen in (("gpu", "0"), ("not slow", ""), ("", "")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
        conftest.pytest_configure(SimpleNamespace(option=SimpleNamespace(markexpr=expression)))
        assert os.environ["CUDA_VISIBLE_DEVICES"] == seen


FAULTS = """
import resource
from pix2pix.core.allocator import keep_freed_memory
kept = keep_freed_memory()
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20): b"a" * 40_000_000
before = faults()
for _ in range(10): b"a" * 40_000_000
print(kept, faults() - before)
"""


def count_faults(**environment: str) -> tuple[str, int]:
    names = {name: value for name, value in os.environ.items() if not name.startswith((*USER_CHOICES, SWITCH))}
    ran = subprocess.run(
        [sys.executable, "-c", FAULTS], env=names | environment, capture_output=True, text=True, check=True
    )
    kept, faults = ran.stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator than glibc's")
def test_freed_memory_is_kept_unless_the_user_says_otherwise():
    kept, faults = count_faults()
    assert kept == "True"
    assert faults < 100
    for environment in ({"PIX2PIX_KEEP_MEMORY": "0"}, {"MALLOC_ARENA_MAX": "2"}):
        kept, faults = count_faults(**environment)
        assert kept == "False"
        assert faults > 1000


@pytest.mark.parametrize("accelerator", ["auto", "gpu"])
def test_an_apple_gpu_is_taken_in_float32(accelerator, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    found = select_hardware({"accelerator": accelerator}, "auto")
    assert (found["accelerator"], found["precision"], found["benchmark"]) == ("mps", 32, False)
    assert describe_hardware(found, "auto") == "the Apple GPU, precision 32 (picked)"
