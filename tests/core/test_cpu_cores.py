"""How many cores a process may use."""

import os

from pix2pix.core.cpu_cores import count_cores


def test_only_the_cores_that_a_process_may_use_are_counted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {1, 3}, raising=False)
    assert count_cores() == 2


def test_where_the_system_does_not_say_all_cores_are_counted(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count_cores() == 6
