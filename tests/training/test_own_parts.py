"""What a user's own parts are and return is checked, in words, before the training or at its first step."""

from typing import Any

import pytest
import torch
from torch import nn

from pix2pix.config.metric_names import PairMetric, find_missing_direction
from pix2pix.core.instantiate import find_component_problems
from pix2pix.data.own_source import require_pairs
from pix2pix.data.pair import Pair, PairSource
from pix2pix.evaluation.evaluate_pairs import PairEvaluator
from pix2pix.inference.generator import load_generator
from pix2pix.models.objective import Objective
from pix2pix.models.schedules import Schedule
from pix2pix.models.step_interface import TrainingStep
from pix2pix.models.terms import Term
from tests.small import fit, module

HERE = __name__


class Returns(Term):
    def __init__(self, make: Any) -> None:
        super().__init__()
        self.make = make

    def forward(self, fake, target):
        return self.make((fake - target).abs())


class WithoutSuper(Term):
    def __init__(self) -> None:
        self.weight = 1.0

    def forward(self, fake, target):
        return (fake - target).abs().mean()


class Unfinished(Term):
    pass


def compute_terms(term: Term) -> dict[str, torch.Tensor]:
    fake = torch.rand(2, 3, 8, 8, requires_grad=True)
    return Objective(None, terms={"mine": term}).generator_terms(None, fake.detach(), torch.rand(2, 3, 8, 8), fake)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda difference: difference.mean(dim=(1, 2, 3)), r"Returns returned a tensor \(2,\)"),
        (lambda difference: difference.mean().item(), "Returns returned a float"),
        (lambda difference: None, "Returns returned a NoneType"),
        (lambda difference: (difference > 0.5).sum(), r"a tensor \(\) of torch.int64"),
        (lambda difference: difference.detach().mean(), "without a gradient, so it trains nothing"),
        (lambda difference: difference.mean().to("meta"), "a loss on meta, but the pictures are on cpu"),
    ],
    ids=["for each picture", "a number", "nothing", "a count", "detached", "another device"],
)
def test_what_a_term_returns_is_a_loss(make, message):
    with pytest.raises(ValueError, match=message):
        compute_terms(Returns(make))


def test_a_term_needs_the_constructor_of_its_base():
    with pytest.raises(ValueError, match=r"objective\.terms\.mine: the constructor of WithoutSuper must call super"):
        compute_terms(WithoutSuper())


class Measures(PairMetric):
    higher_is_better = False

    def __init__(self, make: Any) -> None:
        self.make = make

    def __call__(self, output, target):
        return self.make((output - target).abs())


class WithoutDirection(PairMetric):
    def __call__(self, output, target):
        return (output - target).mean(dim=(1, 2, 3))


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda difference: difference.mean(), r"a tensor \(\)"),
        (lambda difference: difference, r"a tensor \(2, 3, 8, 8\)"),
        (lambda difference: 0.5, "a float"),
    ],
)
def test_what_a_metric_returns_is_a_value_for_each_picture(make, found):
    with pytest.raises(ValueError, match=rf"Measures returned {found} for 2 pictures"):
        Measures(make).measure(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8))


def test_a_metric_may_count():
    values = Measures(lambda difference: (difference > 2).sum(dim=(1, 2, 3))).measure(*torch.rand(2, 2, 3, 8, 8))
    assert values.tolist() == [0, 0]
    assert values.is_floating_point()


def test_a_metric_says_which_values_are_better():
    assert "set higher_is_better" in next(find_missing_direction({"_target_": f"{HERE}.WithoutDirection"}, "metrics.a"))
    assert not list(find_missing_direction({"_target_": f"{HERE}.Measures"}, "metrics.a"))


class Step(TrainingStep):
    def __init__(self, result: Any) -> None:
        self.result = result

    def __call__(self, source, target, networks, number):
        loss = (networks.generator(source) - target).abs().mean()
        networks.update_generator(loss)
        return self.result(loss)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda loss: None, "Step returned a NoneType"),
        (lambda loss: loss.detach(), "Step returned a Tensor"),
        (lambda loss: {"losses": {"g_mine": loss.item()}}, "g_mine is a float"),
    ],
)
def test_what_a_step_returns_is_losses(result, message):
    with pytest.raises(ValueError, match=message):
        fit(module(step=Step(result)), max_steps=1)


