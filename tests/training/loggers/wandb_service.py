"""A stand-in for the part of W&B's service that a training talks to: GraphQL, the stream of rows, uploaded files."""

import gzip
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local_server import AnswersJson, LocalServer

HISTORY = "wandb-history.jsonl"


@dataclass
class ReceivedRun:
    """What the service holds of a run.

    Args:
        lines: of each stream, such as the history, by their places in it.
        files: the bytes of uploaded files, by their names.
        starts: how often a client has begun or resumed it.
    """

    lines: dict[str, dict[int, str]] = field(default_factory=dict, repr=False)
    files: dict[str, bytes] = field(default_factory=dict, repr=False)
    config: dict[str, Any] = field(default_factory=dict, repr=False)
    starts: int = 0
    exit_code: int | None = None

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the history, in their order."""
        return [json.loads(line) for _, line in sorted(self.lines.get(HISTORY, {}).items())]


class WandbService(LocalServer):
    """Answers like W&B, at `url`, and keeps what it received in `runs`, by their names."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.runs: dict[str, ReceivedRun] = {}
        self.is_up = threading.Event()  # while it is not set, connections are closed without an answer
        self.is_up.set()
        self.unknown: set[str] = set()  # operations that have no answer here

    def handle_error(self, request, client_address):
        """Says nothing of clients that went away."""


class Answers(AnswersJson, BaseHTTPRequestHandler):
    """Answers one request after the other of a connection."""

    protocol_version = "HTTP/1.1"
    server: WandbService

    def do_POST(self) -> None:
        content = self.read()
        if not self.server.is_up.is_set():
            self.close_connection = True
        elif self.path == "/graphql":
            request = json.loads(content)
            name = re.findall(r"(?:query|mutation) (\w+)", request["query"])[0]
            self.reply({"data": self.operation(name, request.get("variables") or {})})
        elif self.path.endswith("/file_stream"):
            self.take_stream(self.path.split("/")[-2], json.loads(content))
            self.reply({})
        else:
            self.reply({})

    def do_PUT(self) -> None:
        content = self.read()
        if not self.server.is_up.is_set():
            self.close_connection = True
            return
        run, _, name = self.path.removeprefix("/upload/").partition("/")
        self.server.runs[run].files[name] = content
        self.reply({})

    def operation(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer to an operation of GraphQL."""
        if name == "Viewer":
            return {"viewer": {"id": "1", "entity": "lab", "username": "lab", "flags": "{}", "teams": {"edges": []}}}
        if name == "RunResumeStatus":
            return self.resume_status(variables["name"])
        if name == "UpsertBucket":
            return self.upsert(variables)
        if name == "CreateRunFiles":
            files = [
                {"name": file, "uploadUrl": f"{self.server.url}/upload/{variables['run']}/{file}"}
                for file in variables["files"]
            ]
            return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}
        # Tables are artifacts: this service says that it has their files already.
        artifact = {"id": "1", "state": "COMMITTED", "artifactSequence": {"latestArtifact": None}}
        others = {
            "ArtifactType": {"project": {"artifact": None}},
            "CreateArtifact": {"createArtifact": {"artifact": artifact}},
            "ServerFeaturesQuery": {"serverInfo": {"features": []}},
            "OrganizationCoreWeaveOrganizationID": {"entity": None},
        }
        if name not in others:
            self.server.unknown.add(name)
        return others.get(name, {})

    def resume_status(self, name: str) -> dict[str, Any]:
        """What a client that resumes asks: how many rows there are, and the last of them."""
        run = self.server.runs.get(name)
        bucket = run and {
            "name": name,
            "summaryMetrics": json.dumps(run.rows()[-1] if run.rows() else {}),
            "displayName": name,
            "logLineCount": 0,
            "historyLineCount": len(run.lines.get(HISTORY, {})),
            "eventsLineCount": len(run.lines.get("wandb-events.jsonl", {})),
            "historyTail": json.dumps([json.dumps(row) for row in run.rows()[-1:]]),
            "eventsTail": "[]",
            "config": json.dumps(run.config),
            "tags": [],
            "wandbConfig": json.dumps({"t": 1}),
        }
        return {"model": {"id": "1", "name": "pix2pix", "entity": {"id": "1", "name": "lab"}, "bucket": bucket}}

    def upsert(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Begins a run, or goes on with it."""
        name = variables["name"]
        run = self.server.runs.setdefault(name, ReceivedRun())
        run.starts += 1
        run.config = json.loads(variables.get("config") or "{}") or run.config
        project = {"id": "1", "name": variables.get("project") or "pix2pix", "entity": {"id": "1", "name": "lab"}}
        about = {"id": name, "name": name, "displayName": name, "sweepName": None, "project": project}
        return {"upsertBucket": {"bucket": about | {"historyLineCount": 0}, "inserted": run.starts == 1}}

    def take_stream(self, name: str, content: dict[str, Any]) -> None:
        """Adds lines of a stream at their places: a line that is sent twice takes its own place again."""
        run = self.server.runs[name]
        for stream, chunk in content.get("files", {}).items():
            lines = run.lines.setdefault(stream, {})
            lines |= {chunk["offset"] + place: line for place, line in enumerate(chunk["content"])}
        if content.get("complete"):
            run.exit_code = content.get("exitcode")

    def read(self) -> bytes:
        """The content of a request."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(content) if self.headers.get("Content-Encoding") == "gzip" else content
