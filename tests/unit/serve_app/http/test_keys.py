"""API keys: who may ask, what stays open, and that a key itself is told to nobody."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from serve_app.commands import keys as command
from serve_app.http.app import create_app
from serve_app.http.keys import Keys, digest, new_key
from serve_app.records import RequestRecord
from serve_app.settings import KEY_ENTRY
from tests.support.http import FakeService, client_of, settings

KEY, OTHER = "gp_the-shops-key", "gp_the-garages-key"
SHOP, GARAGE = f"shop:{digest(KEY)}", f"garage:{digest(OTHER)}"
IMAGE = {"content-type": "image/jpeg"}


async def status(client: AsyncClient, headers: dict[str, str] | None = None) -> int:
    return (await client.post("/predict", content=b"photo", headers=IMAGE | (headers or {}))).status_code


@pytest.mark.parametrize(
    "headers",
    [{"authorization": f"Bearer {KEY}"}, {"authorization": f"bearer  {KEY}"}, {"x-api-key": KEY}, {"x-api-key": OTHER}],
)
async def test_a_good_key_opens(headers: dict[str, str]) -> None:
    async with client_of(create_app(FakeService(), settings(api_keys=f"{SHOP}, {GARAGE}"))) as client:
        assert await status(client, headers) == 200


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="gender-presentation"'),
        ({"authorization": "Basic c2hvcDpzaG9w"}, 'Bearer realm="gender-presentation"'),
        ({"x-api-key": "wrong"}, 'Bearer realm="gender-presentation", error="invalid_token"'),
        ({"authorization": "Bearer wrong"}, 'Bearer realm="gender-presentation", error="invalid_token"'),
        ({"x-api-key": digest(KEY)}, 'Bearer realm="gender-presentation", error="invalid_token"'),
        ({"x-api-key": "shop"}, 'Bearer realm="gender-presentation", error="invalid_token"'),
    ],
)
async def test_anything_else_is_unauthorized(headers: dict[str, str], challenge: str) -> None:
    service = FakeService()
    async with client_of(create_app(service, settings(api_keys=SHOP))) as client:
        response = await client.post("/predict", content=b"photo", headers=IMAGE | headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == challenge
    assert service.photos == []


async def test_without_keys_nobody_needs_one() -> None:
    async with client_of(create_app(FakeService(), settings())) as client:
        assert await status(client, {"x-api-key": "any"}) == 200


OPEN = {"/health": 200, "/live": 200, "/model": 200, "/model/card": 200, "/docs": 200, "/openapi.json": 200, "/": 200, "/nothing": 404}


@pytest.mark.parametrize(
    ("open_areas", "closed"),
    [
        ("health,model,docs,page", set()),
        ("health,docs,page", {"/model", "/model/card"}),
        ("page", {"/model", "/model/card", "/docs", "/openapi.json"}),
        ("docs", {"/model", "/model/card", "/", "/nothing"}),
    ],
)
async def test_what_stays_open_is_a_setting(open_areas: str, closed: set[str]) -> None:
    async with client_of(create_app(FakeService(), settings(api_keys=SHOP, api_keys_open=open_areas))) as client:
        found = {path: (await client.get(path)).status_code for path in OPEN}
        assert found == OPEN | dict.fromkeys(closed, 401)
        assert [(await client.get(path, headers={"x-api-key": KEY})).status_code for path in OPEN] == [*OPEN.values()]


async def test_the_page_about_the_model_is_as_open_as_the_page_and_its_data_as_the_model(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>page</h1>")
    browser = {"accept": "text/html"}
    for open_areas, page, data in (("page", 200, 401), ("model", 401, 200)):
        async with client_of(create_app(FakeService(), settings(api_keys=SHOP, api_keys_open=open_areas, page_dir=tmp_path))) as client:
            assert (await client.get("/model", headers=browser)).status_code == page
            assert (await client.get("/model")).status_code == (await client.get("/model/card", headers=browser)).status_code == data
    async with client_of(create_app(FakeService(), settings(api_keys=SHOP, api_keys_open="page"))) as client:
        assert (await client.get("/model", headers=browser)).status_code == 401  # there is no page: these would be the cards


@pytest.mark.parametrize("path", ["/predict", "/predict/", "/predict-batch", "/health", "/nothing", "//predict"])
async def test_what_is_posted_needs_a_key_whatever_its_address(path: str) -> None:
    async with client_of(create_app(FakeService(), settings(api_keys=SHOP))) as client:
        assert (await client.post(path, content=b"photo", headers=IMAGE)).status_code == 401


async def test_under_a_prefix_the_same_stays_open() -> None:
    app = create_app(FakeService(), settings(api_keys=SHOP, api_keys_open="docs"))
    async with AsyncClient(transport=ASGITransport(app, root_path="/prefix"), base_url="http://test") as client:
        assert (await client.post("/prefix/predict", content=b"photo", headers=IMAGE)).status_code == 401
        assert [(await client.get(f"/prefix{path}")).status_code for path in ("/docs", "/live", "/model")] == [200, 200, 401]


async def test_a_closed_health_tells_its_status_and_no_models() -> None:
    service = FakeService()
    service.fault = "s3://bucket/secret: not there"
    async with client_of(create_app(service, settings(api_keys=SHOP, api_keys_open="page"))) as client:
        told = (await client.get("/health")).json()
        assert (told["status"], told["models"], told["faults"]) == ("healthy", {"detector": None, "classifier": None}, {})
        assert (await client.get("/health", headers={"x-api-key": KEY})).json()["faults"] == {"detector": service.fault}


async def test_a_browser_may_ask_whether_it_may_send_a_key() -> None:
    async with client_of(create_app(FakeService(), settings(api_keys=SHOP))) as client:
        asked = {"origin": "https://shop.example", "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
        assert (await client.options("/predict", headers=asked)).status_code == 200
        refused = await client.post("/predict", content=b"photo", headers={"origin": "https://shop.example"})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


async def test_names_are_recorded_and_keys_are_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    records: list[RequestRecord] = []
    async with client_of(create_app(FakeService(), settings(api_keys=SHOP), tell=records.append)) as client:
        await status(client, {"x-api-key": KEY})
        await status(client, {"x-api-key": "gp_wrong"})
    assert [(record.key, record.code) for record in records] == [("shop", "ok"), (None, "unauthorized")]
    assert KEY not in caplog.text + repr(records)
    assert "gp_wrong" not in caplog.text + repr(records)


# --- the file ------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# ours\n{SHOP}  # since spring\n\n")
    return file


def keys(file: Path, **changes: Any) -> Keys:
    return Keys(settings(api_keys_file=file, **changes))


def test_a_file_that_changes_is_read_again(file: Path) -> None:
    ours = keys(file)
    assert (ours.name_of(KEY), ours.name_of(OTHER)) == ("shop", None)
    other = file.with_name("other")
    other.write_text(f"{GARAGE}\n")
    os.replace(other, file)
    assert (ours.name_of(KEY), ours.name_of(OTHER)) == (None, "garage")


def test_keys_of_the_setting_and_of_the_file(file: Path) -> None:
    ours = keys(file, api_keys=GARAGE)
    assert (ours.name_of(KEY), ours.name_of(OTHER)) == ("shop", "garage")


@pytest.mark.parametrize("text", [None, f"{SHOP}\nshop: {KEY}\n", "\udcff"])
def test_a_file_that_is_broken_leaves_the_keys_as_they_were(file: Path, text: str | None, caplog: pytest.LogCaptureFixture) -> None:
    ours = keys(file)
    assert ours.name_of(KEY) == "shop"
    file.unlink()
    if text is not None:
        file.write_bytes(text.encode(errors="surrogateescape"))
    assert (ours.name_of(KEY), ours.name_of(KEY), ours.name_of(OTHER)) == ("shop", "shop", None)
    assert caplog.text.count("the keys stay as they were") == 1
    assert KEY not in caplog.text
    file.write_text(GARAGE)
    assert (ours.name_of(KEY), ours.name_of(OTHER)) == (None, "garage")


async def test_without_any_file_nobody_may_ask(tmp_path: Path) -> None:
    async with client_of(create_app(FakeService(), settings(api_keys_file=tmp_path / "none"))) as client:
        assert await status(client, {"x-api-key": KEY}) == 401


@pytest.mark.parametrize("entry", ["shop", KEY, f"shop:{KEY}", f"the shop:{digest(KEY)}", f"shop:{digest(KEY).upper()}"])
def test_what_is_no_entry_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match="API_KEYS takes NAME:SHA256"):
        settings(api_keys=entry)


# --- new ones ------------------------------------------------------------------------------------------------------


def test_a_new_key_opens(capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["shop"])
    key, entry = (line.split()[-1] for line in capsys.readouterr().out.splitlines())
    assert KEY_ENTRY.fullmatch(entry)
    assert Keys(settings(api_keys=entry)).name_of(key) == "shop"
    assert new_key() != key


@pytest.mark.parametrize("name", ["", "the shop", "a:b", "x" * 41])
def test_a_name_is_short_and_plain(name: str) -> None:
    with pytest.raises(SystemExit):
        command.main([name])


def test_the_document_names_both_headers_when_keys_are_needed() -> None:
    document = create_app(FakeService(), settings(api_keys=SHOP)).openapi()
    assert document["components"]["securitySchemes"]["apiKey"]["name"] == "x-api-key"
    assert document["paths"]["/predict"]["post"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert "securitySchemes" not in create_app(FakeService(), settings()).openapi()["components"]
