"""A stand-in for the Hugging Face Hub on this machine: creates repositories, takes commits, hands out files."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from tests.local_server import LocalServer, Silent

LARGE = (".safetensors", ".png")  # what the real one stores through LFS
TOKEN = "hf_secret_of_the_test"


class Hub(LocalServer):
    """The server, with what it was given.

    Attributes:
        repositories: of each one the branches and commits, and of these the files.
        asked: method, path and Authorization of each request.
        refusals: paths that are answered by a status and headers instead.
    """

    def __init__(self) -> None:
        super().__init__(Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.blobs: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.refusals: dict[str, tuple[int, dict[str, str]]] = {}
        self.private: set[str] = set()

    def put(self, repository: str, revision: str = "main", **files: bytes) -> str:
        """Puts a commit on a branch, as an upload does; returns its hash."""
        branches = self.repositories.setdefault(repository, {})
        content = {**branches.get(revision, {}), **files}
        commit = hashlib.sha1(repr(sorted(content.items())).encode()).hexdigest()
        branches[revision] = branches[commit] = content
        return commit


class Handler(Silent, BaseHTTPRequestHandler):
    """Answers as https://huggingface.co does."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def answer(self, status: int, content: Any = b"", **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def begin(self) -> tuple[str, bytes, bool]:
        """The path and body; notes the request, and answers it where it is to be refused."""
        path, body = unquote(self.path.partition("?")[0]), self.body()
        self.server.asked.append((self.command, path, self.headers.get("Authorization")))
        for start, (status, headers) in self.server.refusals.items():
            if path.startswith(start):
                self.answer(status, {"error": "refused"}, **headers)
                return path, body, True
        return path, body, False

    def do_POST(self) -> None:
        path, body, done = self.begin()
        if done:
            return
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            self.create(json.loads(body))
        elif path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = [
                {"path": f, "uploadMode": "lfs" if f.endswith(LARGE) else "regular", "shouldIgnore": False}
                for f in files
            ]
            self.answer(200, {"files": modes})
        elif path.endswith("/info/lfs/objects/batch"):
            self.batch(json.loads(body))
        elif "/commit/" in path:
            self.commit(path, body)
        else:
            self.answer(404, {"error": "no such path"})

    def create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        known = name in self.server.repositories
        self.server.repositories.setdefault(name, {})
        self.server.private |= {name} if wanted.get("private") or wanted.get("visibility") == "private" else set()
        self.answer(409 if known else 200, {"url": f"{self.server.url}/{name}", "name": name})

    def batch(self, wanted: dict[str, Any]) -> None:
        objects = [
            {**each, "actions": {"upload": {"href": f"{self.server.url}/lfs/{each['oid']}"}}}
            if each["oid"] not in self.server.blobs
            else each
            for each in wanted["objects"]
        ]
        self.answer(200, {"transfer": "basic", "objects": objects})

    def do_PUT(self) -> None:
        path, body, done = self.begin()
        if done:
            return
        oid = path.rpartition("/")[2]
        assert hashlib.sha256(body).hexdigest() == oid
        self.server.blobs[oid] = body
        self.answer(200)

    def commit(self, path: str, body: bytes) -> None:
        _, _, _, user, name, _, revision = path.split("/", 6)
        files = {}
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
        commit = self.server.put(f"{user}/{name}", revision, **files)
        self.answer(200, {"commitUrl": f"{self.server.url}/{user}/{name}/commit/{commit}", "commitOid": commit})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path, _, done = self.begin()
        if not done:
            self.send_file(path)

    def send_file(self, path: str) -> None:
        parts = path.strip("/").split("/")
        repository = self.server.repositories.get("/".join(parts[:2]))
        if repository is None or ("/".join(parts[:2]) in self.server.private and not self.is_owner()):
            self.answer(401, X_Error_Code="RepoNotFound")
            return
        revision, file = parts[3], "/".join(parts[4:])
        commits = {name: files for name, files in repository.items() if len(name) == 40}
        commit = next((name for name, files in commits.items() if files == repository.get(revision)), "")
        if not commit:
            self.answer(404, X_Error_Code="RevisionNotFound")
        elif file not in commits[commit]:
            self.answer(404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        else:
            content = commits[commit][file]
            self.answer(200, content, ETag=f'"{hashlib.sha256(content).hexdigest()}"', X_Repo_Commit=commit)

    def is_owner(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"
