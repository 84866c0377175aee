"""A fake Hugging Face Hub on a free local port, with just what a download needs."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit


@dataclass
class Hub:
    """One repository at one commit.

    Attributes:
        repo, revision, commit: `org/name`, the branch, and its commit (40 hex digits).
        folder: its files.
        gated: whether users must accept the repository's terms first.
        downloads: names of the downloaded files.
    """

    folder: Path
    repo: str = "org/name"
    revision: str = "main"
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    gated: bool = False
    url: str = ""
    downloads: list[str] = field(default_factory=list)


@contextmanager
def hub_server(hub: Hub) -> Iterator[Hub]:
    """Serves the repository at `hub.url`."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if hub.gated:
                self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
            elif path == f"/api/models/{hub.repo}" or path.startswith(f"/api/models/{hub.repo}/revision/"):
                self._revision(path.partition("/revision/")[2] or hub.revision)
            elif path.startswith(f"/api/models/{hub.repo}/tree/"):
                files = [
                    {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _etag(file)}
                    for file in sorted(hub.folder.iterdir())
                ]
                self._answer(200, json.dumps(files).encode())
            elif path.startswith(prefix := f"/{hub.repo}/resolve/{hub.commit}/"):
                self._file(hub.folder / path.removeprefix(prefix))
            else:
                self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})

        do_GET = do_HEAD

        def _revision(self, revision: str) -> None:
            if revision in (hub.revision, hub.commit):
                self._answer(200, json.dumps({"id": hub.repo, "sha": hub.commit, "siblings": []}).encode())
            else:
                self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})

        def _file(self, file: Path) -> None:
            if self.command == "GET":
                hub.downloads.append(file.name)
            self._answer(200, file.read_bytes(), {"ETag": f'"{_etag(file)}"', "X-Repo-Commit": hub.commit})

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        hub.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def _etag(file: Path) -> str:
    return hashlib.sha1(file.read_bytes(), usedforsecurity=False).hexdigest()
