"""Signatures as schemas."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import pytest
import torch
from pydantic import Field
from torch import nn

from pix2pix.core.instantiate import build, find_component_problems
from pix2pix.models.objective import Objective

HERE = __name__


class Part(nn.Module):
    def __init__(self, size: Annotated[int, Field(ge=1)], kind: Literal["a", "b"] = "a", rate: float = 0.5) -> None:
        super().__init__()
        self.settings = size, kind, rate


class Whole(nn.Module):
    def __init__(self, part: Part | None, pair: tuple[float, float] = (0.0, 1.0), on: bool = True) -> None:
        super().__init__()
        self.part = part


def part(**arguments) -> dict:
    return {"_target_": f"{HERE}.Part", **arguments}


def list_problems(node, kind=nn.Module) -> list[str]:
    return list(find_component_problems(node, "key", kind))


def test_a_component_is_built_with_its_parts():
    whole = build({"_target_": f"{HERE}.Whole", "part": part(size=3, kind="b")})
    assert whole.part.settings == (3, "b", 0.5)


class Several(nn.Module):
    def __init__(self, parts: Sequence[Part] = (), named: Mapping[str, Part] | None = None, free=None) -> None:
        super().__init__()
        self.parts, self.named, self.free = parts, named, free


def make_part(size: Annotated[int, Field(ge=1)], *, double: bool = False) -> Part:
    return Part(2 * size if double else size)


def make_unknown():
    return Part()


def several(**arguments) -> dict:
    return {"_target_": f"{HERE}.Several", **arguments}


def test_components_in_lists_and_mappings_are_built_too():
    node = several(parts=[part(size=1), part(size=2)], named={"a": part(size=3)}, free={"b": [5, {"c": part(size=4)}]})
    assert list_problems(node) == []
    built = build(node)
    assert [each.settings[0] for each in built.parts] == [1, 2]
    assert built.named["a"].settings[0] == 3
    assert built.free["b"][0] == 5
    assert built.free["b"][1]["c"].settings[0] == 4


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (several(parts=[part(size=1), part(size=0)]), "key.parts.1.size=0: input should be greater"),
        (several(named={"a": {"_target_": "torch.nn.ReLU"}}), "key.named.a._target_=torch.nn.ReLU: must be a Part."),
        (several(named={"a": part(size=1), "b": 5}), "key.named.b=5: input should be a mapping with _target_."),
        (several(free=[{"a": part(sise=1)}]), "key.free.0.a.sise: there is no setting 'sise' here; did you mean size?"),
    ],
)
def test_what_does_not_fit_in_lists_and_mappings_is_said_with_its_place(node, sentence):
    (problem,) = list_problems(node)
    assert problem.startswith(sentence)


def test_a_function_may_stand_for_a_class():
    node = {"_target_": f"{HERE}.make_part", "size": 2, "double": True}
    assert list_problems(node) == []
    assert build(node).settings[0] == 4
    assert list_problems(node | {"size": 0}) == ["key.size=0: input should be greater than or equal to 1."]
    assert list_problems(node, nn.Linear) == [f"key._target_={HERE}.make_part: must be a Linear."]


def test_a_function_must_say_what_it_makes():
    node = {"_target_": f"{HERE}.make_unknown"}
    (problem,) = list_problems(node, nn.Linear)
    assert problem.startswith(f"key._target_={HERE}.make_unknown: is a function that does not say what it returns")
    assert problem.endswith("Annotate it, as `-> Linear`.")


def test_a_partial_component_waits_for_the_rest():
    factory = build({"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.1})
    assert factory([torch.zeros(1, requires_grad=True)]).defaults["lr"] == 0.1


def test_what_fits_the_signature_is_no_problem():
    node = {"_target_": f"{HERE}.Whole", "part": part(size=3, rate=1), "pair": [1, 2.5], "on": False}
    assert list_problems(node) == []
    assert list_problems({"_target_": "pix2pix.models.UNet", "depth": 4}) == []
    node = {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 2e-4, "betas": [0.5, 0.999]}
    assert list_problems(node, torch.optim.Optimizer) == []


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (part(size=0), "key.size=0: input should be greater than or equal to 1."),
        (part(size="3"), "key.size=3: input should be a valid integer."),
        (part(size=True), "key.size=true: input should be a valid integer."),
        (part(size=1, kind="c"), "key.kind=c: input should be 'a' or 'b'."),
        (part(sise=1), "key.sise: there is no setting 'sise' here; did you mean size?"),
        (part(colour=1), "key.colour: there is no setting 'colour' here; choose from kind, rate, size."),
        ({"_target_": f"{HERE}.Whole", "part": part(size=-1)}, "key.part.size=-1: input should be"),
        ({"_target_": f"{HERE}.Whole", "part": {"_target_": "torch.nn.Linear"}}, "key.part._target_=torch.nn.Linear"),
        ({"_target_": f"{HERE}.Whole", "pair": [1]}, "key.pair=[1]:"),
        ({"_target_": "os.system"}, "key._target_: 'os.system' is a builtin_function_or_method, not a class."),
        ({"_target_": "no.such.Thing"}, "key._target_: cannot import 'no.such.Thing'"),
        ({"_target_": "pathlib.Path"}, "key._target_=pathlib.Path: must be a Module."),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(node, sentence):
    (problem,) = list_problems(node)
    assert problem.startswith(sentence)


def test_optional_parts_are_checked_against_their_kind():
    objective = {"_target_": "pix2pix.models.Objective", "adversarial": {"_target_": "pix2pix.models.Hinge"}}
    assert list_problems(objective, Objective) == []
    objective["adversarial"] = {"_target_": "pix2pix.models.UNet"}
    assert "AdversarialLoss" in list_problems(objective, Objective)[0]
