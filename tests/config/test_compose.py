"""What becomes of the words of a sweep: which jobs, under which names, by which command lines."""

import os
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from pix2pix.cli.sweep_jobs import _quote
from pix2pix.config.compose import compose_command_line
from pix2pix.config.resolvers import LONGEST_NAME, RESOLVERS, without_slashes
from pix2pix.runs.job_pool import JobPool, JobResult
from pix2pix.runs.sweep import SWEEP, Job
from tests.conftest import TINY, pix2pix


def _fail_all(_pool: JobPool, jobs: Iterable[Job]) -> list[tuple[Job, JobResult]]:
    return [(job, JobResult("failed", f"PYTHONSAFEPATH={os.environ.get('PYTHONSAFEPATH')}")) for job in jobs]


@pytest.fixture
def planned(monkeypatch, tmp_path):
    """A function that gives the jobs of a sweep, none of which is judged or run."""
    monkeypatch.setattr("pix2pix.config.check.parse_and_check", lambda config: None)
    monkeypatch.setattr(JobPool, "run", _fail_all)
    monkeypatch.chdir(tmp_path)

    def jobs(*words: str) -> list[Job]:
        with pytest.raises(SystemExit) as end:  # as no run is finished
            pix2pix("train", "-m", *words)
        assert end.value.code == 1, end.value
        return list(SWEEP.jobs.values())

    return jobs


def compose_job(job: Job) -> dict:
    """The configuration that the command of a job composes."""
    *python, command = job.command()[:4]
    assert (python, command) == ([sys.executable, "-m", "pix2pix.cli"], "train")
    return compose_command_line(job.command()[4:])


def an_experiment(folder: Path, name: str = "mine", content: str = "seed: 7") -> None:
    (folder / "experiment").mkdir(parents=True, exist_ok=True)
    (folder / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{content}\n")


def test_any_path_is_the_same_path_for_the_job():
    draw = random.Random(0)
    for _ in range(500):
        text = "".join(draw.choices("\\\\\\'\"${}$ab ,=[]é漢/@:~#%()!*\n", k=draw.randint(1, 12)))
        value = OverridesParser.create().parse_override(f"key={_quote(text)}").value()
        assert OmegaConf.create({"key": value, "a": 1}).key == text


def test_a_job_finds_its_directory_whatever_it_is_called(planned):
    folder = r"""back\slash it's "a" b=c,d é漢 $HOME ${name} {x} end\\"""
    (job,) = planned("seed=choice(1)", f"output_dir={_quote(folder)}", "sweep_name=s")
    assert job.run.path == Path(folder, "s", "seed=1")
    assert compose_job(job)["run_dir"] == str(job.run.path)


def test_a_sweep_of_a_glob_is_named_as_its_list_is(planned):
    jobs = planned(
        "discriminator=glob(p*,exclude=[patch3*,patch7*])", "seed=1,1"
    )  # the same settings twice are one run
    assert [job.name for job in jobs] == [f"discriminator={d},seed=1" for d in ("patch142", "patch16", "pixel")]


def test_all_experiments_of_a_glob_are_checked_before_one_is_run(tmp_path):
    an_experiment(tmp_path / "own", "aaa")
    an_experiment(tmp_path / "own", "aab", "generator: {dropout: 3}")
    with pytest.raises(SystemExit, match=r"in job 'experiment=aab' (.|\n)*No job was started"):
        pix2pix("train", "-m", "--config-dir", str(tmp_path / "own"), "experiment=glob(aa*)")
    assert not SWEEP.jobs


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["experiment=glob(nothing*)"], r"experiment=glob\(nothing\*\) has no values"),
        (["seed=range(3,3)"], r"seed=range\(3,3\) has no values"),
        (["seed=interval(1,3)"], r"needs a search \(hydra/sweeper=optuna\). Or give values: seed=1,2,3"),
        (
            ["seed=0,1", "hydra.sweep.subdir=same"],
            r"same: is also the directory of job 'seed=0.*Each run needs its own",
        ),
    ],
    ids=lambda words: words[-1] if isinstance(words, list) else "",
)
def test_a_sweep_that_cannot_be_is_refused_in_words(tmp_path, words, complaint):
    with pytest.raises(SystemExit, match=complaint):
        pix2pix("train", "-m", *words, f"output_dir={tmp_path}")
    assert not SWEEP.jobs
    assert not list(tmp_path.iterdir())


