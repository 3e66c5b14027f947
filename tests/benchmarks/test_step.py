"""The other side of every ratio is the reference, and ours does the same sums."""

import importlib
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from benchmarks.reference_step import ReferenceStep, patchgan, unet
from pix2pix.config.hardware import has_fast_bf16
from pix2pix.models import PatchGAN, UNet
from pix2pix.models.initialisation import initialise
from pix2pix.models.losses import CrossEntropy, LeastSquares
from pix2pix.models.objective import Objective
from pix2pix.models.reference_weights import convert_reference_weights
from pix2pix.training.step import pix2pix_step
from tests.conftest import TINY, command
from tests.parity import Fixture, needs_fixtures, relative_error_of_change
from tests.training.test_module import updater
from tests.waiting import nothing_waits

ROOT = Path(__file__).parents[2]
LOSSES = {"vanilla": CrossEntropy, "lsgan": LeastSquares}


@needs_fixtures
@pytest.mark.parametrize(
    ("name", "depth", "strided"), [("unet256_patch70_vanilla", 8, 3), ("unet128_pixel_lsgan", 7, 0)]
)
def test_the_reference_side_computes_what_the_original_did(name, depth, strided):
    fixture = Fixture(name)
    base_g, base_d = fixture.options["ngf"], fixture.options["ndf"]
    generator, discriminator = unet(depth, base_g, dropout=0.0), patchgan(strided, base_d)
    generator.load_state_dict(fixture.state("init.G", generator))
    discriminator.load_state_dict(fixture.state("init.D", discriminator))
    step = ReferenceStep(generator, discriminator, fixture.options["gan_mode"])
    for theirs in fixture.losses:
        assert step(fixture.source, fixture.target) == pytest.approx(theirs, rel=2e-4, abs=1e-6)
    for player, network in (("G", generator), ("D", discriminator)):
        first, last = (fixture.state(f"{when}.{player}", network) for when in ("init", "final"))
        assert relative_error_of_change(network, last, first) < 0.12


@pytest.mark.parametrize("mode", ["vanilla", "lsgan"])
def test_in_float64_three_steps_move_every_weight_as_the_reference_does(mode):
    torch.manual_seed(0)
    theirs_g, theirs_d = unet(5, 4, dropout=0.0).double(), patchgan(2, 4).double()
    generator = UNet(base_channels=4, depth=5, dropout=0.0).double()
    discriminator = PatchGAN(6, receptive_field=34, base_channels=4).double()
    generator.load_state_dict(convert_reference_weights(theirs_g.state_dict(), generator))
    discriminator.load_state_dict(convert_reference_weights(theirs_d.state_dict(), discriminator))
    source, target = torch.rand(2, 2, 3, 64, 64, dtype=torch.float64) * 2 - 1
    reference, objective = ReferenceStep(theirs_g, theirs_d, mode), Objective(LOSSES[mode](), l1_weight=100.0)
    updates = updater(generator), updater(discriminator)
    for _ in range(3):
        reference(source, target)
        pix2pix_step(source, target, generator, discriminator, objective, *updates)
    for theirs, ours in ((theirs_g, generator), (theirs_d, discriminator)):
        expected = convert_reference_weights(theirs.state_dict(), ours)
        for name, value in ours.named_parameters():
            assert torch.allclose(value, expected[name], rtol=1e-6, atol=1e-9), name


def test_the_reference_side_is_as_large_as_ours_and_has_its_dropout():
    theirs, ours = unet(), UNet()
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in ours.parameters())
    drops = [[m for m in network.modules() if isinstance(m, torch.nn.Dropout)] for network in (theirs, ours)]
    assert [len(found) for found in drops] == [3, 3]


@pytest.mark.parametrize("mode", ["vanilla", "lsgan"])
def test_the_reference_side_stays_on_its_device_and_reads_its_losses_as_seldom_as_the_authors(monkeypatch, mode):
    with torch.device("meta"):  # tensors without numbers: reading one is an error
        networks = unet(6, 4), patchgan(2, 4)
    step, pair = ReferenceStep(*networks, mode, read_every=3), torch.rand(2, 1, 3, 64, 64, device="meta")
    with nothing_waits(monkeypatch):
        assert [step(*pair), step(*pair)] == [{}, {}]
        with pytest.raises((RuntimeError, NotImplementedError)):
            step(*pair)


