"""Says what was found in a data set: how many pairs, where, of which size, and what they are validated on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from pix2pix.core.plurals import pluralize
from pix2pix.data.images.decode import read_size
from pix2pix.data.pair import Split
from pix2pix.data.sources.side_by_side import look_single
from pix2pix.data.sources.splits import FolderLayout, SplitFiles

PAIRS_MEASURED = 8  # of two folders, to tell the size of their files
NO_BORDER = "the files show no border in the middle: they look like single pictures"
SINGLES_REMEDY = (
    "If they are single pictures, put A and B into two folders, trainA/ and trainB/ (other names: data.folders)"
)
CONFIRM = "; data.layout=side_by_side confirms that they are pairs"


def describe_splits(found: FolderLayout, splits: Mapping[Split, SplitFiles], held_out_by: int | None) -> list[str]:
    """A line about the pairs and their splits, then one for all that was left out or looks wrong.

    Args:
        found: the data set.
        splits: all splits that are used, with those held out of the training pairs.
        held_out_by: the seed that chose the validation pairs; None where they have a split of their own.
    """
    train = splits["train"]
    return [
        f"{found.root}: {pluralize(len(train.files), 'pair', 'pairs')}{_describe_files(train)}; "
        f"validation: {_describe_validation(splits, held_out_by)}; {_describe_test(splits)}.",
        *(f"{found.root}: {note}." for note in found.notes),
        *(f"{found.root}: {warning}" for warning in find_doubts(train)),
    ]


def _describe_files(train: SplitFiles) -> str:
    if train.is_side_by_side:
        halves = {(height, width // 2): count for (height, width), count in train.sizes.items()}
        return f", side by side in {train.place}, each half {_describe_sizes(halves)}"
    return f" in {train.place}, {_describe_sizes(_measure(train))}"


def _describe_sizes(sizes: Mapping[tuple[int, int], int]) -> str:
    """Width x height of all, or of the smallest and the largest."""
    if not sizes:
        return "of unknown size"
    shown = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    texts = [f"{width}x{height}" for height, width in dict.fromkeys((shown[0], shown[-1]))]
    return " to ".join(texts)


def _measure(split: SplitFiles) -> dict[tuple[int, int], int]:
    """The sizes of the files of a few pairs."""
    step = -(-len(split.files) // PAIRS_MEASURED)
    sizes: Counter[tuple[int, int]] = Counter()
    for number in range(0, len(split.files), step):
        sizes.update(size for file in split.files[number] if (size := _read_size(file)))
    return dict(sizes)


def _read_size(file: Path) -> tuple[int, int] | None:
    try:
        return read_size(file)
    except (ValueError, OSError):
        return None


def _describe_validation(splits: Mapping[Split, SplitFiles], held_out_by: int | None) -> str:
    val = splits["val"]
    if splits.get("test") is val:
        pairs = pluralize(len(val.files), "pair", "pairs")
        return f"{pairs} of {val.place}, which are the test pairs, too, and so choose best.ckpt"
    if held_out_by is not None:
        return f"{len(val.files)} more, held out of {val.place} by data.split_seed={held_out_by}"
    return f"{len(val.files)} of {val.place}"


def _describe_test(splits: Mapping[Split, SplitFiles]) -> str:
    if "test" not in splits:
        return "no test pairs"
    test = splits["test"]
    return "test: the same" if test is splits["val"] else f"test: {len(test.files)} of {test.place}"


def find_doubts(train: SplitFiles, confirm: str = CONFIRM) -> Iterator[str]:
    """What speaks against side-by-side files: two kinds of width, squares, or a middle without a border.

    `confirm` ends the remedy: how it is said that they are pairs.
    """
    if not train.is_side_by_side:
        return
    ratios = Counter[float]()
    for (height, width), count in train.sizes.items():
        ratios[round(width / height, 2)] += count
    if len(ratios) == 2 and abs(max(ratios) / min(ratios) - 2) < 0.05:
        doubt = f"{ratios[min(ratios)]} of the files are half as wide as the others: single pictures?"
        yield f"{doubt} {SINGLES_REMEDY}{confirm}."
    elif look_single([train.files[number][0] for number in range(len(train.files))]):
        yield f"{NO_BORDER}. {SINGLES_REMEDY}{confirm}."
    elif ratios and set(ratios) == {1.0}:
        yield f"square files are cut into two halves, A on the left and B on the right. {SINGLES_REMEDY}{confirm}."