def test_jobs_find_their_configuration_where_the_sweep_does(planned, tmp_path):
    an_experiment(tmp_path / "searched", "first")
    an_experiment(tmp_path / "given", "second", "seed: 8")
    where = ["--config-dir", str(tmp_path / "given"), f"hydra.searchpath=[file://{tmp_path / 'searched'}]"]
    jobs = planned(*where, "experiment=first,second", "hydra.launcher.jobs=1", "hydra.sweep.subdir=${hydra.job.num}")
    assert [(job.name, compose_job(job)["seed"]) for job in jobs] == [("0", 7), ("1", 8)]


def test_jobs_find_the_folder_of_configurations_that_the_sweep_has_found(planned, tmp_path):
    an_experiment(tmp_path / "configs", "first")
    an_experiment(tmp_path / "configs", "second", "seed: 8")
    jobs = planned("experiment=first,second")
    found = [(job.name, compose_job(job)["seed"]) for job in jobs]
    assert found == [("experiment=first", 7), ("experiment=second", 8)]


def test_a_sweep_of_debug_runs_uses_up_no_name(planned):
    first, _second = planned("debug=fast", "seed=1,2")
    assert first.run.path == Path("outputs/debug/synthetic_facades_sweep/seed=1")
    assert compose_job(first)["resume"] == "never"


def test_a_value_that_a_file_leaves_to_the_user_is_asked_for(tmp_path):
    (tmp_path / "generator").mkdir()
    (tmp_path / "generator" / "mine.yaml").write_text("_target_: pix2pix.models.UNet\nbase_channels: ???\n")
    with pytest.raises(SystemExit, match=r"generator\.base_channels: is not set.*Set generator\.base_channels=VALUE"):
        pix2pix("train", "--cfg", "job", "--config-dir", str(tmp_path), "generator=mine")


def test_a_file_that_is_no_yaml_is_named_with_the_place(tmp_path):
    an_experiment(tmp_path, content="generator: {base_channels: [}")
    with pytest.raises(SystemExit, match=r"mine\.yaml(.|\n)*line 2, column"):
        pix2pix("train", "--cfg", "job", "--config-dir", str(tmp_path), "experiment=mine")


def test_a_sweep_in_which_nothing_differs_is_named_shortly(planned):
    (job,) = planned("seed=0", "name=n", "output_dir=o")
    assert job.run.path == Path("o", "n_sweep", "seed=0")
    (long,) = planned("seed=0", *TINY)
    assert len(long.name) <= LONGEST_NAME
    assert without_slashes("") == "run"


@pytest.mark.parametrize("letter", ["a", "é", "漢"])
def test_long_names_are_cut_and_stay_apart(letter):
    names = [without_slashes(f"data.path={letter * 200}/{end}") for end in "xy"]
    assert all(len(name.encode()) <= LONGEST_NAME for name in names)
    assert names[0] != names[1]
    assert names[0] == without_slashes(f"data.path={letter * 200}/x")


def test_the_jobs_of_a_sweep_do_not_import_from_the_current_folder(planned, monkeypatch):
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    monkeypatch.setattr(sys, "path", ["/usr/bin", *sys.path])  # as the console script's
    (job,) = planned("seed=0")
    assert SWEEP.outcome(job) == ("failed", "PYTHONSAFEPATH=1")
    assert "PYTHONSAFEPATH" not in os.environ


OTHER_PROGRAM = """
import sys
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf
Plugins.instance()  # as every Hydra program does: imports the plugins of all packages
assert "hydra_plugins.pix2pix_search" in sys.modules
print([name for name in sys.modules if name.partition(".")[0] in {"pix2pix", "torch", "pydantic", "optuna"}])
for name in ("absolute_path", "load_size", "pix2pix.load_size"):
    OmegaConf.register_new_resolver(name, lambda _: "mine")
print(OmegaConf.create({"x": "${absolute_path:a}"}).x)
"""


def test_other_hydra_programs_do_not_notice_us():
    output = subprocess.run([sys.executable, "-c", OTHER_PROGRAM], capture_output=True, text=True, check=True).stdout
    assert output.splitlines() == ["[]", "mine"]


def test_our_resolvers_bear_our_name_and_leave_those_of_others_alone():
    assert compose_command_line(["data.size=128"])["data"]["load_height"] == 143
    assert not any(OmegaConf.has_resolver(resolver.__name__) for resolver in RESOLVERS)


def test_a_resolver_under_its_former_name_is_refused_with_the_new_one():
    with pytest.raises(SystemExit, match=r"\$\{load_size:\.\.\.\} is called \$\{pix2pix\.load_size:\.\.\.\}, in x"):
        pix2pix("train", "--cfg", "job", "+x=${load_size:256,true}")