# Emulated bfloat16 takes half a minute.
BF16 = pytest.param(True, 5e-3, marks=[] if has_fast_bf16("cpu") else pytest.mark.slow)


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 1e-3), BF16])
def test_six_steps_have_the_losses_of_the_reference(bf16, tolerance):
    torch.manual_seed(0)
    theirs_g, theirs_d = unet(base=16, dropout=0.0), patchgan(base=16)
    for network in (theirs_g, theirs_d):
        initialise(network)
    generator, discriminator = UNet(base_channels=16, dropout=0.0), PatchGAN(6, base_channels=16)
    generator.load_state_dict(convert_reference_weights(theirs_g.state_dict(), generator))
    discriminator.load_state_dict(convert_reference_weights(theirs_d.state_dict(), discriminator))
    source, target = torch.rand(2, 1, 3, 256, 256) * 2 - 1
    reference, objective = ReferenceStep(theirs_g, theirs_d), Objective(CrossEntropy())
    updates = updater(generator, fused=True), updater(discriminator, fused=True)
    for _ in range(6):
        expected = reference(source, target)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            losses = pix2pix_step(source, target, generator, discriminator, objective, *updates)["losses"]
        ours = {name: losses[name.lower()].item() * (100 if name == "G_L1" else 1) for name in expected}
        assert ours == pytest.approx(expected, rel=tolerance)


