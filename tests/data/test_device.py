"""What a training batch sends to the device, tried on tensors without numbers: nothing that a step would wait for."""

import pytest
import torch

from pix2pix.data import device
from pix2pix.data.augmentation import View
from pix2pix.data.device import copy_to_device, device_constant
from pix2pix.data.images.palettes import Palette
from pix2pix.data.pair import Pair
from pix2pix.data.transforms import JitterAndMirror
from tests.waiting import META, nothing_waits

SIZES = {"height": 8, "width": 8, "load_height": 9, "load_width": 9}
EVERYTHING = {"rotation": 10, "scale": 0.1, "brightness": 0.1, "contrast": 0.1, "saturation": 0.1, "hue": 0.1}
VIEWS = [View(1, 0, mirror=True, rotation=5, hue=0.1), View(0, 1, mirror=False, brightness=0.9)]


@pytest.mark.parametrize("palette", [None, "facades", 3])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("together", [True, False], ids=["stacked", "in lists"])
def test_no_training_batch_waits_for_the_device_while_it_is_augmented(monkeypatch, palette, channels, together):
    channels = 3 if palette else channels
    transform = JitterAndMirror(**SIZES, augment=EVERYTHING, label_map="target", target_palette=palette)
    image = torch.empty(2, channels, 9, 9, dtype=torch.uint8, device=META)
    images = image if together else list(image)
    monkeypatch.setattr(device, "_pin", lambda numbers: numbers)
    transform.augment_batch(Pair(images, images, ["a", "b"]), VIEWS)  # constants are sent once
    with nothing_waits(monkeypatch):
        source, target, _ = transform.augment_batch(Pair(images, images, ["a", "b"]), VIEWS)
    assert (source.device, target.device) == (META, META)


@pytest.mark.parametrize(
    "wait",
    [
        lambda: torch.ones(3).to(META),
        lambda: torch.ones(()).to(META, non_blocking=True),
        lambda: torch.tensor([1.0, 2.0], device=META),
        lambda: torch.as_tensor(1.0, device="meta"),
        lambda: torch.empty(3, device=META).copy_(torch.ones(3)),
    ],
)
def test_the_watch_of_this_test_sees_what_would_wait(monkeypatch, wait):
    with nothing_waits(monkeypatch), pytest.raises(AssertionError, match="sends"):
        wait()


def test_a_constant_is_sent_to_a_device_once_and_stays_one_of_training():
    device_constant.cache_clear()
    with torch.inference_mode():
        first = device_constant((1.0, 2.0), torch.device("cpu"))
    assert first.tolist() == [1, 2]
    assert not first.is_inference(), "autograd may keep it"
    assert device_constant((1.0, 2.0), torch.device("cpu")) is first


def test_what_is_sent_to_the_processor_is_there_already():
    numbers = torch.ones(3)
    assert copy_to_device(numbers, torch.device("cpu")) is numbers


def test_a_palette_has_its_colours_in_float32():
    palette = Palette("facades")
    assert torch.equal(
        device_constant(palette.colours, torch.device("cpu")), palette.pixels.to(torch.float32) / 127.5 - 1
    )
