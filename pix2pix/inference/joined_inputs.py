"""Lists the files of a run whose source joins several pictures, such as a mask and a photo."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from pix2pix.core.plurals import pluralize
from pix2pix.data.sources.pair_names import files_by_pair_name, match_names, pair_path
from pix2pix.inference.file_jobs import TranslationJob, list_files, make_jobs

NAMED = 5  # files without a partner that an error names


def list_joined_jobs(
    names: Sequence[str], inputs: Mapping[str, str | Path], output: Path, suffix: str, samples: int | None = None
) -> list[TranslationJob]:
    """Lists the files that belong together, with their output files, which are named after the first input.

    Args:
        names: the inputs of the run, in their order.
        inputs: a file, a folder or a pattern for each. Files of several are matched by name, as those of pairs are.
        output: the output folder.
        suffix: file format of the outputs.
        samples: number of translations of each.

    Raises:
        FileNotFoundError: when an input does not exist or holds no pictures.
        ValueError: for other names than those of the run, files without a partner, or videos.
    """
    _require_names(names, inputs)
    places = [list_files([inputs[name]], output) for name in names]
    files = _match_files(names, inputs, places)
    others = {first: tuple(rest) for first, *rest in zip(*files, strict=True)}
    jobs = make_jobs(places[0], output, suffix, samples, others)
    if videos := [str(job.file) for job in jobs if job.is_video]:
        raise ValueError(f"{videos[0]}: a run of several inputs takes pictures. Take the frames out of the videos.")
    return jobs


def _require_names(names: Sequence[str], inputs: Mapping[str, str | Path]) -> None:
    if len(names) < 2:
        raise ValueError("--input: this run takes one picture. Give it without a name: pix2pix translate RUN INPUT.")
    if set(names) != set(inputs):
        keys = ", ".join(inputs) or "none"
        wanted = " ".join(f"--input {name}=PATH" for name in names)
        raise ValueError(f"the inputs of this run are {', '.join(names)}, not {keys}. Give each one: {wanted}.")


def _match_files(
    names: Sequence[str], inputs: Mapping[str, str | Path], places: Sequence[Mapping[Path, Path]]
) -> list[list[Path]]:
    """The files of each input in the order of the first, matched as pairs are. Raises ValueError for those alone."""
    if all(Path(inputs[name]).is_file() for name in names):
        return [list(each) for each in places]
    listed = [{place.as_posix(): file for file, place in each.items()} for each in places]
    named = [
        files_by_pair_name(Path(inputs[name]), each, functools.partial(pair_path, folder=name))
        for name, each in zip(names, listed, strict=True)
    ]
    named = match_names(named, names)
    shared = set.intersection(*(set(each) for each in named))
    files = zip(named, listed, strict=True)
    if alone := [each[file] for keys, each in files for key, file in keys.items() if key not in shared]:
        shown = ", ".join(sorted(map(str, alone))[:NAMED])
        pictures = pluralize(len(alone), "picture has", "pictures have")
        raise ValueError(
            f"{pictures} no partner of the same name in the other inputs, among them {shown}. Rename or remove them."
        )
    return [[each[keys[key]] for key in named[0]] for keys, each in zip(named, listed, strict=True)]