@pytest.mark.slow
def test_the_benchmark_lets_both_sides_take_turns_and_writes_what_it_measured(tmp_path):
    file = tmp_path / "result.json"
    sides = ["--what", "overhead", "--sizes", "32", "--sides", "narrow", "narrow_train", "--threads", "1"]
    command = [sys.executable, "benchmarks/benchmark.py", *sides, "--rounds", "2", "--steps", "2", "--json", str(file)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    content = json.loads(file.read_text())
    (result,) = content["results"]["overhead"]
    assert content["machine"]["torch"] == torch.__version__
    assert result["sides"]["narrow"]["times_as_fast"] == {"median": 1.0, "low": 1.0, "high": 1.0}
    assert result["sides"]["narrow_train"]["ms"]["median"] > 0


def make_result(ratio: float, spread_of_it: float = 0.1) -> dict:
    row = {"ms": 1, "ms_more": 0, "processor_times": 1, "times_as_fast": ratio}
    spread = {name: {"median": v, "low": v - spread_of_it, "high": v + spread_of_it} for name, v in row.items()}
    side = spread | {"page_faults": 0, "peak_mebibytes": 0}
    return {"size": 256, "batch": 1, "rounds": 3, "steps_a_turn": 1, "threads": 0, "sides": {"ours": side}}


@pytest.mark.parametrize(
    ("now", "spread", "falls"),
    [(1.5, 0.1, False), (1.35, 0.1, False), (1.25, 0.1, True), (1.45, 0.0, False), (1.4, 0.0, True)],
)
def test_the_check_fails_when_a_ratio_fell_by_more_than_its_spread(tmp_path, monkeypatch, now, spread, falls):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    program = importlib.import_module("benchmark")
    monkeypatch.setattr(program, "compare_steps", lambda case, threads: make_result(now, spread))
    file = tmp_path / "recorded.json"
    machine = {"instructions": torch.backends.cpu.get_cpu_capability()}
    file.write_text(json.dumps({"machine": machine, "results": {"step": [make_result(1.5, spread)]}}))
    with pytest.raises(SystemExit, match="step 256x256 batch 1, ours") if falls else nullcontext():
        program.check([file])


def test_the_check_takes_the_record_of_the_same_family_of_cpus(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    program = importlib.import_module("benchmark")
    here = program.describe_machine()
    for name, machine in (
        ("first", {"instructions": here["instructions"]}),
        ("other", {"instructions": "NEON", "family": here["family"]}),
        ("own", {"instructions": here["instructions"], "family": here["family"]}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({"machine": machine | {"name": name}}))
    files = [tmp_path / f"{name}.json" for name in ("first", "other", "own")]
    assert program.find_record(files)["machine"]["name"] == "own"
    assert program.find_record(files[:2])["machine"]["name"] == "first"
    with pytest.raises(SystemExit, match="the records are of NEON"):
        program.find_record(files[1:2])


def test_on_paper_gpus_wait_for_gradients_as_long_as_links_need(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    program = importlib.import_module("ddp_model")
    passed = program.layers(torch.nn.Sequential(UNet()).to("meta"), torch.empty(1, 3, 256, 256, device="meta"), width=4)
    assert 2 * sum(layer.operations for layer in passed) / 2e9 == pytest.approx(12.1, abs=0.05)
    assert sum(layer.size for layer in passed) == pytest.approx(4 * 54.4e6, rel=1e-2)  # norms are left out

    def exposed_time(rate: float, bytes_a_second: float, bucket: float) -> float:
        return program.exposed_time(passed, rate, program.Links("two", 2, bytes_a_second, None, 0.0), bucket)

    whole = sum(layer.size for layer in passed)
    assert exposed_time(1e12, 1e9, 1e12) == pytest.approx(whole / 1e9), "in one message nothing is hidden"
    assert exposed_time(1e9, 1e12, 1e6) < exposed_time(1e9, 1e12, 1e12), "in buckets most of it is"
    assert exposed_time(1e15, 1e9, 1e6) == pytest.approx(whole / 1e9, rel=0.05), (
        "where links are slow buckets change nothing"
    )


@pytest.mark.slow
def test_the_profile_shares_out_a_step_and_its_operations(tmp_path):
    file = tmp_path / "profile.json"
    command = [sys.executable, "benchmarks/profile_step.py", "--size", "32", "--steps", "3", "--json", str(file)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    found = json.loads(file.read_text())
    forward, backward = found["gflop"]["G, forward"], found["gflop"]["G, backward"]
    assert 2 < backward / forward < 4, "G's backward pass leads through D"
    assert min(found["parts_ms"]["G, forward"], found["kinds_ms"]["convolutions, backward"]) > 0


def test_a_power_law_has_its_exponent_and_too_few_rows_have_none(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    program = importlib.import_module("benchmark_growth")
    rows = [{"count": count, "values": {"seconds": 3 * count**1.5, "nothing": 0.0}} for count in (10, 100, 1000)]
    assert program.exponent(rows, "seconds") == pytest.approx(1.5)
    assert program.exponent(rows[:1], "seconds") is None
    assert program.exponent(rows, "nothing") is None


@pytest.mark.slow
def test_growth_is_measured_row_by_row_and_what_was_measured_before_stays(tmp_path):
    file, phases = tmp_path / "growth.json", ["find and match", "fingerprint", "first batch", "order of an epoch"]
    before = {"count": 10, "label": "10", "values": {f"{phase}, s": 1.0 for phase in phases} | {"more memory, MiB": 1}}
    file.write_text(json.dumps({"results": {"runs": {"rows": []}, "pairs_in_two_folders": {"rows": [before]}}}))
    words = ["--what", "pairs_in_two_folders", "--counts", "20", "--folder", str(tmp_path), "--json", str(file)]
    subprocess.run(
        [sys.executable, "benchmarks/benchmark_growth.py", *words], cwd=ROOT, check=True, capture_output=True
    )
    results = json.loads(file.read_text())["results"]
    kept, row = results["pairs_in_two_folders"]["rows"]
    assert (results["runs"], kept) == ({"rows": []}, before)
    assert row["count"] == 20
    assert all(row["values"][f"{phase}, s"] > 0 for phase in phases)


@pytest.mark.slow
def test_the_clock_of_the_start_stops_after_one_step(tmp_path):
    words = [*TINY, f"output_dir={tmp_path}", "name=tiny"]
    result = command("train", *words, "+callbacks.first_step._target_=benchmarks.first_step.FirstStep", cwd=ROOT)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("first step {'d_fake': ") == 1


def test_on_a_gpu_a_turn_ends_when_the_device_has_ended_and_steps_have_equal_shares(monkeypatch):
    from benchmarks import contenders

    calls = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: calls.append("wait"))
    monkeypatch.setattr(contenders.time, "perf_counter", iter([0.0, 1.0, 2.0, 9.0]).__next__)
    assert contenders.time_steps(lambda: calls.append("step"), 3, "cuda") == [3.0] * 3
    assert calls == ["step", "step", "step", "wait"]


def test_the_sides_of_a_gpu_are_there():
    from benchmarks import benchmark, contenders

    sides = {side for cases in benchmark.GPU_CASES.values() for _, names, *_ in cases for side in names}
    assert sides <= {"reference", *contenders.CONTENDERS}
