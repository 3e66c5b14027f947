"""Settings of the command line mean what was typed."""

import random

import pytest

from pix2pix.config.compose import compose_command_line, compose_settings
from pix2pix.config.quoting import quote_word, split_choices


@pytest.mark.parametrize(
    "text",
    [
        *("josé/图片", "pairs (1)", "a#b", "a=b", "out/a/checkpoints/epoch=1.ckpt", "Tom's pairs", "100% [v1]; x & y!"),
        *("2024", "1e3", "1_000", "true", "inf", "{x}", "[a]", 'say "x"', "back\\slash", "range (1)", "a: b", "x@y"),
    ],
)
def test_paths_and_names_are_taken_as_typed(text):
    config = compose_settings([f"name={text}", f"init_from={text}", f"resume={text}"])
    assert [config[key] for key in ("name", "init_from", "resume")] == [text] * 3


def test_any_text_without_commas_and_references_is_that_text():
    draw = random.Random(0)
    for _ in range(8):
        text = "x" + "".join(draw.choices("'\"{}ab =[]é漢/@:~#%()!*$;&", k=draw.randint(1, 12))).rstrip()
        if "${" not in text:
            assert compose_settings([f"name={text}"])["name"] == text


def test_null_is_a_name_and_no_path():
    config = compose_settings(["name=null", "init_from=null"])
    assert (config["name"], config["init_from"]) == ("null", None)


def test_the_home_folder_is_found(monkeypatch):
    monkeypatch.setenv("HOME", "/home/josé")
    config = compose_settings(["data=folder", "data.path=~/pairs", "output_dir=~/runs", "resume=~/a.ckpt"])
    assert config["data"]["path"] == "/home/josé/pairs"
    assert (config["output_dir"], config["resume"]) == ("/home/josé/runs", "/home/josé/a.ckpt")


@pytest.mark.parametrize(
    "word",
    [
        *("seed=1,2,3", "data.path=a,b", "name=choice(a,b)", "data.path=glob(*)", "generator=unet,resnet9", "name=a/b"),
        *("data.path='a b'", "data.path='é',b", 'name="1e3"', "data.path=pairs\\ \\(1\\)", "output_dir=${name}/x"),
        *("optimizer.betas=[0.5,0.9],[0.1,0.2]", "data.folders={A: images, B: {mask: 1, photo: 3}}", "~data.path=é"),
    ],
)
def test_choices_references_and_quoted_values_stay_as_they_are(word):
    assert quote_word(word) == word


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("data.path=josé,2024,b", "data.path='josé','2024',b"),
        ("data.path=choice(josé,b)", "data.path=choice('josé',b)"),
        ("logger.wandb.project=é,b", "logger.wandb.project='é',b"),
        ("data.folders={A: 2019, B: Fotos é}", "data.folders={A: '2019', B: 'Fotos é'}"),
        ("logger.wandb.tags=[é, 'b, c']", "logger.wandb.tags=['é', 'b, c']"),
        ("output_dir=${oc.env:HOME}/é", "output_dir='${oc.env:HOME}/é'"),
    ],
)
def test_each_choice_and_each_part_is_quoted_by_itself(word, quoted):
    assert quote_word(word) == quoted


@pytest.mark.parametrize("name", ["a, b", "a "])
def test_a_path_that_exists_is_one_path(tmp_path, name):
    (tmp_path / name).mkdir()
    path = f"{tmp_path}/{name}"
    assert compose_command_line(["data=folder", f"data.path={path}"])["data"]["path"] == path


def test_commas_in_quotes_and_brackets_separate_no_choices():
    assert split_choices("'a, b',[c,d],e(f,g),h") == ["'a, b'", "[c,d]", "e(f,g)", "h"]
    assert split_choices("Tom's,Ann's") == ["Tom's", "Ann's"]
    assert split_choices("a (b,c") == ["a (b,c"]


def test_a_plus_before_a_setting_that_exists_sets_it():
    config = compose_command_line(["experiment=demo", "+trainer.max_steps=12", "+trainer.profiler=simple"])
    assert (config["trainer"]["max_steps"], config["trainer"]["profiler"]) == (12, "simple")
