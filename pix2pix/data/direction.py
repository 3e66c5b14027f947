"""The direction of a data set: which of the images A and B of its files is the source, and which the target."""

from typing import Literal, TypeVar

Direction = Literal["AtoB", "BtoA"]
Letter = Literal["A", "B"]
LETTERS: tuple[Letter, Letter] = ("A", "B")
Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")
T = TypeVar("T")


def orient(a: T, b: T, direction: str) -> tuple[T, T]:
    """Returns what belongs to A and to B in the order source, target."""
    return (a, b) if direction == "AtoB" else (b, a)


def order_letters(direction: str) -> tuple[Letter, Letter]:
    """The letters of source and target."""
    return orient(*LETTERS, direction)


def letter_of(side: Side, direction: str) -> Letter:
    """The letter in the files of the source or the target."""
    return order_letters(direction)[SIDES.index(side)]


def side_of(letter: Letter, direction: str) -> Side:
    """Which of source and target the image with this letter is."""
    return SIDES[order_letters(direction).index(letter)]
