"""Page and API on one https origin: a fake CloudFront built from the plan (tests/support/edge.py), the built page and the real service.

The browser's steps are in ui/e2e/cloud.edge.ts.
"""

import json
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from serve_app.graph.ray_internals import free_port
from serve_app.http.page import CONTENT_SECURITY_POLICY
from tests.infra.conftest import Planned
from tests.infra.manifests import ROOT
from tests.support import photos
from tests.support.edge import Bucket, Distribution, Reply, Service, edge, missing_tools
from tests.support.page import UI, chromium_or_skip, npm_or_skip, run
from tests.support.service import RunningService

PATH = "module.edge.aws_cloudfront_distribution.this"
DEPLOY = (ROOT / "deploy.sh").read_text()


@pytest.fixture(scope="module")
def page() -> Path:
    """Folder of the built page."""
    npm_or_skip()
    run("make", "--no-print-directory", "page", cwd=ROOT)
    return UI / "dist"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service, with the same public prefix as in the pods."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ROOT_PATH", "/api")
        running = RunningService(free_port(), tmp_path_factory.mktemp("service"))
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()
        running.process.wait()


@dataclass(frozen=True)
class Edge:
    """Client of the public URL."""

    url: str
    distribution: Distribution
    certificate: Path

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(self.url + path, data=body, headers=sent, method=method)
        try:
            with urlopen(request, context=ssl.create_default_context(cafile=str(self.certificate)), timeout=60) as answer:
                return Reply(answer.status, dict(answer.headers.items()), answer.read())
        except HTTPError as error:
            with error:
                return Reply(error.code, dict(error.headers.items()), error.read())


@pytest.fixture(scope="module")
def public(aws: Planned, page: Path, service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    if missing := missing_tools():
        pytest.skip(f"not installed: {', '.join(missing)}")
    (config,) = re.findall(r"printf '(\{.*?\})\\n'", DEPLOY)  # deploy.sh uploads this instead of the page's own
    values = aws.resources[PATH]
    (timeout,) = [each["vpc_origin_config"][0]["origin_read_timeout"] for each in values["origin"] if each["vpc_origin_config"]]
    distribution = Distribution(
        values,
        aws.configuration[PATH],
        {address.removeprefix("module.edge."): each for address, each in aws.resources.items() if address.startswith("module.edge.")},
        {"page": Bucket(page, {"config.json": config.encode()}), "service": Service(service.url, timeout)},
    )
    folder = tmp_path_factory.mktemp("edge")
    with edge(distribution, folder) as url:
        yield Edge(url, distribution, folder / "certificate.pem")


def test_a_browser_uploads_photos_and_opens_deep_links(public: Edge, tmp_path: Path) -> None:
    chromium = chromium_or_skip()
    (tmp_path / "person.jpg").write_bytes(photos.cameraman())
    arguments = ("npx", "playwright", "test", "--config", "playwright.edge.config.ts")
    run(*arguments, CHROMIUM=chromium, SERVICE_URL=public.url, PHOTOS=str(tmp_path))


def test_a_photo_above_what_a_firewall_reads_passes(public: Edge) -> None:
    reply = public.ask("/api/predict", "POST", photos.cameraman(), Content_Type="image/jpeg")
    assert len(photos.cameraman()) > 16_384
    assert (reply.status, json.loads(reply.body)["code"]) == (200, "ok")


@pytest.mark.parametrize(
    ("path", "method", "status", "code"), [("/api/nothing", "GET", 404, "not_found"), ("/api/predict", "DELETE", 405, "method_not_allowed")]
)
def test_what_the_api_refuses_stays_the_apis_answer(public: Edge, path: str, method: str, status: int, code: str) -> None:
    reply = public.ask(path, method, Accept="text/html")  # as a browser sends when it opens a page
    assert reply.status == status
    assert json.loads(reply.body)["code"] == code


def test_deep_links_are_the_page_and_missing_files_are_not(public: Edge) -> None:
    page = public.ask("/")
    assert page.body == public.ask("/photos/3").body == (UI / "dist" / "index.html").read_bytes()
    assert public.ask("/assets/missing.js").status == 403


def test_what_would_control_ray_does_not_reach_it(public: Edge) -> None:
    reply = public.ask("/api/predict", "POST", photos.coffee(), Content_Type="image/jpeg", X_Request_Timeout_Seconds="0.000001")
    assert reply.status == 200


def test_public_addresses_are_those_of_the_documents(public: Edge) -> None:
    """The service's /docs must load the OpenAPI document under the public prefix, which requests to the service no longer have."""
    document = json.loads(public.ask("/api/openapi.json").body)
    assert document["servers"] == [{"url": "/api"}]
    assert "/api/openapi.json" in public.ask("/api/docs").body.decode()


def test_headers_keep_browsers_on_https_and_the_page_to_itself(public: Edge) -> None:
    for path in ("/", "/api/health"):
        headers = {name.lower(): value for name, value in public.ask(path).headers.items()}
        assert headers["strict-transport-security"] == "max-age=31536000"
        if path == "/":
            assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        else:
            assert headers["x-request-id"]


def test_nothing_is_answered_in_the_clear(public: Edge) -> None:
    assert public.distribution.http_only_answers("/api/predict") == "https-only"
    assert public.distribution.http_only_answers("/") == "redirect-to-https"
    assert public.ask("/", "POST", b"x").status == 403  # the page allows no uploads
