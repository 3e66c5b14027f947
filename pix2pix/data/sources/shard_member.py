"""A picture file inside a WebDataset shard."""

from pathlib import PurePath, PurePosixPath

from pix2pix.data.images.memory_file import MemoryFile


class ShardMember(MemoryFile):
    """A file in memory, with its name and its shard for error messages.

    Args:
        content: the whole file.
        shard: the path or address of the shard.
        member: the file's name in the shard, such as `1.ab.jpg`.
    """

    def __init__(self, content: bytes, shard: str, member: str) -> None:
        key, _, role = member.partition(".")
        super().__init__(content, name=member, stem=unescape_key(key), suffix=PurePosixPath(role).suffix)
        self.shard, self.role = shard, role.removesuffix(self.suffix)
        if PurePath(self.stem).name != self.stem:  # results are written under this name, in their folder
            raise ValueError(f"{shard}/{member}: its name points to another folder. Make the shards again.")

    def __str__(self) -> str:
        return f"{self.shard}/{self.name}"


def roles(files: int) -> tuple[str, ...]:
    """The roles of the files of a pair in a shard, in order."""
    return {1: ("ab",), 2: ("a", "b")}.get(files) or tuple(map(str, range(files)))


def escape_key(stem: str) -> str:
    """A file's stem as a WebDataset key, which must have no dot."""
    return stem.replace("%", "%25").replace(".", "%2E").replace("\\", "%5C")


def unescape_key(key: str) -> str:
    """The stem of a file from its WebDataset key."""
    return key.replace("%2E", ".").replace("%5C", "\\").replace("%25", "%")
