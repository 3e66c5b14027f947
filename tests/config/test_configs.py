"""Every configuration composes and fits."""

import pytest
import torch

from pix2pix.config.check import parse_and_check
from pix2pix.config.compose import CONFIGS
from pix2pix.config.parse import parse_config
from pix2pix.models.input_sizes import suggest_sizes
from pix2pix.training.build import build_data, build_model
from tests.conftest import DATASETS, compose_mapping, make_config, needs_datasets

NOT_HERE = {"cityscapes", "cityscapes_reverse", "edges2handbags", "night2day"}  # too large to lie beside the repository
FRAGMENTS = {
    "data": {"_settings"},
    "objective": {"_terms"},
    "debug": {"_run"},
}  # shared by others of their group, not for use alone
LARGE = {"pix2pixhd"}  # its discriminators need more than 64 pixels
EXTRA = {
    ("data", "folder"): ["data.path=somewhere"],
    ("data", "derived"): ["data.path=somewhere"],
    ("data/source", "files"): ["data.path=somewhere"],
    ("data", "shards"): ["data.path=somewhere"],
    ("data/source", "shards"): ["data.path=somewhere"],
    ("data/source", "derived"): ["data=derived", "data.path=somewhere"],
    **{("experiment", name): ["data.path=somewhere"] for name in ("colorization", "inpainting", "thermal")},
    ("experiment", "pix2pixhd"): ["data.path=somewhere"],
    ("objective/adversarial", "wasserstein"): ["discriminator.norm=instance"],
    ("objective", "labels"): ["data.direction=AtoB", "data.one_hot=true"],
    ("discriminator", "none"): ["objective=l1"],
}


def groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for file in sorted(CONFIGS.rglob("*.yaml")):
        group = str(file.parent.relative_to(CONFIGS))
        if group not in {".", "hydra/help"} and file.stem not in FRAGMENTS.get(group, ()):
            found.setdefault(group, []).append(file.stem)
    return found


def test_all_groups_of_the_architecture_are_there():
    expected = {
        "data",
        "generator",
        "discriminator",
        "objective",
        "optimizer",
        "trainer",
        "callbacks",
        "logger",
        "metrics",
        "training_step",
        "schedule",
    }
    more = {
        "experiment",
        "recipe",
        "sweep",
        "debug",
        "data/source",
        "objective/adversarial",
        "hydra/launcher",
        "hydra/sweeper",
    }
    more |= {"objective/terms"}
    assert expected | more == set(groups())


@pytest.mark.parametrize(("group", "option"), [(g, o) for g, options in groups().items() for o in options])
def test_every_option_composes_and_can_be_run(group, option, monkeypatch):
    # The weights of pretrained networks are not here.
    monkeypatch.setattr("pix2pix.models.perceptual._load_vgg", torch.nn.Identity)
    monkeypatch.setattr("pix2pix.models.perceptual.load_lpips", lambda net: torch.nn.Identity())
    extra = EXTRA.get((group, option), [])
    parse_and_check(compose_mapping(f"{group}={option}", *extra))


COMMON = {"l1_cgan", "pix2pixhd"}  # the others differ from these by their terms alone
OBJECTIVES = [pytest.param(o, marks=[] if o in COMMON else pytest.mark.slow) for o in groups()["objective"]]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_generator_and_every_loss_can_be_run_with_every_discriminator(objective):
    all_groups = groups()
    extra = EXTRA.get(("objective", objective), [])
    generators = [
        compose_mapping(f"generator={g}", "data.size=128", *extra)["generator"] for g in all_groups["generator"]
    ]
    losses = {a: compose_mapping(f"objective/adversarial={a}") for a in all_groups["objective/adversarial"]}
    for name in all_groups["discriminator"]:
        config = compose_mapping(f"objective={objective}", f"discriminator={name}", "data.size=128", *extra)
        adversarial = config["objective"]["adversarial"]
        # A loss sees logits alone, so it need not meet every generator.
        with_one_loss = [(node, next(iter(losses))) for node in generators]
        with_one_generator = [(generators[0], kind) for kind in losses if adversarial]
        for node, kind in [*with_one_loss, *with_one_generator]:
            trial = config | {"generator": node}
            if adversarial:
                loss = losses[kind]["objective"]["adversarial"]
                trial["objective"] = config["objective"] | {"adversarial": loss}
            # Batch norm and a gradient penalty exclude each other.
            mixes = kind == "wasserstein" and (config["discriminator"] or {}).get("norm") == "batch"
            if adversarial and (name == "none" or mixes):
                with pytest.raises(ValueError, match=r"discriminator=none|gradient penalty"):
                    parse_and_check(trial)
            else:
                parse_and_check(trial)


@pytest.mark.parametrize("experiment", [e for e in groups()["experiment"] if e not in LARGE])
def test_size_64_alone_works_in_every_experiment(experiment):
    config = compose_mapping(f"experiment={experiment}", "data.size=64", *EXTRA.get(("experiment", experiment), []))
    parse_and_check(config)
    data = config["data"]
    assert (data["height"], data["width"], config["generator"]["depth"]) == (64, 64, 6)
    assert data["load_height"] == (72 if data["jitter"] else 64)


