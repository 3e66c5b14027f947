"""Two hosts on this machine: network namespaces with a cable between them, with names and processes of their own."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROGRAMS = ("ip", "unshare", "mount", "hostname")
ADDRESSES = {"host1": "10.77.0.1", "host2": "10.77.0.2"}
# What a host runs first: its own name, and names for both. `exec`, so that a kill reaches all that it has started.
SETUP = 'hostname "$0" && mount --bind "$1" /etc/hosts && ip link set lo up && shift && exec "$@"'


def missing() -> str | None:
    """Why no hosts can be made here; None if they can."""
    if absent := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"needs {', '.join(absent)}: apt-get install -y iproute2 util-linux"
    if os.geteuid() != 0:
        return "network namespaces are made by root"
    return None if ask("ip", "netns", "list") is not None else "this kernel has no network namespaces"


def ask(*words: str) -> str | None:
    """What a command prints; None if it fails."""
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    return result.stdout if result.returncode == 0 else None


class Hosts:
    """Two hosts, `host1` and `host2`.

    Args:
        folder: for a table of names.
    """

    def __init__(self, folder: Path) -> None:
        self.space = {name: f"pix2pix-{os.getpid()}-{name}" for name in ADDRESSES}
        self.names = folder / "hosts"
        lines = ["127.0.0.1 localhost", *(f"{address} {name}" for name, address in ADDRESSES.items())]
        self.names.write_text("\n".join([*lines, ""]))

    def connect(self) -> None:
        """Makes both hosts, and the cable between them."""
        for space in self.space.values():
            self._ip("netns", "add", space)
        first, second = self.space.values()
        self._ip("link", "add", "cable", "netns", first, "type", "veth", "peer", "name", "cable", "netns", second)
        for name, address in ADDRESSES.items():
            self._ip("-n", self.space[name], "addr", "add", f"{address}/24", "dev", "cable")
            self.plug_in(name)

    def plug_in(self, name: str) -> None:
        """Connects a host to the network."""
        self._ip("-n", self.space[name], "link", "set", "cable", "up")

    def unplug(self, name: str) -> None:
        """Cuts a host off the network; nothing on the other one is told."""
        self._ip("-n", self.space[name], "link", "set", "cable", "down")

    def start(self, name: str, *words: str, **options) -> subprocess.Popen[str]:
        """Starts a command on a host. Killing it kills all processes that it has started there."""
        alone = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
        call = ["ip", "netns", "exec", self.space[name], *alone, "bash", "-c", SETUP, name, str(self.names), *words]
        return subprocess.Popen(call, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)

    def remove(self) -> None:
        """Removes both hosts."""
        for space in self.space.values():
            ask("ip", "netns", "delete", space)

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True)


@contextlib.contextmanager
def make_hosts() -> Iterator[Hosts]:
    """Two hosts that last as long as the block."""
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder:
        hosts = Hosts(Path(folder))
        try:
            hosts.connect()
            yield hosts
        finally:
            hosts.remove()
