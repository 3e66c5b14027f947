"""Where the bytes of a picture are: in a file, or in memory."""

import io
from pathlib import Path


class MemoryFile(io.BytesIO):
    """A file in memory, with what a path says of a file; Pillow can read it.

    Args:
        content: the whole file.
        name: its name for error messages.
        stem: the name of the picture.
        suffix: the suffix of the file, `.png` for example.
    """

    def __init__(self, content: bytes, *, name: str, stem: str, suffix: str) -> None:
        super().__init__(content)
        self.name, self.stem, self.suffix = name, stem, suffix

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return repr(str(self))  # as in Pillow's messages of files that it cannot identify


File = Path | MemoryFile
