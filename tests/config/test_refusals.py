"""Every wrong configuration is refused in words."""

import pytest

from pix2pix.config.check import parse_and_check
from pix2pix.models import Dice
from tests.conftest import compose_mapping, pix2pix

GRAPH = "execution.cuda_graph=true"
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


class OwnDice(Dice):
    """A user's own term of label maps."""


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["+generator.dept=7"], "generator.dept: there is no setting 'dept' here; did you mean depth?"),
        (["+data.sise=7"], "data.sise: there is no setting 'sise' here; did you mean size?"),
        (["+colour=red"], "colour: there is no setting 'colour' here"),
        (["generator.depth=deep"], "generator.depth=deep: input should be a valid integer."),
        (["data.size=large"], "data.size=large: Input should be a valid integer."),
        (["data.direction=CtoA"], "data.direction=CtoA: Input should be 'AtoB' or 'BtoA'."),
        (["seed=-1"], "seed=-1: Input should be greater than or equal to 0."),
        (["optimizer.lr=inf"], "optimizer.lr=Infinity: Input should be a finite number."),
        (["objective.l1_weight=inf"], "objective.l1_weight=Infinity: input should be a finite number."),
        (["name=' '"], "name: is blank, and the folder of the run"),
        (["init_from="], "init_from: is empty, as of a shell variable that is not set"),
        (["output_dir="], "output_dir: is empty, as of a shell variable that is not set"),
        (["run_dir="], "run_dir: is empty, as of a shell variable that is not set"),
        (["optimizer.lr=0"], "optimizer.lr=0: Input should be greater than 0."),
        (["discriminator.receptive_field=50"], "Choose from 1, 16, 34, 70, 142, 286."),
        (["generator.depth=7", "data.size=64"], "image 64x64: height and width must be divisible by 128. Lower"),
        (["data.size=30"], "a U-Net halves its input at least twice. Set a size that 4 divides."),
        (["data.size=64", "discriminator=image"], "64x64: a discriminator with receptive field 286 needs at least"),
        (["data.load_height=200"], "data.load_height x data.load_width = 200x286 is smaller than the crop 256x256"),
        (["trainer.gradient_clip_val=1"], "set optimizer.clip_norm"),
        (["trainer.accumulate_grad_batches=4"], "raise data.batch_size"),
        (["precision=16-mixed"], "precision=16-mixed needs a GPU"),
        (["trainer.precision=16-mixed"], "precision=16-mixed needs a GPU"),
        (["trainer.precision=64-true"], "precision=64-true: Input should be 32,"),
        (["trainer.check_val_every_n_epoch=null"], "set their distance, such as trainer.val_check_interval=1000"),
        (["precision=16-mixed", "trainer=gpu", "optimizer.clip_norm=1"], "optimizer.clip_norm cannot see through"),
        (["data.source_channels=1", "data.target_channels=2"], "two channels made from one are Lab's a and b"),
        (["data.source_channels=1"], "these pairs are RGB, 3 channels each"),
        (["data=facades", "data.source_channels=1"], "label maps are read by their colours, which takes 3 channels"),
        (["generator._target_=5"], "5 is no class"),
        (["+objective.adversarial.margin=1"], "it takes none"),
        (["callbacks.checkpoint.monitor=val/sim"], "this run logs no such metric. Choose from val/l1"),
        (["data.one_hot=true", "data.palette=null"], "a palette and which image is the label map (A or B) belong"),
        (
            ["objective.cross_entropy_weight=1"],
            "objective.cross_entropy_weight: cross-entropy and Dice need label maps",
        ),
        (["schedule=linear", "schedule.decay=300"], "schedule.decay=300 is more than the training has, 200 epochs"),
        (
            ["schedule=linear", "schedule.decay=150", "schedule.warmup=60"],
            "schedule.decay=150 after a warm-up of 60 is",
        ),
        (["schedule=cosine", "trainer.max_epochs=-1"], "schedule=CosineDecay: it follows the length of the training"),
        (["schedule=plateau", "schedule.monitor=val/sim"], "schedule.monitor=val/sim: this run logs no such metric"),
        (["schedule=per_network", "~schedule.generator"], "schedule: must be a schedule for both networks, or have"),
        (["objective/terms=edge", "objective.terms.edge.weight=-1"], "objective.terms.edge.weight=-1: input should be"),
        (
            ["+objective.terms.mine={_target_: pix2pix.models.UNet}"],
            "objective.terms.mine._target_=pix2pix.models.UNet",
        ),
        (
            ["+objective.terms.mine={_target_: pix2pix.models.Dice}"],
            "objective.terms.mine: cross-entropy and Dice need",
        ),
        (
            ["+objective.terms.mine={_target_: tests.config.test_refusals.OwnDice}"],
            "objective.terms.mine: cross-entropy and Dice need",
        ),
        (["objective=l1", "objective/terms=feature_matching"], "feature matching compares D's features, but there is"),
        (["schedule=step", "schedule.gamma=2"], "schedule.gamma=2: input should be less than 1"),
        (["objective/adversarial=wasserstein"], "set discriminator.norm=instance or none"),
        (["name=../elsewhere"], "name=../elsewhere: leads out of output_dir"),
        (["discriminator=none"], "the objective has an adversarial term but discriminator=none"),
        (["objective=l1", "objective.l1_weight=0"], "the objective has no term"),
        (
            ["data.preprocess=resize"],
            "data.preprocess=resize: Input should be 'resize_and_crop', 'scale_width_and_crop'",
        ),
        (
            ["+data.augment.rotatio=5"],
            "data.augment.rotatio: there is no setting 'rotatio' here; did you mean rotation?",
        ),
        (["data=maps", "data.preprocess=none", "data.batch_size=4"], "set data.batch_size=1, or data.preprocess=crop"),
        (["data.augment.hue=0.7"], "data.augment.hue=0.7: Input should be less than or equal to 0.5."),
        (
            ["data.augment.hue=0.1"],
            "brightness, contrast, saturation and hue are of grey and RGB sources, not of label",
        ),
        (["data.quarter_turns=true", "data.width=128"], "a picture of 256x128 changes its shape when it is turned"),
        (
            ["data=maps", "data.quarter_turns=true", "data.preprocess=none"],
            "a picture of any size (data.preprocess=none)",
        ),
        (["data.depth=16"], "data.depth: these pairs are of 8 bits"),
        (["data=maps", "data.depth=12"], "data.depth=12: Input should be 8, 16, 32 or 'float'."),
        (["data=maps", "data.depth=32"], "data.source_depth=32: signed integers need data.source_range=[LOW,HIGH]"),
        (["data=maps", "data.source_range=[5,2]"], "the first value must be below the second"),
        (
            ["data.size=1000000000000000000000"],
            "data.height=1000000000000000000000: Input should be less than or equal",
        ),
        (
            ["generator.base_channels=1000000000000000000000"],
            "generator.base_channels=1000000000000000000000: input should",
        ),
        (["data=maps", "data.source_channels=1", "data.augment.hue=0.1"], "has no saturation or hue to change"),
        (
            ["data=facades", "data.palette=1"],
            "data.palette=1: give cmp_facades, facades, cityscapes, a number of classes (2 to",
        ),
        (["data=facades", "data.palette=[[300,0,0]]"], "a number of classes (2 to 256), or their colours"),
        (["data=facades", "data.palette=ade"], "palette 'ade': unknown. Choose from cmp_facades"),
        (["data=facades", "data.palette=[[1,2,3],[1,2,3]]"], "two or more classes, each with a colour of its own"),
        (
            ["data=folder", "data.path=x", "objective.dice_weight=1"],
            "objective.dice_weight: cross-entropy and Dice need",
        ),
        (["data=folder"], "data.path is not set; give the folder of your pairs"),
        (["data=folder", "data.path="], "data.path is not set; give the folder of your pairs"),
        (["generator._target_=os.system"], "not a class"),
        (["generator._target_=subprocess.Popen"], "generator._target_=subprocess.Popen: must be a Module."),
        (["generator.out_channels=1"], "the generator makes (1, 1, 256, 256), the targets are (1, 3, 256, 256)."),
        (["ema_decay=1.5"], "ema_decay=1.5: Input should be less than 1."),
        (["inference.dropout=maybe"], "inference.dropout=maybe: Input should be 'on' or 'off'."),
        (["objective=l1", "training_step.pool_size=3"], "training_step.pool_size is for a discriminator"),
        (["training_step.r1_weight=1"], "which batch norm mixes; set discriminator.norm=instance or none"),
        (["training_step.micro_batches=4", "data.batch_size=2"], "a batch of 2 has no more than 2 parts"),
        (["training_step.pool_size=3", *TWO], "each process would have a pool of its own"),
        (["training_step.pool_size=3", GRAPH], "needs training_step.pool_size=0; or set"),
        (["training_step.discriminator_steps=2", GRAPH], "needs training_step.discriminator_steps=1; or set"),
        (["training_step.augmentation=[colour]"], 'training_step.augmentation=["colour"]: input should be'),
        (["ema_warmup=true"], "ema_decay=null keeps none; set ema_decay"),
        (["init.gain=0"], "init.gain=0: Input should be greater than 0"),
        (["trainer.accumulate_grad_batches=2"], "training_step.micro_batches to compute it in parts"),
        (["training_step._target_=pix2pix.models.UNet"], "must be a TrainingStep"),
        (["trainer.log_every_n_steps=0"], "trainer.log_every_n_steps=0: give a whole number of at least 1"),
        (["trainer.val_check_interval=0"], "trainer.val_check_interval=0: give a number of steps, as 1000, or a share"),
        (["trainer.check_val_every_n_epoch=0"], "trainer.check_val_every_n_epoch=0: give a whole number"),
        (["trainer.max_steps=-7"], "trainer.max_steps=-7: give a number of training steps, or -1"),
        (["trainer.limit_val_batches=nan"], "trainer.limit_val_batches=NaN: give a number of batches"),
        (["trainer.devices=0"], "trainer.devices=0: give auto, a number of devices"),
        (["trainer.devices=two"], "trainer.devices=two: give auto, a number of devices"),
        (["trainer=ddp", "trainer.accelerator=cpu"], "trainer.devices=-1: on the CPU give the number of processes"),
        (["trainer.accelerator=tpu"], "trainer.accelerator=tpu: give auto, cpu, gpu, cuda or mps"),
        (["data.num_workers=-1"], "data.num_workers=-1: Input should be greater than or equal to 0 or Input should be"),
        (["tags=paper"], "tags=paper: Input should be a list, as [a,b]."),
        (["execution=auto"], "execution=auto: Input should be a group of settings"),
    ],
)
def test_a_wrong_choice_is_refused_in_words(overrides, sentence):
    with pytest.raises(ValueError, match="the configuration cannot be run") as error:
        parse_and_check(compose_mapping(*overrides))
    assert sentence in str(error.value)
    assert not str(error.value).endswith("..")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["hydra.run.dir=elsewhere"], "hydra.run.dir=elsewhere: a run is written to run_dir. Set run_dir=elsewhere"),
        (["trainer.detect_anomaly=true"], "not among the settings. Add it: +trainer.detect_anomaly=VALUE."),
        (["trainer.detect_anomalies=true"], "trainer.detect_anomalies: there is no setting 'detect_anomalies' here"),
        (["logger=null"], "null is no option of a group. For none write callbacks=[], logger=[]"),
        (["-m", "hydra.launcher.jobs_per_gpu=0"], "pix2pix: hydra.launcher.jobs_per_gpu=0: must be a whole number"),
        (["-m", "hydra.launcher.jobs=true"], "pix2pix: hydra.launcher.jobs=True: must be a whole number"),
        (["-m", "hydra.launcher.gpus=all"], "pix2pix: hydra.launcher.gpus=all: must be a list of numbers of GPUs"),
        (["-m", "hydra.launcher.gpus=[1000]"], "hydra.launcher.gpus=[1000]: there is no GPU 1000"),
        (["sweep=search", "debug=overfit"], "a search compares runs by callbacks.checkpoint.monitor, but"),
    ],
)
def test_flags_that_would_mislead_are_refused(tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as error:
        pix2pix("train", *words)
    assert sentence in str(error.value)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_hydra_is_refused_from_python_too():
    with pytest.raises(ValueError, match=r"Set run_dir=elsewhere instead"):
        compose_mapping("hydra.run.dir=elsewhere")
