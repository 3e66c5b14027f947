"""`pix2pix translate RUN -`: translates one picture from standard input or to standard output."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pix2pix.data.images.decode import SUFFIXES, Picture, open_picture
from pix2pix.data.images.memory_file import MemoryFile
from pix2pix.data.images.pictures import save_picture
from pix2pix.inference.file_jobs import VIDEOS
from pix2pix.inference.translator import Translator
from pix2pix.inference.written_files import claim_files


def require_output_folder(output: Path, inputs: Sequence[str]) -> None:
    """Raises ValueError for an output that is or looks like a file, or for `-` beside other inputs."""
    if output.suffix.lower() in (*SUFFIXES, *VIDEOS):
        raise ValueError(f"--output {output}: give the folder for the results; each is named after its input.")
    if output.is_file():
        raise ValueError(f"--output {output}: is a file. Give a folder for the results.")
    if "-" in (*inputs, str(output)) and len(inputs) > 1:
        raise ValueError(
            "- (standard input or output) takes exactly one picture. Translate the others in another command."
        )


def translate_stream(translator: Translator, inputs: Sequence[str], output: Path, suffix: str | None) -> None:
    """Translates one picture from standard input or to standard output, both written `-`."""
    (source,) = inputs
    suffix = (suffix or translator.trained.config.data.output_suffix).lstrip(".")
    file = Path(source)
    picture, name = (
        (_read_standard_input(), "") if source == "-" else (open_picture(file), translator.trained.pair_name(file))
    )
    result = translator.translate(picture, name=name)
    if str(output) != "-":
        file = output / f"stdin.{suffix}"
        claim_files([file], output)
        save_picture(result, file)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"result.{suffix}"
        save_picture(result, file)
        sys.stdout.buffer.write(file.read_bytes())


def _read_standard_input() -> Picture:
    return open_picture(MemoryFile(sys.stdin.buffer.read(), name="standard input", stem="", suffix=""))
