"""What Hydra cannot read or compose is refused in this package's words, with the remedy."""

import pytest

from pix2pix.config.compose import compose_settings
from tests.conftest import pix2pix

WORDS_OF_HYDRA = ("hydra.cc", "viable alternative", "mismatched", "extraneous", "EOF", "defaults list", "Could not")


def refusal(*words: str) -> str:
    """The message that refuses a command line."""
    with pytest.raises(SystemExit) as end:
        pix2pix("train", "--cfg", "job", *words)
    message = str(end.value)
    assert not [said for said in WORDS_OF_HYDRA if said in message]
    return message


@pytest.mark.parametrize(
    ("word", "choice", "nearest"),
    [
        ("recipe=[ema,hing]", "recipe=hing", "hinge"),
        ("recipe=hing", "recipe=hing", "hinge"),
        ("objective/terms=[edge,edje]", "objective/terms=edje", "edge"),
        ("+logger=[csv,wandbb]", "logger=wandbb", "wandb"),
        ("hydra/launcher=slrm", "hydra/launcher=slrm", "slurm"),
    ],
)
def test_a_misspelt_choice_gets_the_choices_alone_and_in_a_list(word, choice, nearest):
    assert f"{choice}: there is no such option; did you mean {nearest}? Choose from " in refusal(word)


def test_a_misspelt_choice_in_a_list_of_a_sweep_gets_the_choices(tmp_path):
    with pytest.raises(SystemExit, match="recipe=hing: there is no such option; did you mean hinge"):
        pix2pix("train", "-m", "recipe=[ema],[hing]", f"output_dir={tmp_path}")


@pytest.mark.parametrize(
    ("defaults", "sentences"),
    [
        ("- override /generator: unett", ["generator=unett: ", "did you mean unet?"]),
        ("- /recipe/hing", ["experiment/mine.yaml: recipe=hing: ", "did you mean hinge?"]),
        ("- generator: unet", ["no such group of options", "write `- override /generator: unet`"]),
        ("- /generator: unet", ["generator is chosen twice", "`- override /generator: OPTION`"]),
        ("- override /recipe: ema", ["comes too late", "Write `- /recipe/OPTION` in its defaults"]),
        ("- override /recipes: ema", ["`override /recipes`: there is no such group"]),
    ],
)
def test_a_wrong_choice_of_a_file_is_refused(tmp_path, defaults, sentences):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(f"# @package _global_\ndefaults:\n  {defaults}\n")
    message = refusal("--config-dir", str(tmp_path), "experiment=mine")
    assert [sentence for sentence in sentences if sentence not in message] == []


def test_a_choice_of_the_users_own_is_among_the_choices(tmp_path):
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text("# @package _global_\nseed: 3\n")
    assert "did you mean mine?" in refusal("--config-dir", str(tmp_path), "recipe=[ema,mines]")


def test_an_experiment_without_its_first_line_is_told_to_have_it(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("seed: 3\n")
    message = refusal("--config-dir", str(tmp_path), "experiment=mine")
    assert "experiment: its file must begin with the line `# @package _global_`" in message


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["recipe=[ema"], "recipe=[ema: the bracket [ is not closed. Write 'recipe=[ema]'."),
        (["recipe=[ema,", "hinge]"], "The shell cuts words at spaces: write 'recipe=[ema, hinge]'."),
        (["recipe={ema"], "the bracket { is not closed. Write 'recipe=[ema]'."),
        (["tags=[a]]"], "the bracket ] closes nothing. For a text with such signs, quote it twice: 'tags=\"[a]]\"'."),
        (["recipe=[ema,,hinge]"], "there is nothing before a comma"),
        (["recipe=ema,,hinge"], "there is nothing before a comma"),
        (["recipe=ema,"], "there is nothing after the last comma. Write recipe=ema."),
        (["optimizer.betas={0.5,0.9}"], "a list has square brackets. Write 'optimizer.betas=[0.5,0.9]'."),
        (["=ema"], "=ema: there is no setting before the equals sign. Write SETTING=ema."),
        (["seed"], "seed: has no equals sign and value. Write seed=VALUE"),
        (["seed", "=", "1"], "seed: a setting has no spaces around its equals sign. Write seed=1."),
        (["seed = 1"], "Write seed=1."),
        (["seed:1"], "seed:1: a setting has an equals sign. Write seed=1."),
        ([""], "an argument is empty"),
        (["seed=1,2"], "Add -m to train a run with each. For a list write 'seed=[1,2]'."),
        (["seed=range(1,3)"], "seed=range(1,3): these are several values"),
        (["optimizer.lr=0,001"], "A decimal number has a point: optimizer.lr=0.001."),
        (["~recipe=ema"], "~recipe=ema: ema is not chosen"),
        (["~seed2"], "~seed2: there is no such setting to take out."),
        (["seed=${seeds}"], "seed: refers to a setting 'seeds', which is not there. Correct it; for these characters"),
        (["data.path=a${"], "${ begins a reference to another setting, as ${seed}, and cannot be read. For these"),
        (
            ["seed=${oc.env:NOPE}"],
            "environment variable NOPE, which is not set. Set it, or write ${oc.env:NOPE,DEFAULT}.",
        ),
        (["seed=${nope:1}"], "seed: refers to ${nope:...}, and nothing of that name makes a value."),
        (["data.width=${data.height}", "data.height=${data.width}"], "refers to itself, by way of other settings."),
        (["--config-dir", "/nowhere"], "--config-dir /nowhere: there is no such folder."),
        (["--config-name", "trai"], "--config-name trai: there is no such file in "),
    ],
)
def test_a_word_that_cannot_be_read_is_explained_and_mended(words, sentence):
    assert sentence in refusal(*words)


def test_a_folder_alone_is_told_the_setting_of_its_path(tmp_path):
    assert f"For a folder of pairs write data=folder data.path={tmp_path}" in refusal(str(tmp_path))


def test_the_same_is_told_from_python():
    with pytest.raises(ValueError, match=r"the bracket \[ is not closed"):
        compose_settings(["recipe=[ema"])


@pytest.mark.parametrize("word", ["generator=[unet,resnet9]", "discriminator=[patch70, pixel]", "+objective=[l1,gan]"])
def test_a_list_is_refused_where_a_run_takes_one_option(word):
    """Hydra would mix the settings of all, so that the last one is trained."""
    key, _, value = word.lstrip("+").partition("=")
    with pytest.raises(ValueError, match="a run takes one option of") as error:
        compose_settings([word])
    assert str(error.value).endswith(f"pix2pix train -m {key}={value[1:-1].replace(' ', '')}.")
    assert compose_settings([f"{key}=[{value[1:-1].partition(',')[0]}]"])
