"""The forward pass of one tile, which can wait inside the network until the statistics of a norm are known.

A paused pass keeps what it has computed, so that it need not start again for each norm. It waits in a thread of its
own, because a network is ordinary Python code that nothing else can leave in the middle and enter again. The caller
waits while the pass runs: never do two passes run at once.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from pix2pix.core.free_memory import free_memory

MOST_THREADS = 512  # of all paused passes; each has torch's own threads besides


class _StopError(BaseException):
    """Ends a paused pass; networks that catch `Exception` do not catch it."""


class TilePass:
    """Runs `compute` in a thread that `pause` stops and `resume` continues.

    Args:
        compute: returns the output of the tile; it may call `pause`.
        context: returns the context in which the pass runs; it is left when the pass pauses.
    """

    def __init__(self, compute: Callable[[], Tensor], context: Callable[[], AbstractContextManager[None]]) -> None:
        self._compute, self._context = compute, context
        self._output: Tensor | None = None
        self._error: BaseException | None = None
        self._turn, self._answer = threading.Semaphore(0), threading.Semaphore(0)
        self._stopped = False
        self._cores = torch.get_num_threads()
        self._thread = threading.Thread(target=self._run, name="tile", daemon=True)

    def resume(self) -> Tensor | None:
        """Runs until the pass pauses (None) or ends (its output). Raises what the network raises."""
        if not self._thread.ident:
            self._thread.start()
        with self._context():
            self._turn.release()
            try:
                self._answer.acquire()
            except BaseException:  # such as an interrupt: leaves no thread behind
                self.stop()
                raise
        if self._error is not None:
            raise self._error
        output, self._output = self._output, None  # so that the caller alone decides how long it lives
        return output

    def pause(self) -> None:
        """Called by the network: waits until the next `resume`."""
        self._answer.release()
        self._wait()

    def stop(self) -> None:
        """Ends a paused pass and frees its memory. Nothing happens to one that has ended or not begun."""
        self._stopped = True
        self._turn.release()
        if self._thread.ident:
            self._thread.join()

    def _wait(self) -> None:
        self._turn.acquire()
        if self._stopped:
            raise _StopError

    def _run(self) -> None:
        torch.set_num_threads(self._cores)  # a new thread has OpenMP's default, and oneDNN follows OpenMP
        try:
            self._wait()
            self._output = self._compute()
        except _StopError:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._answer.release()


class KeptPasses:
    """The paused passes of a picture, by the place of their tile, in up to half of the memory that is free at first.

    Passes that do not fit are stopped; their tiles start again. The result is the same.

    Args:
        device: the device of the network.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self._passes = device, dict[tuple[int, int], TilePass]()
        self._least_free, self._most = free_bytes(device) // 2, MOST_THREADS // torch.get_num_threads()

    def take(self, place: tuple[int, int]) -> TilePass | None:
        """The pass of the tile at (top, left), if it was kept. The caller must keep or stop it."""
        return self._passes.pop(place, None)

    def keep(self, place: tuple[int, int], tile_pass: TilePass) -> None:
        """Keeps a paused pass, or stops it where memory would become short."""
        if len(self._passes) < self._most and free_bytes(self.device) > self._least_free:
            self._passes[place] = tile_pass
        else:
            tile_pass.stop()

    def stop(self) -> None:
        """Stops all passes."""
        while self._passes:
            self._passes.popitem()[1].stop()


def free_bytes(device: torch.device) -> int:
    """The bytes that tensors on the device can still take."""
    if device.type != "cuda":
        return free_memory()
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # kept by torch's allocator
    return torch.cuda.mem_get_info(device)[0] + unused
