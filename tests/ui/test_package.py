"""The page's client as a package for JavaScript: built, packed, installed into another project and run by Node."""

import json
import re
import shutil
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.page import ROOT, UI, npm_or_skip, run

PACKAGE = UI / "src" / "api"
MANIFEST = json.loads((PACKAGE / "package.json").read_text())
PATHS = json.loads((UI / "openapi.json").read_text())["paths"]

PROGRAM = """
import { Client, MAX_BATCH_FILES } from "gender-client";

const client = new Client(process.argv[2], { key: "key" });
const photo = (content) => new Blob([content]);
console.log(JSON.stringify({
  photo: await client.predict(photo("one person"), "a.jpg"),
  refusal: await client.predict(photo("nobody")),
  fault: await client.predict(photo("no photo"), "a.txt"),
  again: await client.predict(photo("one person, after a process that died")),
  batch: await client.predictBatch([new File(["one person"], "a.jpg"), new File(["no photo"], "b.txt")]),
  health: await client.health(),
  nobody: await new Client("http://127.0.0.1:9", { deadlineMs: 1 }).predict(photo("one person")),
  most: MAX_BATCH_FILES,
}));
"""


def example(path: str, method: str, status: int, name: str) -> dict[str, object]:
    """The body of an example in the OpenAPI document."""
    examples = PATHS[path][method]["responses"][str(status)]["content"]["application/json"]["examples"]
    return dict(examples[name]["value"])


ONE = example("/predict", "post", 200, "ok")
NOBODY = example("/predict", "post", 200, "no_person")
NO_PHOTO = example("/predict", "post", 400, "not_an_image")
BATCH = example("/predict-batch", "post", 200, "batch")
HEALTHY = example("/health", "get", 200, "healthy")


class Service(BaseHTTPRequestHandler):
    """Answers with the examples, by what the photo says; one process dies under the first photo that speaks of it."""

    protocol_version = "HTTP/1.1"
    died = False

    def do_GET(self) -> None:
        self.reply(200, HEALTHY)

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/predict-batch?people=each" and form.count(b'name="files"') == 2 and self.headers["authorization"] == "Bearer key":
            self.reply(200, BATCH)
        elif b"a process that died" in form and not Service.died:
            Service.died = True
            self.reply(502, None)
        elif b"no photo" in form:
            self.reply(400, NO_PHOTO)
        else:
            self.reply(200, NOBODY if b"nobody" in form else ONE)

    def reply(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 (its name in the base class)
        """Keeps quiet."""


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of somebody else, with the package as npm would publish it."""
    npm_or_skip()
    run("npm", "run", "--silent", "build:api")
    folder = tmp_path_factory.mktemp("project")
    run("npm", "pack", "--silent", "--pack-destination", str(folder), cwd=PACKAGE)
    (packed,) = folder.glob("*.tgz")
    (folder / "package.json").write_text("{}")
    run("npm", "install", "--silent", "--offline", "--no-audit", "--no-fund", packed.name, cwd=folder)
    return folder


def output_of(program: str, project: Path, *arguments: str) -> str:
    """What Node prints when it runs a program in the project."""
    (project / "program.mjs").write_text(program)
    node = shutil.which("node") or "node"
    return subprocess.run([node, "program.mjs", *arguments], cwd=project, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_program_gets_answers_refusals_and_faults(project: Path, service: str) -> None:
    got = json.loads(output_of(PROGRAM, project, service))
    assert got["photo"] == got["again"] == {"kind": "answer", "answer": ONE}
    assert got["refusal"] == {"kind": "answer", "answer": NOBODY}
    assert got["refusal"]["answer"]["code"] == "no_person"
    assert got["fault"]["kind"] == "fault"
    assert (got["fault"]["code"], got["fault"]["text"]) == ("not_an_image", NO_PHOTO["error"])
    assert got["batch"] == {"kind": "answer", "answer": BATCH}
    assert got["health"] == {"kind": "report", "health": HEALTHY}
    assert got["nobody"] == {"kind": "no_answer", "mayPass": True}
    assert got["most"] == 10


def test_the_readmes_example_runs(project: Path, service: str) -> None:
    program, *_ = re.findall(r"^```javascript\n(.*?)^```", (PACKAGE / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (project / "photo.jpg").write_bytes(b"one person")
    assert output_of(program.replace("http://localhost:8000", service), project) == "male 0.892\n"


def test_the_package_is_one_file_and_its_types(project: Path) -> None:
    installed = project / "node_modules" / MANIFEST["name"]
    files = {file.relative_to(installed).as_posix() for file in installed.rglob("*") if file.is_file()}
    assert {file for file in files if not file.endswith(".d.ts")} == {"package.json", "README.md", "dist/index.js"}
    assert {MANIFEST["exports"]["types"], "./dist/schema.d.ts"} <= {f"./{file}" for file in files}
    assert "import " not in (installed / "dist/index.js").read_text()
    assert "config.json" not in (installed / "dist/index.js").read_text()


def test_its_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (MANIFEST["version"], MANIFEST["license"]) == (project["version"], project["license"])
