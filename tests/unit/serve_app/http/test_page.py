"""The built page: serves its own files, nothing else, and never shadows the API."""

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serve_app.http.page import CONTENT_SECURITY_POLICY, page_routes
from tests.support.http import client_of


@pytest.fixture
def page_dir(tmp_path: Path) -> Path:
    """A page as built by Vite, next to a file that is not part of it."""
    (tmp_path / "secret.txt").write_text("secret")
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<h1>page</h1>")
    (page / "icon.svg").write_text("<svg/>")
    (page / "sw.js").write_text("install()")
    (page / "assets" / "index-1a2b.js").write_text("start()")
    return page


def test_a_folder_without_an_index_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "icon.svg").write_text("<svg/>")
    assert page_routes(tmp_path) == []
    assert page_routes(tmp_path / "not-built") == []


@pytest.mark.parametrize(
    ("path", "content_type", "text"),
    [
        ("/index.html", "text/html", "<h1>page</h1>"),
        ("/icon.svg", "image/svg+xml", "<svg/>"),
        ("/sw.js", "text/javascript", "install()"),
        ("/assets/index-1a2b.js", "text/javascript", "start()"),
    ],
)
async def test_serves_the_files_of_the_page(page_dir: Path, path: str, content_type: str, text: str) -> None:
    async with client_of(Starlette(routes=page_routes(page_dir))) as client:
        response = await client.get(path)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(content_type)
    assert response.text == text


@pytest.mark.parametrize(
    "path",
    [
        "/secret.txt",
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/",
    ],
)
async def test_serves_nothing_else(page_dir: Path, path: str) -> None:
    async with client_of(Starlette(routes=page_routes(page_dir))) as client:
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/photos", "/photos/mik3x2a", "/compare", "/how"])
async def test_addresses_of_the_page_are_the_page(page_dir: Path, path: str) -> None:
    async with client_of(Starlette(routes=page_routes(page_dir))) as client:
        response = await client.get(path)
        assert (await client.get("/photos/1/2")).status_code == (await client.get("/nothing")).status_code == 404
    assert response.text == "<h1>page</h1>"
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


async def test_routes_before_it_keep_their_addresses(page_dir: Path) -> None:
    (page_dir / "health").write_text("a file of that name")
    health = Route("/health", lambda _: PlainTextResponse("healthy"))
    async with client_of(Starlette(routes=[health, *page_routes(page_dir)])) as client:
        assert (await client.get("/health")).text == "healthy"


async def test_what_is_named_by_its_content_is_kept_and_the_rest_is_asked_for_again(page_dir: Path) -> None:
    async with client_of(Starlette(routes=page_routes(page_dir))) as client:
        assert "immutable" in (await client.get("/assets/index-1a2b.js")).headers["cache-control"]
        assert (await client.get("/icon.svg")).headers["cache-control"] == "no-cache"
        assert (await client.get("/sw.js")).headers["cache-control"] == "no-cache"
        assert (await client.get("/index.html")).headers["cache-control"] == "no-cache"


async def test_scripts_are_compressed(page_dir: Path) -> None:
    (page_dir / "assets" / "index-1a2b.js").write_text("start();" * 1000)
    async with client_of(Starlette(routes=page_routes(page_dir))) as client:
        response = await client.get("/assets/index-1a2b.js", headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.text == "start();" * 1000


async def test_the_page_may_run_no_inline_code_and_ask_nobody_else(page_dir: Path) -> None:
    async with client_of(Starlette(routes=page_routes(page_dir))) as client:
        assert (await client.get("/index.html")).headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
