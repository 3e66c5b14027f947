"""Two processes whose steps, with the messages between them, are recorded as graphs. The graph is a stand-in."""

import logging
import multiprocessing
from typing import Any

import pytest
import torch
import torch.distributed as dist

from pix2pix.config.rules import find_graph_obstacles
from pix2pix.training.cuda_graph import WARM_UP, CUDAGraphStep
from pix2pix.training.gan_ddp_strategy import GANDDPStrategy, GradientBuckets
from tests.conftest import TINY, make_config
from tests.training.test_cuda_graph import GAN, Replayed, batches

STEPS = 8


class SharedGAN(GAN):
    """Networks whose gradients are means over all processes."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets = GradientBuckets(1000)
        for network in self.networks:
            for parameter in network.parameters():
                parameter.register_post_accumulate_grad_hook(self.buckets.add)

    def _updating(self, optimizer):
        def update(loss):
            loss.backward()
            self.buckets.finish()
            optimizer.step()
            optimizer.zero_grad()

        return update


class Refusing(Replayed):
    """A graph that cannot be recorded."""

    def record(self, work):
        super().record(work)  # a stand-in sends the messages of a recording, which the others wait for
        raise RuntimeError("no memory for a graph")


def train(rank: int, graph: type[Replayed] | None = None) -> dict[str, Any]:
    """The weights after some steps of this process on batches of its own, and how many were replays."""
    gan, mine = SharedGAN(), [batch[:, rank : rank + 2] for batch in batches(*[3] * STEPS)]
    if graph is None:
        gan.train(gan.step, mine)
        return {"weights": gan.weights()}
    recorder = graph(gan.networks, gan.optimizers)
    gan.train(CUDAGraphStep(gan.step, gan.optimizers, recorder), mine)
    return {"weights": gan.weights(), "replays": recorder.replays}


def take_part(rank: int, folder) -> None:
    """One of two processes: trains without a graph, with one, and with one that only the first process can record."""
    torch.set_num_threads(1)
    said = logging.FileHandler(folder / f"said{rank}.txt", encoding="utf-8")
    logging.getLogger("pix2pix").addHandler(said)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    ways = {
        "plain": train(rank),
        "graphed": train(rank, Replayed),
        "refused": train(rank, Refusing if rank else Replayed),
    }
    torch.save(ways, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def meeting(tmp_path_factory):
    """The folder that two processes have left; not to be changed."""
    folder = tmp_path_factory.mktemp("meeting")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=take_part, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    return folder


def read(folder):
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_processes_that_replay_their_messages_train_as_those_that_send_them(meeting):
    for ways in read(meeting):
        assert ways["graphed"]["replays"] == STEPS - WARM_UP
        torch.testing.assert_close(ways["graphed"]["weights"], ways["plain"]["weights"], rtol=1e-4, atol=1e-6)


def test_if_one_process_cannot_record_its_step_none_replays(meeting):
    for ways in read(meeting):
        assert ways["refused"]["replays"] == 0
        torch.testing.assert_close(ways["refused"]["weights"], ways["plain"]["weights"], rtol=1e-4, atol=1e-6)
    said = [(meeting / f"said{rank}.txt").read_text(encoding="utf-8") for rank in range(2)]
    assert "cannot be recorded as a CUDA graph: another process of this training could not record its own." in said[0]
    assert "cannot be recorded as a CUDA graph: no memory for a graph." in said[1]


def test_a_pass_that_failed_leaves_no_message_for_the_next():
    strategy = GANDDPStrategy()
    weight = torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    strategy.buckets.add(weight)
    strategy.pre_backward(torch.zeros(()))
    strategy.post_backward(torch.zeros(()))  # would send the gradient, for which nobody waits


def test_a_graph_is_for_several_processes_that_send_by_nccl_pictures_of_one_size(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for words, can_record in [
        ([], True),
        (["+trainer.strategy.process_group_backend=nccl"], True),
        (["+trainer.strategy.process_group_backend=gloo"], False),
        (["data.preprocess=none"], False),
    ]:
        config = make_config(*TINY, "trainer=ddp", "trainer.accelerator=gpu", "trainer.devices=2", *words)
        assert (find_graph_obstacles(config) == []) is can_record, words
