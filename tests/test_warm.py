"""What tests start as a copy of a process behaves as what Python starts: words, folder, environment, pipes, end."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.warm import WarmPopen

TELL = """
import json, os, sys, threading
said = [sys.argv, sys.path[0], os.getcwd(), os.environ["WORD"], os.environ.get("HOME"), threading.active_count()]
print(json.dumps([*said, os.getpid() == os.getsid(0), os.getppid(), sys.stdin.read()]))
print("complaint", file=sys.stderr)
sys.exit(3)
"""


@pytest.mark.parametrize("start_new_session", [False, True])
def test_a_copy_sees_what_a_process_of_its_own_would(tmp_path, start_new_session):
    options = {"cwd": tmp_path, "env": {**os.environ, "WORD": "é"}, "start_new_session": start_new_session}
    told = []
    for start in (subprocess.Popen, WarmPopen):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with start([sys.executable, "-c", TELL, "a", "b"], **pipes, **options, text=True) as process:
            said, complaints = process.communicate("given")
        told.append([json.loads(said), complaints, process.returncode])
    cold, warm = told
    cold[0][1] = str(tmp_path)  # the empty word, which means the same folder
    assert warm == cold


def test_a_copy_is_ended_by_a_signal_and_its_code_tells_so():
    process = WarmPopen([sys.executable, "-c", "import time; time.sleep(60)"])
    process.kill()
    assert process.wait(60) == -signal.SIGKILL


def test_another_program_is_started_as_always():
    with WarmPopen(["echo", "a"], stdout=subprocess.PIPE, text=True) as process:
        assert process.communicate() == ("a\n", None)