@needs_datasets
@pytest.mark.parametrize("experiment", [e for e in groups()["experiment"] if e not in NOT_HERE | LARGE])
def test_every_experiment_builds_on_the_real_data(experiment):
    small = ["data.size=64", "generator.base_channels=4", "discriminator.base_channels=4"]
    path = [f"data.path={DATASETS}/facades"] if ("experiment", experiment) in EXTRA else []
    config = compose_mapping(f"experiment={experiment}", f"data.root={DATASETS}", *small, *path)
    pair = build_data(parse_config(config)).validation[0]
    model = build_model(parse_config(config))
    assert pair.source.shape == (config["data"]["input_channels"], 64, 64)
    assert pair.target.shape == (config["data"]["output_channels"], 64, 64)
    assert model.generate(pair.source[None], pair.name).shape == (1, 3, 64, 64)


@pytest.mark.parametrize(
    ("experiment", "epochs", "batch", "load", "mirror", "direction"),
    [
        ("facades", 200, 1, 286, True, "BtoA"),
        ("maps", 200, 1, 286, True, "AtoB"),
        ("maps_reverse", 200, 1, 286, True, "BtoA"),
        ("edges2shoes", 15, 4, 256, True, "AtoB"),
        ("edges2handbags", 15, 4, 256, True, "AtoB"),
        ("facades_reverse", 200, 1, 286, True, "AtoB"),
        ("cityscapes", 200, 1, 286, True, "BtoA"),
        ("cityscapes_reverse", 200, 1, 286, True, "AtoB"),
        ("night2day", 17, 4, 286, True, "BtoA"),
        ("colorization", 6, 4, 256, True, "AtoB"),
        ("inpainting", 25, 4, 256, True, "AtoB"),
        ("thermal", 10, 4, 286, True, "AtoB"),
    ],
)
def test_experiments_have_the_settings_of_the_paper(experiment, epochs, batch, load, mirror, direction):
    config = compose_mapping(f"experiment={experiment}", *EXTRA.get(("experiment", experiment), []))
    data = config["data"]
    settings = (data["batch_size"], data["load_height"], data["mirror"], data["direction"])
    assert (config["trainer"]["max_epochs"], *settings) == (epochs, batch, load, mirror, direction)
    assert config["optimizer"]["lr"] == 2e-4
    assert config["optimizer"]["betas"] == [0.5, 0.999]
    assert config["objective"]["l1_weight"] == 100
    assert config["generator"]["depth"] == 8


def test_height_and_width_are_free():
    config = compose_mapping("data.height=128", "data.width=384")
    assert (config["data"]["load_height"], config["data"]["load_width"]) == (143, 429)
    assert config["generator"]["depth"] == 7
    parse_and_check(config)


@pytest.mark.parametrize(
    ("height", "width", "depth"), [(512, 512, 8), (1024, 1024, 8), (256, 512, 8), (720, 1280, 4), (400, 600, 3)]
)
def test_the_depth_follows_from_the_size_up_to_the_papers_eight(height, width, depth):
    config = compose_mapping(f"data.height={height}", f"data.width={width}")
    parse_and_check(config)
    assert config["generator"]["depth"] == depth


def test_a_size_that_leaves_the_unet_shallow_is_told_with_better_ones():
    message = suggest_sizes(400, 600)
    assert message is not None
    assert message.startswith("400x600 can be halved only 3 times")
    assert "384x608 (5), 384x576 (6), 384x640 (7), 512x512 (8)" in message
    assert suggest_sizes(720, 1280) is not None
    assert all(suggest_sizes(*size) is None for size in [(256, 256), (512, 256), (96, 160), (48, 48)])


def test_own_palettes_and_folders_give_the_channels():
    config = compose_mapping(
        "data=folder", "data.path=x", "data.palette=[[0,0,0],[1,2,3],[4,5,6]]", "data.label_map=B", "data.one_hot=true"
    )
    parse_and_check(config)
    assert (config["data"]["input_channels"], config["data"]["output_channels"]) == (3, 3)
    assert config["data"]["transform"]["target_palette"] == [[0, 0, 0], [1, 2, 3], [4, 5, 6]]
    config = compose_mapping(
        "data=folder",
        "data.path=x",
        "data.palette={road: [9,9,9], tree: [0,9,0]}",
        "data.label_map=A",
        "data.one_hot=true",
    )
    parse_and_check(config)
    assert (config["data"]["input_channels"], config["data"]["output_channels"]) == (2, 3)
    config = compose_mapping(
        "data=folder", "data.path=x", "data.folders.A={mask: 1, photo: 3}", "data.direction=BtoA", "data.depth=16"
    )
    parse_and_check(config)
    assert (config["data"]["source_channels"], config["data"]["target_channels"]) == (3, 4)
    assert config["data"]["source"]["source_depth"] == 16


def test_an_objective_without_adversarial_term_has_no_discriminator():
    assert compose_mapping("objective=l1")["discriminator"] is None
    assert compose_mapping("objective=l2", "discriminator=pixel")["discriminator"] is None
    assert build_model(make_config("objective=l1", "generator.base_channels=2")).discriminator is None


def test_the_data_root_comes_from_the_environment(monkeypatch):
    assert compose_mapping("data=facades")["data"]["path"] == "data/facades"
    monkeypatch.setenv("PIX2PIX_DATA", "/pictures")
    assert compose_mapping("data=facades")["data"]["source"]["path"] == "/pictures/facades"
    assert compose_mapping("data=facades", "data.root=/here")["data"]["source"]["path"] == "/here/facades"


def test_checking_takes_no_memory_for_weights():
    with torch.device("meta"):
        assert torch.empty(1).is_meta
    parse_and_check(compose_mapping("generator.base_channels=512"))  # 3.5 billion weights, were they built
