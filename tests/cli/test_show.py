"""What the command line tells without training: settings, choices, completions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pix2pix.cli.completion import completion_script, join_at_equals
from tests.conftest import command_line, pix2pix


@pytest.fixture
def own_configs(tmp_path, monkeypatch):
    """A working directory whose folder `configs` has a generator and, by names of ours, what only breaks."""
    monkeypatch.chdir(tmp_path)
    for name in ("generator/mine", "generator/_part", "generator/unet", "experiment/odd", "mlflow/server", "train"):
        file = tmp_path / "configs" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{{ no YAML")
    (tmp_path / "configs/generator/mine.yaml").write_text("_target_: pix2pix.models.UNet\nbase_channels: 5\n")
    return tmp_path / "configs"


def show(capsys, *words: str):
    capsys.readouterr()
    pix2pix("train", *words)
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("flags", [["--cfg", "job", "--resolve"], ["--cfg=job"], ["-m", "-c", "job"]])
def test_the_whole_configuration_is_shown_resolved(capsys, flags):
    config = show(capsys, "seed=3", *flags)
    assert (config["seed"], config["run_dir"]) == (3, "outputs/synthetic_facades")


def test_a_part_of_the_configuration_is_shown_alone(capsys):
    assert show(capsys, "--cfg", "job", "--package", "data.source", "data.size=64")["height"] == 64
    assert show(capsys, "--cfg", "job", "-p", "data.size") == 256
    with pytest.raises(SystemExit, match="generater: there is no setting 'generater' here; did you mean generator"):
        pix2pix("train", "--cfg", "job", "--package", "generater")


def test_a_configuration_that_cannot_be_run_is_shown_with_its_problems(capsys):
    with pytest.raises(SystemExit, match="colour: there is no setting 'colour' here"):
        pix2pix("train", "--cfg", "job", "+colour=red")
    assert yaml.safe_load(capsys.readouterr().out)["colour"] == "red"


def test_hydra_tells_how_it_composes(capsys):
    pix2pix("train", "--info", "defaults-tree", "generator=resnet9")
    assert capsys.readouterr().out.count("generator: resnet9") == 1


def test_help_offers_no_parts_of_options(capsys):
    pix2pix("train", "--help")
    output = capsys.readouterr().out
    assert "objective: cgan, gan, l1" in output
    assert "_settings" not in output
    assert "hydra/launcher:" not in output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiment=facadez"], "experiment=facadez: there is no such option; did you mean facades? Choose from"),
        (["objective/adversarial=hing"], "objective/adversarial=hing: there is no such option; did you mean hinge?"),
        (["data=xyz"], "data=xyz: there is no such option. Choose from cityscapes, derived,"),
        (["-m", "experiment=facadez,maps"], "did you mean facades?"),
    ],
)
def test_an_option_that_is_not_there_is_answered_with_the_nearest(words, message):
    with pytest.raises(SystemExit) as end:
        pix2pix("train", *words)
    assert message in str(end.value.code)
    assert "_settings" not in str(end.value.code)


def test_a_folder_of_configurations_in_the_working_directory_is_found_and_told(own_configs, capsys, caplog):
    caplog.set_level("INFO")
    assert show(capsys, "--cfg", "job", "generator=mine")["generator"]["base_channels"] == 5
    assert caplog.messages == [f"Also using the options in {own_configs}: experiment=odd, generator=mine."]


def test_a_folder_of_configurations_replaces_none_of_ours(own_configs, capsys):
    assert show(capsys, "--cfg", "job")["generator"]["base_channels"] == 64


def test_a_folder_that_is_given_is_the_only_one(own_configs, tmp_path):
    (tmp_path / "others").mkdir()
    with pytest.raises(SystemExit, match="generator=mine: there is no such option"):
        pix2pix("train", "--cfg", "job", "--config-dir", str(tmp_path / "others"), "generator=mine")


@pytest.mark.parametrize("content", ["", "webpack.yaml", "environments/prod.yaml", "data"])
def test_a_folder_of_another_program_is_passed_over(tmp_path, monkeypatch, capsys, caplog, content):
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "configs" / content
    if content:
        file.parent.mkdir(parents=True)
    file.write_text("no: configuration")
    assert show(capsys, "--cfg", "job")["seed"] == 0
    assert not caplog.messages


def complete(words: str, position: int, shell: str = "bash") -> list[str]:
    """What TAB offers; `words` are as the shell splits them, `position` is that of the word with the cursor."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(position), "_PIX2PIX_COMPLETE": f"{shell}_complete"}
    result = subprocess.run(
        command_line(), env=os.environ | asked, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert not result.stderr
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "position", "offered"),
    [
        ("pix2pix ev", 1, {"evaluate"}),
        ("pix2pix train seed=1 discrim", 3, {"discriminator=", "discriminator."}),
        ("pix2pix train discriminator = patch1", 4, {"patch142", "patch16"}),
        ("pix2pix train data =", 3, {"folder", "maps"}),
        ("pix2pix train -m generator=unet generator.base", 4, {"generator.base_channels="}),
    ],
)
def test_commands_settings_and_choices_are_completed(words, position, offered):
    found = complete(words, position)
    assert offered <= set(found)
    assert "_settings" not in found


def test_bash_puts_no_space_after_the_name_of_a_setting():
    function = """compopt() { echo "$@"; }; COMP_WORDS=(pix2pix train generator.base_ch); COMP_CWORD=2
        _pix2pix_completion pix2pix; echo "${COMPREPLY[@]}"
    """
    result = subprocess.run(
        ["bash", "-c", f"{completion_script('bash')}\n{function}"],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.splitlines() == ["-o nospace", "generator.base_channels="]


def test_a_shell_that_keeps_a_setting_together_gets_it_together():
    assert join_at_equals(["seed=1"], "generator=un") == (["seed=1", "generator=un"], "")
    assert join_at_equals(["generator", "="], "un") == (["generator=un"], "generator=")
    assert join_at_equals(["generator"], "") == (["generator="], "generator=")
    assert join_at_equals(["-m"], "") == (["-m", ""], "")


def test_the_script_of_a_shell_is_printed_in_two_ways(capsys):
    pix2pix("completion", "bash")
    script = capsys.readouterr().out
    pix2pix("train", "-sc", "install=bash")
    assert capsys.readouterr().out == script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=True, capture_output=True).stderr == ""
    with pytest.raises(SystemExit, match="write install=bash"):
        pix2pix("train", "-sc", "install=csh")
