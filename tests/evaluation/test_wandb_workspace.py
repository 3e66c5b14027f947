"""`pix2pix compare --wandb`: what is asked of W&B's server, by a stand-in for it on 127.0.0.1."""

import json
import shutil
from http.server import BaseHTTPRequestHandler

import pytest

from tests.conftest import command
from tests.local_server import AnswersJson, LocalServer

pytest.importorskip("wandb_workspaces")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Answers as W&B does to who asks and to a new view; keeps what it was asked."""

    class Answers(AnswersJson, BaseHTTPRequestHandler):
        asked: list[dict]
        refuses = False

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = {"data": {"viewer": {"id": "1", "entity": "me", "username": "me", "flags": "{}"}}}
            if self.path == "/graphql":
                self.asked.append(json.loads(body))
                if "upsertView" in self.asked[-1]["query"]:
                    answer = {"data": {"upsertView": {"view": {"id": "V1", "name": "nw-field-v"}, "inserted": True}}}
                    if self.refuses:
                        answer = {"errors": [{"message": "permission denied"}]}
            self.reply(answer)

    Answers.asked = []
    with LocalServer(Answers) as standing_in:
        monkeypatch.setenv("WANDB_BASE_URL", standing_in.url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.delenv("WANDB_MODE", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        yield Answers


@pytest.fixture
def logged(sweep, tmp_path):
    """The sweep as if it had been logged to W&B."""
    folder = tmp_path / "receptive_field"
    shutil.copytree(sweep, folder)
    for number, config in enumerate(sorted(folder.glob("*/config.yaml"))):
        (config.parent / "wandb").mkdir()
        (config.parent / "wandb" / "id").write_text(f"id{number}\n")
    return folder


def test_the_workspace_shows_these_runs_with_pictures_metrics_and_players(server, logged):
    result = command("compare", logged, "--no-evaluate", "--wandb", "facades")
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip().splitlines()[-1].endswith("/me/facades?nw=field")
    (asked,) = [asked["variables"] for asked in server.asked if "upsertView" in asked["query"]]
    assert (asked["entityName"], asked["projectName"], asked["displayName"]) == ("me", "facades", "receptive_field")
    spec = json.dumps(json.loads(asked["spec"]))
    for what in ("samples/val", "val/ssim", "accuracy/d_real", "val/variation", "evaluation", '"id0"', '"id3"'):
        assert what in spec, what
    assert "discriminator.value.receptive_field" in spec


def test_what_the_server_says_is_passed_on(server, logged):
    server.refuses = True
    result = command("compare", logged, "--no-evaluate", "--wandb", "facades")
    assert result.returncode == 1
    assert "W&B rejected the workspace" in result.stderr
    assert "permission denied" in result.stderr
    assert "Traceback" not in result.stderr


def test_runs_that_were_not_logged_to_wandb_are_named(server, sweep):
    result = command("compare", sweep, "--no-evaluate", "--wandb", "facades")
    assert "not logged to W&B: " in result.stderr
    assert not server.asked
