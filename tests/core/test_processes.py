"""Ending a process with those that it started, also on systems without process groups."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from pix2pix.core.processes import import_environment, signal_tree
from tests.conftest import wait_until

CHILD = "import time; time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {CHILD!r}]); {CHILD}"


@pytest.mark.parametrize("system", ["with process groups", "without"])
def test_the_whole_tree_ends(system, monkeypatch):
    if system == "without":  # as on Windows
        monkeypatch.delattr(os, "killpg")
    with subprocess.Popen([sys.executable, "-c", PARENT], start_new_session=True) as process:
        wait_until(lambda: psutil.Process(process.pid).children(), process)
        children = psutil.Process(process.pid).children()
        signal_tree(process, signal.SIGTERM)
        process.wait(60)
        assert psutil.wait_procs(children, 60)[1] == []
        signal_tree(process, signal.SIGTERM)  # what has ended is no error


def test_processes_import_from_the_current_folder_where_their_parent_does(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for first, does in ((str(tmp_path), True), ("", True), ("/usr/bin", False)):
        monkeypatch.setattr(sys, "path", [first, *sys.path])
        assert import_environment() == ({} if does else {"PYTHONSAFEPATH": "1"})