def test_losses_of_a_step_may_have_gradients_and_need_no_accuracies():
    assert fit(module(step=Step(lambda loss: {"losses": {"g_mine": loss}})), max_steps=2).global_step == 2


class Falls(Schedule):
    def factor(self, now, end):
        return 1 - 0.5 * now


@pytest.mark.parametrize(("share", "shown"), [(-0.5, "-0.5"), (float("nan"), "nan"), (None, "None")])
def test_a_schedule_returns_a_share_of_the_rate(share, shown):
    schedule = Falls()
    schedule.factor = lambda now, end: share  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match=rf"factor\(0, 5\) returned {shown}\."):
        schedule(0, 5)


def test_a_schedule_that_falls_below_zero_is_refused_before_the_training():
    Falls().check(3)
    with pytest.raises(ValueError, match=r"factor\(3, 10\) returned -0\.5"):
        Falls().check(10)


class Source(PairSource):
    def __init__(self, pairs: Any) -> None:
        self.pairs = pairs

    def split(self, split):
        return self.pairs

    def fingerprint(self):
        return "mine"


PIXELS = torch.zeros(3, 8, 8, dtype=torch.uint8)
PAIR = Pair(PIXELS, PIXELS, "a")


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], r"split\('train'\) has no pairs"),
        (iter([]), r"split\('train'\) is a list_iterator"),
        ([(PIXELS, PIXELS)], "the first pair of train is a tuple"),
        ([PAIR._replace(name=5)], "is called 5"),
        ([PAIR._replace(source=PIXELS.numpy())], "has a ndarray as its source"),
        ([Pair(PIXELS, PIXELS.permute(1, 2, 0), "a")], r"has a target of shape \(8, 8, 3\), where \(3, H, W\)"),
        ([Pair(PIXELS[0], PIXELS, "a")], r"has a source of shape \(8, 8\)"),
        ([Pair(PIXELS.double(), PIXELS, "a")], "has a source of torch.float64"),
    ],
    ids=["none", "iterator", "tuple", "number", "array", "channels last", "two axes", "double"],
)
def test_a_source_gives_pairs(pairs, message):
    with pytest.raises(ValueError, match=message):
        require_pairs(Source(pairs), (3, 3))


def test_a_source_of_pairs_passes():
    require_pairs(Source([PAIR]), (3, None))


@pytest.mark.parametrize(
    ("component", "problem"),
    [
        ({"_target_": f"{HERE}.Unfinished"}, f"a._target_={HERE}.Unfinished: does not define forward."),
        ({"_target_": "torch.nn.Conv2d", "in_channels": 3, "out_channels": 3}, "a.kernel_size: is not set"),
        ({"_target_": "Net"}, "a._target_: 'Net' names no module."),
    ],
)
def test_a_part_that_cannot_be_built_is_named(component, problem):
    (found,) = find_component_problems(component, "a", nn.Module)
    assert found.startswith(problem)


def test_a_module_that_is_no_python_is_named(tmp_path, monkeypatch):
    (tmp_path / "half_a_module.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = find_component_problems({"_target_": "half_a_module.Net"}, "a", nn.Module)
    assert "cannot import 'half_a_module.Net' (invalid syntax (half_a_module.py, line 1))" in found


@pytest.mark.parametrize(
    ("names", "message"),
    [(("a", "a"), "pairs 1 and 2 are both called 'a'"), (("a", "../a"), r"'\.\./a', cannot be that of a file")],
)
def test_pictures_of_an_evaluation_have_names_of_their_own(tiny_run, tmp_path, names, message):
    picture = torch.zeros(3, 32, 32, dtype=torch.uint8)
    pairs = [Pair(picture, picture, name) for name in names]
    evaluator = PairEvaluator(load_generator(tiny_run.path), pairs, [], 1, tmp_path)
    assert evaluator.read(0) is not None
    with pytest.raises(ValueError, match=message):
        evaluator.read(1)
