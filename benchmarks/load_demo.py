"""Load test with two hundred clients: whether the demo loses requests, and whether its memory stays constant.

    python benchmarks/load_demo.py outputs/facades
    python benchmarks/load_demo.py outputs/facades --clients 20 --seconds 10

Half of the clients draw over the live channel, the others post pictures; one in ten of these sends nonsense. Who is
told to come again (503) does so. At the end every frame and every picture must have been answered, and the memory of
the second half of the time must be that of the first.
"""

import argparse
import asyncio
import io
import json
import random
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from PIL import Image
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

sys.path.insert(0, str(Path(__file__).parent))
from benchmark_demo import demo

from pix2pix.core.errors import exit_with_message

PATIENCE = 120  # seconds after which an answer counts as lost


def main() -> None:
    """Prints the results, and exits with 1 if a request was lost or memory grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--megabytes", type=float, default=64, help="that memory may grow by in the second half")
    arguments = parser.parse_args()
    with demo(arguments.run) as (address, process):
        report = asyncio.run(Load(address, process, arguments.seconds).run(arguments.clients))
    print(json.dumps(report))
    if report["lost"] or report["memory grew by, MB"] > arguments.megabytes:
        raise SystemExit(1)


class Load:
    """The clients of one demo, and counts of their requests and answers."""

    def __init__(self, address: str, process: int, seconds: float) -> None:
        self.host, self.process = address.removeprefix("http://").rstrip("/"), process
        self.seconds, self.end = seconds, 0.0
        self.seen: Counter[str] = Counter()
        self.delays: list[float] = []

    async def run(self, clients: int) -> dict[str, object]:
        """Starts the clients and waits for their last answers."""
        self.end = time.monotonic() + self.seconds
        watching = asyncio.create_task(self._watch())
        works = [self._draw(number) if number % 2 else self._post(number) for number in range(clients)]
        ended = await asyncio.gather(*works, return_exceptions=True)
        failures = Counter(repr(error) for error in ended if isinstance(error, BaseException))
        memory = await watching
        half = len(memory) // 2
        return {
            "clients": clients,
            "seconds": self.seconds,
            **self.seen,
            "lost": sum(failures.values()),
            "failures": dict(failures),
            "delay, median ms": round(1000 * statistics.median(self.delays)),
            "memory, MB": round(memory[-1]),
            "memory grew by, MB": round(max(memory[half:]) - max(memory[: max(half, 1)]), 1),
        }

    async def _watch(self) -> list[float]:
        memory = []
        while time.monotonic() < self.end:
            await asyncio.sleep(self.seconds / 40)
            memory.append(resident(self.process))
        return memory

    async def _draw(self, number: int) -> None:
        """Draws as the page does; reconnects if the demo has no room."""
        while time.monotonic() < self.end:
            try:
                async with connect(f"ws://{self.host}/live", max_size=None, compression=None, open_timeout=60) as page:
                    await self._stroke(page, number)
            except ConnectionClosed as closed:
                if not closed.rcvd or closed.rcvd.code != 1013:
                    raise
                self.seen["no room for a page"] += 1
                await asyncio.sleep(1)

    async def _stroke(self, page, number: int) -> None:
        frame, shade = 0, number % 256
        while time.monotonic() < self.end:
            frame += 1
            header = {"frame": frame, "runs": [0], "width": 64, "height": 64}
            sent = time.monotonic()
            await page.send(json.dumps(header).encode() + b"\n" + bytes([shade, frame % 256, 0, 255]) * 64 * 64)
            async with asyncio.timeout(PATIENCE):
                answer = json.loads((await page.recv()).partition(b"\n")[0])
            assert answer["frame"] == frame, answer
            self._count("frames", sent)

    async def _post(self, number: int) -> None:
        """Posts pictures and sometimes invalid data, and counts the expected answers."""
        picture = draw_labels(number)
        while time.monotonic() < self.end:
            nonsense = random.random() < 0.1
            body = random.randbytes(5000) if nonsense else picture
            sent = time.monotonic()
            status = await self._request(body)
            while status == 503:
                self.seen["told to come again"] += 1
                await asyncio.sleep(random.uniform(0.5, 1.5))
                status = await self._request(body)
            assert status == (415 if nonsense else 200), status
            self._count("refused nonsense" if nonsense else "pictures", sent)

    async def _request(self, body: bytes) -> int:
        """The status of one request on its own connection, once its whole answer has arrived."""
        host, port = self.host.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /translate HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\nContent-Length: {len(body)}"
        writer.write(head.encode() + b"\r\n\r\n" + body)
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        writer.close()
        status, _, content = answer.partition(b"\r\n\r\n")
        if b" 200 " in status[:20]:
            Image.open(io.BytesIO(content)).load()
        return int(status.split()[1])

    def _count(self, kind: str, sent: float) -> None:
        self.seen[kind] += 1
        self.delays.append(time.monotonic() - sent)


def draw_labels(number: int) -> bytes:
    """A small picture as a PNG."""
    file = io.BytesIO()
    Image.new("RGB", (48 + number % 40, 64), (number % 256, 80, 200)).save(file, "PNG")
    return file.getvalue()


def resident(pid: int) -> float:
    """Resident memory of a process in megabytes."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    with exit_with_message():
        main()
