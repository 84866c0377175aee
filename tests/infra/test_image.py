"""The Dockerfile: its text and, where buildah can build it, a prediction from the built image."""

import ast
import configparser
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from serve_app.commands.smoke import Service, drawn_image
from serve_app.graph import haproxy
from serve_app.graph.ray_internals import IMAGE_FOLDER, IN_PODS, free_port
from serve_app.settings import Settings
from serve_app.supervisor.stop import STOP_S
from tests.support.processes import of_each

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
DEBIAN = "bookworm"
IMAGE = "gender-presentation:test"


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)$", DOCKERFILE, re.MULTILINE)


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    ended = subprocess.run([hadolint, "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.stdout == ""


def test_kuberay_can_ask_pods_for_their_health_and_choose_their_command() -> None:
    (packages,) = re.findall(r"apt-get install (.*)$", DOCKERFILE, re.MULTILINE)
    assert {"bash", "wget"} <= set(packages.split())
    assert instructions("ENTRYPOINT") == []


def test_the_default_is_the_image_for_cpus_without_root() -> None:
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert stages[-1] == ("cpu-models", "cpu")
    for target in ("gpu", "cpu-models"):
        body = re.split(r"^FROM ", DOCKERFILE.partition(f" AS {target}\n")[2], flags=re.MULTILINE)[0]
        assert "USER 1000" in body


def test_only_what_the_dockerfile_copies_reaches_the_builder() -> None:
    copied = {source for line in instructions("COPY") if not line.startswith("--from") for source in line.split()[:-1]}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {source.partition("/")[0] for source in copied} == allowed


def test_pods_find_the_program_that_ray_starts_in_haproxys_place() -> None:
    program = Path(IN_PODS["RAY_SERVE_HAPROXY_BINARY_PATH"])
    (folder,) = set(instructions("WORKDIR")) - {"/ui"}
    assert str(IMAGE_FOLDER) == folder
    assert "serve_app serve_app" in instructions("COPY")
    assert ROOT / program.relative_to(folder) == Path(haproxy.__file__)
    assert os.access(haproxy.__file__, os.X_OK)


def test_compose_waits_for_what_is_in_flight_and_is_for_this_machine_only() -> None:
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["service"]
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP_S
    assert {port.split(":")[0] for port in service["ports"]} == {"127.0.0.1"}
    host, published, inside = service["ports"][0].split(":")
    assert host == "127.0.0.1"
    assert published == inside == str(Settings.model_fields["api_port"].default) == str(service["environment"]["API_PORT"])
    assert service["build"]["target"] in re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A container of the image, built on a local Debian base so that no image registry is needed."""
    if os.environ.get("IMAGE_BUILD", "0") in ("", "0"):
        pytest.skip("IMAGE_BUILD=1 builds the image, which takes minutes")
    for tool in ("buildah", "debootstrap"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("image")
    base = folder / "debian"
    run("debootstrap", "--variant=minbase", "--include=python3,python3-venv", DEBIAN, str(base))
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "add", container, str(base), "/")
    run("buildah", "commit", "--rm", container, "localhost/debian-python")
    shutil.rmtree(base)
    options = [
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--build-arg",
        "BASE_IMAGE=localhost/debian-python",
        *pip_of_this_machine(folder),
    ]
    run("buildah", "bud", *options, "--target", "cpu", "--tag", IMAGE, str(ROOT))
    # HAProxy needs more open files than buildah's default of 1,024; Docker and Kubernetes allow more by default.
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    container = run("buildah", "from", "--ulimit", f"nofile={files}:{files}", IMAGE).strip()
    yield container
    run("buildah", "rm", container)


def test_the_image_answers_as_user_1000(image: str) -> None:
    said = run("buildah", "run", "--isolation", "chroot", image, "--", "sh", "-c", "id -u && command -v bash && command -v wget")
    assert said.split() == ["1000", "/usr/bin/bash", "/usr/bin/wget"]
    port = free_port()
    command = [
        "buildah",
        "run",
        "--isolation",
        "chroot",
        "--network",
        "host",
        "--env",
        f"API_PORT={port}",
        image,
        "--",
        "python",
        "-m",
        "serve_app",
    ]
    process = subprocess.Popen(command, env=environment())
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process)
        reply = Service(f"http://127.0.0.1:{port}").post("/predict", drawn_image(), "image/png")
        assert (reply.status, reply.body["code"]) == (200, "no_person")
        family = psutil.Process(process.pid).children(recursive=True)
        users = of_each(family, lambda child: (child.cmdline(), child.uids().real)).values()
        assert {user for command, user in users if "serve_app" in command} == {1000}
    finally:
        if process.poll() is None:
            family = psutil.Process(process.pid).children(recursive=True)
            for child, command in of_each(family, psutil.Process.cmdline).items():
                if "serve_app" in command:
                    child.terminate()
            psutil.wait_procs(family, timeout=30)
        process.wait(30)


def test_the_image_has_the_rays_version_of_the_lock(image: str) -> None:
    said = run("buildah", "run", "--isolation", "chroot", image, "--", "python", "-c", "import ray; print(ray.__version__)")
    assert f"ray=={said.strip()}" in (ROOT / "requirements.lock").read_text().splitlines()


def environment() -> dict[str, str]:
    return os.environ | {"STORAGE_DRIVER": "vfs"}  # the storage driver that needs no kernel support


def run(*command: str) -> str:
    """Standard output of a command; pytest captures its standard error."""
    return subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True).stdout


def pip_of_this_machine(folder: Path) -> list[str]:
    """buildah options that give pip in the build the package sources of pip here: its settings, wheel folders and certificates."""
    pairs = re.findall(r"^global\.([\w-]+)=('.*')$", run(sys.executable, "-m", "pip", "config", "list"), re.MULTILINE)
    settings = {name: str(ast.literal_eval(value)) for name, value in pairs}
    config = configparser.RawConfigParser()
    config["global"] = settings
    with (folder / "pip.conf").open("w") as file:
        config.write(file)
    words = [word for value in settings.values() for word in value.split()]
    # A file:// index has its packages in the same folder.
    folders = {Path(word.removeprefix("file://")).parent if word.startswith("file://") else Path(word) for word in words}
    shared = sorted(str(path) for path in folders if path.is_absolute() and path.exists())
    volumes = [f"{folder / 'pip.conf'}:/etc/pip.conf:ro", "/etc/ssl/certs:/etc/ssl/certs:ro", *(f"{path}:{path}:ro" for path in shared)]
    found_here = "find-links" in settings
    return [*(["--build-arg", "TORCH_INDEX="] if found_here else []), *(part for volume in volumes for part in ("--volume", volume))]


def wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"the container ended with {process.returncode}")
