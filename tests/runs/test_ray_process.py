"""How many jobs fit on a Ray cluster, and what is refused. On a real one: tests/ray_cluster."""

import importlib.util
import socket
from types import SimpleNamespace

import pytest

from hydra_plugins.pix2pix_ray import RayLauncher
from pix2pix.runs import ray_process
from pix2pix.runs.ray_process import RaySlots
from pix2pix.runs.sweep import Job
from tests.conftest import TINY, pix2pix


@pytest.fixture
def nodes(monkeypatch):
    """What the nodes of a cluster have; a stand-in for Ray tells it."""
    resources: list[dict[str, float]] = []
    ray = SimpleNamespace(
        init=lambda *_, **__: None, nodes=lambda: [{"Alive": True, "Resources": each} for each in resources]
    )
    monkeypatch.setattr(ray_process, "import_ray", lambda: ray)
    return resources


def jobs(tmp_path, *gpus: int | None) -> list[Job]:
    return [Job(tmp_path, f"{place}", [], gpus=count) for place, count in enumerate(gpus)]


@pytest.mark.parametrize(("gpus", "slots", "taken"), [([0, 0], 5, 0), ([1, 1], 3, 1), ([1, 2], 1, 2)])
def test_jobs_are_counted_by_the_scarcer_of_cpus_and_gpus_of_each_node(nodes, tmp_path, gpus, slots, taken):
    nodes += [{"CPU": 5, "GPU": 1}, {"CPU": 6, "GPU": 2}, {"CPU": 1}]
    found = RaySlots.for_cluster("auto", jobs(tmp_path, *gpus), None, cpus=2)
    assert (len(found.free), found.gpus) == (slots, taken)


def test_a_cluster_without_gpus_trains_on_cpus_and_jobs_says_how_many_at_once(nodes, tmp_path):
    nodes += [{"CPU": 2}]
    found = RaySlots.for_cluster("auto", jobs(tmp_path, 1, None), at_once=7, cpus=1)
    assert (found.at_once, found.gpus) == (7, 0)


@pytest.mark.parametrize(
    ("node", "gpus", "complaint"),
    [
        ({"CPU": 2}, 0, "cpus=3 with 0 GPUs a run: no node"),
        ({"CPU": 8, "GPU": 1}, 2, "cpus=3 with 2 GPUs a run: no node"),
        ({"CPU": 8, "GPU": 1}, None, "trainer.devices=2"),
    ],
)
def test_a_job_that_fits_on_no_node_is_refused(nodes, tmp_path, node, gpus, complaint):
    nodes.append(node)
    with pytest.raises(ValueError, match=complaint):
        RaySlots.for_cluster("auto", jobs(tmp_path, gpus), None, cpus=3)


@pytest.mark.usefixtures("nodes")
def test_an_address_at_which_nothing_listens_is_refused_at_once(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ValueError, match=rf"address={address}: no Ray cluster answers .* `ray start --head`"):
            RaySlots.for_cluster(address, jobs(tmp_path, 0), None, cpus=1)


def test_cpus_must_be_a_whole_number():
    with pytest.raises(ValueError, match=r"hydra.launcher.cpus=0.5: must be a whole number of at least 1"):
        RayLauncher(cpus=0.5)  # pyright: ignore[reportArgumentType]


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="the extra is installed")
def test_without_the_extra_the_launcher_says_how_to_install_it(tmp_path):
    words = ["train", "-m", *TINY, "seed=1,2", f"output_dir={tmp_path}", "hydra/launcher=ray"]
    with pytest.raises(SystemExit, match=r"pip install 'pix2pix\[ray\]'"):
        pix2pix(*words)
