"""/docs loads everything from our own origin."""

import re

import pytest
from httpx import AsyncClient
from starlette.applications import Starlette

from serve_app.http.docs_page import docs_routes
from tests.support.http import client_of


def app(root_path: str = "") -> Starlette:
    return Starlette(routes=docs_routes("The <API>", root_path, "/openapi.json"))


def addresses(page: str) -> list[str]:
    return re.findall(r'(?:src|href|data-openapi-url)="([^"]+)"', page)


async def get_docs(client: AsyncClient) -> str:
    response = await client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    return response.text


async def test_everything_that_the_page_names_is_served_here() -> None:
    async with client_of(app()) as client:
        named = addresses(await get_docs(client))
        assert "/openapi.json" in named
        ours = [address for address in named if address not in ("data:,", "/openapi.json")]
        assert len(ours) == 3
        for address in ours:
            response = await client.get(address)
            assert response.status_code == 200, address
            assert response.headers["content-type"].split(";")[0] == ("text/css" if address.endswith(".css") else "text/javascript")
            assert response.content


async def test_behind_an_edge_the_page_names_public_addresses() -> None:
    async with client_of(app("/api")) as client:
        named = addresses(await get_docs(client))
    assert all(address == "data:," or address.startswith("/api/") for address in named)


async def test_the_policy_allows_no_other_origin_and_no_inline_script() -> None:
    async with client_of(app()) as client:
        response = await client.get("/docs")
    policy = dict(directive.split(" ", 1) for directive in response.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert "http" not in response.headers["content-security-policy"]
    assert not re.search(r"<script>|<style|\son\w+=", response.text)


async def test_the_swagger_ui_is_one_that_renders_openapi_3_1() -> None:
    async with client_of(app()) as client:
        bundle = (await client.get("/docs/assets/swagger-ui-bundle.js")).text
    version = re.search(r'PACKAGE_VERSION:"(\d+)\.(\d+)', bundle)
    assert version
    assert (int(version[1]), int(version[2])) >= (5, 0)


@pytest.mark.parametrize("path", ["/docs/assets/../../answers.py", "/docs/assets/%2e%2e/core.py", "/docs/nothing"])
async def test_serves_nothing_else(path: str) -> None:
    async with client_of(app()) as client:
        assert (await client.get(path)).status_code == 404


async def test_the_title_is_text() -> None:
    async with client_of(app()) as client:
        assert "<title>The &lt;API&gt;</title>" in await get_docs(client)
