"""Lists the files of a run whose source joins several pictures, such as a mask and a photo."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pix2pix.core.plurals import pluralize
from pix2pix.data.sources.pair_names import pair_name
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
    files = [_list_by_name(name, inputs[name], output) for name in names]
    first = files[0]
    if alone := {file for each in files for key, (file, _) in each.items() if not all(key in other for other in files)}:
        listed = ", ".join(sorted(map(str, alone))[:NAMED])
        pictures = pluralize(len(alone), "picture has", "pictures have")
        raise ValueError(
            f"{pictures} no partner of the same name in the other inputs, among them {listed}. Rename or remove them."
        )
    places = dict(first.values())
    others = {first[key][0]: tuple(each[key][0] for each in files[1:]) for key in first}
    jobs = make_jobs(places, output, suffix, samples, others)
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


def _list_by_name(name: str, path: str | Path, output: Path) -> dict[Path, tuple[Path, Path]]:
    """Each file and its path relative to the output folder, by the name of its pair; a single file has none."""
    files = list_files([path], output)
    if Path(path).is_file():
        return {Path(): each for each in files.items()}
    return {place.parent / pair_name(place.stem, name): (file, place) for file, place in files.items()}
