"""The HTTP contract, field by field and code by code, with a fake service."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response

from serve_app import __version__
from serve_app.codes import MEANINGS, Code, error_text
from serve_app.http.admission import LEAST_PHOTOS
from serve_app.http.app import create_app
from tests.support.http import FORM, FakeService, RawRequest, client_of, form, part, settings

PHOTO = b"a photo of a man"
ID = "request-1"
MODEL = {"detector": "detector@1", "classifier": "classifier@2"}
PERSON = {"box": [0.1, 0.2, 0.6, 0.9], "score": 0.9}
SUCCESS = {
    "prediction": "male",
    "confidence": 0.892,
    "person_count": 1,
    "probabilities": {"male": 0.892, "female": 0.108},
    "error": None,
    "code": "ok",
    "people": [PERSON],
    "request_id": ID,
    "model": MODEL,
}


def refusal(code: Code) -> dict[str, Any]:
    people = [PERSON] * {Code.MULTIPLE_PEOPLE: 3, Code.UNSURE: 1}.get(code, 0)
    return {
        "prediction": None,
        "confidence": 0.0,
        "person_count": len(people),
        "probabilities": {"male": 0.534, "female": 0.466} if code is Code.UNSURE else None,
        "error": error_text(code, len(people)),
        "code": code.value,
        "people": people,
        "request_id": ID,
        "model": MODEL if people else None,
    }


def fault(code: Code, text: str | None = None) -> dict[str, Any]:
    text = text or MEANINGS[code].text
    return {"error": text, "detail": text, "code": code.value, "request_id": ID}


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def client(service: FakeService) -> AsyncIterator[AsyncClient]:
    async with client_of(create_app(service, settings())) as client:
        client.headers["x-request-id"] = ID
        yield client


async def predict(client: AsyncClient, photo: bytes = PHOTO, **kwargs: Any) -> Response:
    return await client.post("/predict", files={"file": ("photo.jpg", photo, "image/jpeg")}, **kwargs)


async def predict_batch(client: AsyncClient, *photos: bytes) -> Response:
    files = [("files", (f"{number}.jpg", photo, "image/jpeg")) for number, photo in enumerate(photos)]
    return await client.post("/predict-batch", files=files)


def of_kind(answered: bool) -> list[Code]:
    return [code for code in Code if code is not Code.OK and (MEANINGS[code].status == 200) is answered]


# --- GET / and GET /health ------------------------------------------------------------------------------------------


async def test_a_program_is_welcomed(client: AsyncClient) -> None:
    response = await client.get("/")
    assert (response.status_code, response.json()) == (
        200,
        {"message": "Gender Classification API", "status": "healthy", "version": __version__},
    )


@pytest.fixture
def page_dir(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<h1>page</h1>")
    (tmp_path / "icon.svg").write_text("<svg/>")
    (tmp_path / "predict").mkdir()
    return tmp_path


async def test_a_browser_gets_the_page_and_its_files(page_dir: Path) -> None:
    async with client_of(create_app(FakeService(), settings(page_dir=page_dir))) as client:
        page = await client.get("/", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.text == "<h1>page</h1>"
        assert page.headers["cache-control"] == "no-cache"
        assert (await client.get("/icon.svg")).text == "<svg/>"
        welcome = await client.get("/", headers={"accept": "*/*"})
        assert welcome.json()["message"] == "Gender Classification API"
        assert "accept" in page.headers["vary"]
        assert "accept" in welcome.headers["vary"]


async def test_at_the_address_of_the_models_browsers_get_the_page_and_programs_the_cards(page_dir: Path) -> None:
    async with client_of(create_app(FakeService(), settings(page_dir=page_dir))) as client:
        page = await client.get("/model", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
        assert page.text == "<h1>page</h1>"
        cards = await client.get("/model", headers={"accept": "*/*"})
        assert cards.json()["classifier"]["labels"] == ["female", "male"]
        known = await client.get("/model", headers={"accept": "*/*", "if-none-match": cards.headers["etag"]})
        assert known.status_code == 304
        for response in (page, cards, known):  # no cache takes one for the other
            assert "accept" in response.headers["vary"]
        assert (await client.get("/model/card", headers={"accept": "text/html"})).headers["content-type"].startswith("text/markdown")


async def test_the_page_takes_no_address_from_the_api(page_dir: Path) -> None:
    async with client_of(create_app(FakeService(), settings(page_dir=page_dir))) as client:
        assert (await predict(client)).json()["code"] == "ok"
        assert (await client.get("/predict")).status_code == 405
        assert (await client.post("/health")).status_code == 405
        assert (await client.get("/nothing", headers={"accept": "text/html"})).json()["code"] == "not_found"


async def test_without_a_page_a_browser_is_welcomed_too(client: AsyncClient) -> None:
    assert (await client.get("/", headers={"accept": "text/html"})).json()["status"] == "healthy"
    assert (await client.get("/model", headers={"accept": "text/html"})).json()["classifier"]


async def test_health(client: AsyncClient) -> None:
    response = await client.get("/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy",
        "model_loaded": True,
        "processor_loaded": True,
        "detector_loaded": True,
        "version": __version__,
        "models": {"detector": {"name": "detector", "revision": "1"}, "classifier": {"name": "classifier", "revision": "2"}},
        "faults": {},
    }


async def test_health_of_a_service_that_cannot_answer(client: AsyncClient, service: FakeService) -> None:
    service.classifier = None
    response = await client.get("/health")
    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "model_loaded": False,
        "processor_loaded": False,
        "detector_loaded": True,
        "version": __version__,
        "models": {"detector": {"name": "detector", "revision": "1"}, "classifier": None},
        "faults": {},
    }


async def test_health_tells_why_a_model_was_not_exchanged(client: AsyncClient, service: FakeService) -> None:
    service.fault = "s3://bucket/model/: there is no model.safetensors"
    response = await client.get("/health")
    assert (response.status_code, response.json()["status"]) == (200, "healthy")
    assert response.json()["faults"] == {"detector": service.fault}


async def test_many_who_ask_for_health_share_one_answer(client: AsyncClient, service: FakeService) -> None:
    responses = await asyncio.gather(*(client.get("/health") for _ in range(20)))
    assert {response.status_code for response in responses} == {200}
    assert service.health_asked == 1


async def test_the_process_is_alive_whatever_its_models_do(client: AsyncClient, service: FakeService) -> None:
    service.raises = RuntimeError()
    response = await client.get("/live")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})
    assert service.health_asked == 0


@pytest.mark.parametrize("path", ["/", "/health", "/live", "/health/", "/docs", "/openapi.json"])
async def test_head_answers_as_get(client: AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert head.status_code == get.status_code == 200
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("path", ["/health/", "/live/"])
async def test_a_slash_at_the_end_changes_nothing(client: AsyncClient, path: str) -> None:
    assert (await client.get(path)).json() == (await client.get(path.rstrip("/"))).json()


# --- POST /predict --------------------------------------------------------------------------------------------------


async def test_a_photo_is_answered(client: AsyncClient, service: FakeService) -> None:
    response = await predict(client)
    assert (response.status_code, response.json()) == (200, SUCCESS)
    assert service.photos == [PHOTO]


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/octet-stream"])
async def test_the_image_may_be_the_body(client: AsyncClient, content_type: str) -> None:
    response = await client.post("/predict", content=PHOTO, headers={"content-type": content_type})
    assert (response.status_code, response.json()) == (200, SUCCESS)


@pytest.mark.parametrize("code", of_kind(answered=True))
async def test_a_refusal_about_the_photo_is_an_answer(client: AsyncClient, code: Code) -> None:
    response = await predict(client, code.encode())
    assert (response.status_code, response.json()) == (200, refusal(code))


@pytest.mark.parametrize("code", of_kind(answered=False))
async def test_a_fault_has_its_status_and_body(client: AsyncClient, code: Code) -> None:
    response = await predict(client, code.encode())
    assert (response.status_code, response.json()) == (MEANINGS[code].status, fault(code))
    assert response.headers.get("retry-after") == ("1" if code in (Code.OVERLOADED, Code.TOO_MANY_REQUESTS) else None)


@pytest.mark.parametrize("path", ["/predict/", "/predict-batch/"])
async def test_a_slash_at_the_end_of_a_post_changes_nothing(client: AsyncClient, path: str) -> None:
    field = "file" if path == "/predict/" else "files"
    response = await client.post(path, files={field: ("photo.jpg", PHOTO, "image/jpeg")})
    assert response.status_code == 200
    assert (response.json() if field == "file" else response.json()["results"][0]).items() >= SUCCESS.items()


async def test_texts_of_the_original(client: AsyncClient) -> None:
    assert (await predict(client, b"not_an_image")).json()["detail"] == "File must be an image"
    assert (await predict(client, b"no_person")).json()["error"] == "No person detected in image"
    several = "Multiple people detected (3 people). Please use single-person images."
    assert (await predict(client, b"multiple_people")).json()["error"] == several


async def test_the_declared_content_type_of_a_file_does_not_count(client: AsyncClient) -> None:
    response = await client.post("/predict", files={"file": ("notes.txt", PHOTO, "text/plain")})
    assert response.json() == SUCCESS


async def test_a_form_of_another_shape_is_a_bad_request(client: AsyncClient, service: FakeService) -> None:
    response = await client.post("/predict", files={"image": ("photo.jpg", PHOTO)})
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")
    assert response.json()["request_id"] == ID
    assert service.photos == []


async def test_query_parameters_are_ignored(client: AsyncClient) -> None:
    assert (await predict(client, params={"threshold": "high"})).json() == SUCCESS


@pytest.mark.parametrize("people", ["each", "one", None])
async def test_each_of_several_people_is_answered_where_asked_for(client: AsyncClient, people: str | None) -> None:
    answer = (await predict(client, b"multiple_people", params={"people": people} if people else {})).json()
    if people != "each":
        assert answer == refusal(Code.MULTIPLE_PEOPLE)
        return
    first = {**PERSON, "code": "ok", "prediction": "male", "confidence": 0.892, "probabilities": SUCCESS["probabilities"], "error": None}
    unsure = {name: refusal(Code.UNSURE)[name] for name in ("code", "prediction", "confidence", "probabilities", "error")}
    assert answer == {
        **SUCCESS,
        "prediction": None,
        "confidence": 0.0,
        "probabilities": None,
        "person_count": 3,
        "people": [first, PERSON | unsure, PERSON],
    }


@pytest.mark.parametrize("query", ["people=all", "people=", "people=each&people=one"])
async def test_another_choice_of_people_is_a_bad_request(client: AsyncClient, query: str) -> None:
    for path, field in (("/predict", "file"), ("/predict-batch", "files")):
        answer = await client.post(f"{path}?{query}", files={field: PHOTO}, headers={"x-request-id": ID})
        assert (answer.status_code, answer.json()) == (400, fault(Code.BAD_REQUEST, "people is one or each, once"))


async def test_an_answer_is_explained_where_asked_for(client: AsyncClient) -> None:
    answer = await predict(client, params={"explain": "true"})
    assert answer.json() == SUCCESS | {"explanation": {"label": "male", "base": 2.111, "changes": [[0.5, -0.25]]}}
    several = await predict(client, b"multiple_people", params={"explain": "true"})
    assert several.json() == refusal(Code.MULTIPLE_PEOPLE) | {"explanation": None}
    assert (await predict(client, params={"explain": "false"})).json() == SUCCESS
    wrong = await predict(client, params={"explain": "1"})
    assert (wrong.status_code, wrong.json()) == (400, fault(Code.BAD_REQUEST, "explain is false or true, once"))
    batch = await client.post("/predict-batch?explain=true", files={"files": PHOTO}, headers={"x-request-id": ID})
    assert (batch.status_code, batch.json()) == (400, fault(Code.BAD_REQUEST, "explain is for one photo: send it to /predict"))


async def test_an_explanation_takes_the_room_of_several_photos(service: FakeService) -> None:
    async with client_of(create_app(service, settings(max_photos_in_flight=20))) as client:
        service.gate.clear()
        waiting = asyncio.create_task(predict(client))
        await service.has_photos(1)
        assert (await predict(client, params={"explain": "true"})).status_code == 503  # there is less room than that
        service.gate.set()
        assert (await waiting).status_code == 200
        assert (await predict(client, params={"explain": "true"})).status_code == 200


# --- POST /predict-batch --------------------------------------------------------------------------------------------


async def test_a_batch_answers_each_photo_in_the_order_sent(client: AsyncClient) -> None:
    response = await predict_batch(client, PHOTO, b"multiple_people", PHOTO)
    assert response.status_code == 200
    assert response.json() == {
        "results": [
            {**SUCCESS, "filename": "0.jpg"},
            {**refusal(Code.MULTIPLE_PEOPLE), "filename": "1.jpg"},
            {**SUCCESS, "filename": "2.jpg"},
        ]
    }


async def test_a_batch_answers_each_person(client: AsyncClient) -> None:
    answer = await client.post("/predict-batch?people=each", files=[("files", b"multiple_people"), ("files", PHOTO)])
    assert [[person.get("code") for person in item["people"]] for item in answer.json()["results"]] == [["ok", "unsure", None], [None]]


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
async def test_in_a_batch_every_code_is_an_item(client: AsyncClient, code: Code) -> None:
    response = await predict_batch(client, code.encode(), PHOTO)
    assert response.status_code == 200
    assert response.json()["results"] == [{**refusal(code), "filename": "0.jpg"}, {**SUCCESS, "filename": "1.jpg"}]


async def test_photos_of_a_batch_are_answered_at_the_same_time(client: AsyncClient, service: FakeService) -> None:
    service.gate.clear()
    pending = asyncio.create_task(predict_batch(client, PHOTO, PHOTO, PHOTO))
    await service.has_photos(3)
    service.gate.set()
    assert len((await pending).json()["results"]) == 3


async def test_a_file_over_the_limit_is_an_item(service: FakeService) -> None:
    async with client_of(create_app(service, settings(max_image_bytes=len(PHOTO)))) as client:
        response = await predict_batch(client, PHOTO + b"!", PHOTO)
        assert [item["code"] for item in response.json()["results"]] == ["image_too_large", "ok"]
        assert service.photos == [PHOTO]


async def test_more_than_ten_files(client: AsyncClient, service: FakeService) -> None:
    assert len((await predict_batch(client, *[PHOTO] * 10)).json()["results"]) == 10
    response = await predict_batch(client, *[PHOTO] * 11)
    assert (response.status_code, response.json()) == (400, fault(Code.BAD_REQUEST, "Maximum 10 images per batch"))
    assert len(service.photos) == 10


# --- admission ------------------------------------------------------------------------------------------------------


async def test_photos_beyond_the_limit_are_refused_at_once_and_a_batch_whole(service: FakeService) -> None:
    async with client_of(create_app(service, settings(max_photos_in_flight=3, max_batch_files=3))) as client:
        service.gate.clear()
        pending = asyncio.create_task(predict_batch(client, PHOTO, PHOTO))
        await service.has_photos(2)
        too_many = await predict_batch(client, PHOTO, PHOTO)
        assert (too_many.status_code, too_many.json()["code"], too_many.headers["retry-after"]) == (503, "overloaded", "1")
        assert len(service.photos) == 2
        last = asyncio.create_task(predict(client))
        await service.has_photos(3)
        assert (await predict(client)).status_code == 503
        service.gate.set()
        assert [(await pending).status_code, (await last).status_code] == [200, 200]
        assert (await predict_batch(client, PHOTO, PHOTO, PHOTO)).status_code == 200


async def test_a_slow_upload_holds_no_photo_slot(service: FakeService) -> None:
    app = create_app(service, settings(max_photos_in_flight=1, max_batch_files=1))
    slow = RawRequest(app, "/predict", {"content-type": "image/jpeg"})
    await slow.feed(b"half")
    async with client_of(app) as client:
        assert (await predict(client)).status_code == 200
    await slow.feed(b"whole", more=False)
    assert (await slow.reply())[0] == 200


@pytest.mark.parametrize("path", ["/predict", "/predict-batch"])
async def test_without_room_a_request_is_refused_before_its_body(service: FakeService, path: str) -> None:
    app = create_app(service, settings(max_photos_in_flight=1, max_batch_files=1))
    service.gate.clear()
    async with client_of(app) as client:
        pending = asyncio.create_task(predict(client))
        await service.has_photos(1)
        status, headers, body = await RawRequest(app, path, {"content-type": FORM, "x-request-id": ID}).reply()
        assert (status, body) == (503, fault(Code.OVERLOADED))
        assert headers["retry-after"] == "1"
        service.gate.set()
        assert (await pending).status_code == 200


async def in_flight_of_many(client: AsyncClient, service: FakeService, admitted: int) -> Counter[int]:
    """Statuses of 64 photos sent at once, of which `admitted` should be admitted."""
    service.gate.clear()
    before = len(service.photos)
    many = [asyncio.create_task(predict(client)) for _ in range(64)]
    await service.has_photos(before + admitted)
    service.gate.set()
    return Counter([(await pending).status_code for pending in many])


async def test_as_many_photos_are_let_in_as_the_models_answer_in_time(service: FakeService) -> None:
    fast = {200: 64}
    slow = {200: LEAST_PHOTOS, 503: 64 - LEAST_PHOTOS}
    for deadline_s, then in ((3600, fast), (1e-9, slow)):
        async with client_of(create_app(service, settings(request_deadline_s=deadline_s))) as client:
            for _ in range(20):  # these say nothing about the models
                assert (await predict(client, b"not_an_image")).status_code == 400
            assert await in_flight_of_many(client, service, LEAST_PHOTOS) == slow
            assert await in_flight_of_many(client, service, then[200]) == then


async def test_bodies_beyond_the_limit_are_refused_while_they_arrive(service: FakeService) -> None:
    app = create_app(service, settings(max_upload_bytes_in_flight=1000, max_image_bytes=1000, max_batch_files=1))
    slow = RawRequest(app, "/predict", {"content-type": "image/jpeg"})
    await slow.feed(b"x" * 900)
    async with client_of(app) as client:
        assert (await predict(client, b"y" * 200)).json()["code"] == "overloaded"
        await slow.hang_up()
        assert await slow.ended() == []
        assert (await predict(client, b"y" * 200)).status_code == 200


async def test_a_body_is_counted_until_its_photo_is_answered(service: FakeService) -> None:
    async with client_of(create_app(service, settings(max_upload_bytes_in_flight=1000, max_image_bytes=1000, max_batch_files=1))) as client:
        service.gate.clear()
        pending = asyncio.create_task(predict(client, b"x" * 700))
        await service.has_photos(1)
        assert (await predict(client, b"y" * 700)).status_code == 503
        service.gate.set()
        assert (await pending).status_code == 200


async def test_a_cancelled_request_gives_its_slots_back(service: FakeService) -> None:
    app = create_app(service, settings(max_photos_in_flight=1, max_batch_files=1))
    service.gate.clear()
    request = RawRequest(app, "/predict", {"content-type": "image/jpeg"})
    await request.feed(PHOTO, more=False)
    await service.has_photos(1)
    request.cancel()
    await asyncio.gather(request.ended(), return_exceptions=True)
    service.gate.set()
    async with client_of(app) as client:
        assert (await predict(client)).status_code == 200


# --- slow, cut and endless bodies -----------------------------------------------------------------------------------


async def test_a_body_that_comes_byte_by_byte_is_taken(service: FakeService) -> None:
    request = RawRequest(create_app(service, settings()), "/predict", {"content-type": FORM, "x-request-id": ID})
    for byte in form([part(PHOTO)]):
        await request.feed(bytes([byte]))
    await request.feed(b"", more=False)
    status, _, body = await request.reply()
    assert (status, body) == (200, SUCCESS)


async def test_an_upload_past_its_deadline_is_a_timeout() -> None:
    app = create_app(FakeService(), settings(upload_deadline_s=0.01))
    request = RawRequest(app, "/predict-batch", {"content-type": FORM, "x-request-id": ID})
    status, headers, body = await request.reply()
    assert (status, body) == (504, fault(Code.TIMEOUT, "The upload took longer than 0.01 seconds"))
    assert headers["x-request-id"] == ID


@pytest.mark.parametrize("path", ["/predict", "/predict-batch"])
async def test_a_declared_length_beyond_the_limit_is_answered_before_the_body(path: str) -> None:
    request = RawRequest(
        create_app(FakeService(), settings()), path, {"content-type": FORM, "content-length": "1" + "0" * 12, "x-request-id": ID}
    )
    status, _, body = await request.reply()
    assert (status, body) == (413, fault(Code.IMAGE_TOO_LARGE))


async def test_a_client_that_goes_away_mid_body_leaves_no_trace(service: FakeService, caplog: pytest.LogCaptureFixture) -> None:
    request = RawRequest(create_app(service, settings()), "/predict", {"content-type": FORM})
    await request.feed(part(PHOTO)[:40])
    await request.hang_up()
    assert await request.ended() == []
    assert service.photos == []
    assert not [record for record in caplog.records if record.name != "asyncio"]


# --- faults, headers, origins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nothing", "/redoc", "/predict//", "/docs/oauth2-redirect", "/.env"])
async def test_an_unknown_address(client: AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.json()) == (404, fault(Code.NOT_FOUND))


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/predict", "POST"), ("GET", "/predict/", "POST"), ("DELETE", "/health", "GET, HEAD"), ("PUT", "/", "GET, HEAD")],
)
async def test_a_method_that_an_address_does_not_take(client: AsyncClient, method: str, path: str, allowed: str) -> None:
    response = await client.request(method, path)
    assert (response.status_code, response.json()) == (405, fault(Code.METHOD_NOT_ALLOWED))
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("call", ["/predict", "/health"])
async def test_an_unforeseen_exception(client: AsyncClient, service: FakeService, call: str, caplog: pytest.LogCaptureFixture) -> None:
    service.raises = RuntimeError("holiday.jpg")
    response = await (predict(client) if call == "/predict" else client.get(call))
    assert (response.status_code, response.json()) == (500, fault(Code.INTERNAL))
    assert "holiday" not in caplog.text
    assert ID in caplog.text


async def answers_of_all_kinds(client: AsyncClient, service: FakeService) -> list[Response]:
    answers = [
        await client.get("/"),
        await client.get("/health"),
        await predict(client),
        await predict(client, b"overloaded"),
        await client.post("/predict", content=b"x", headers={"content-type": "text/plain"}),
        await predict_batch(client, PHOTO),
        await client.get("/docs"),
        await client.get("/docs/assets/swagger-ui.css"),
        await client.get("/openapi.json"),
        await client.get("/nothing"),
        await client.get("/predict"),
    ]
    service.raises = RuntimeError()
    return [*answers, await predict(client)]


async def test_every_answer_has_its_headers_once_and_in_lower_case(client: AsyncClient, service: FakeService) -> None:
    client.headers["origin"] = "https://page.example"
    answers = await answers_of_all_kinds(client, service)
    assert {response.status_code for response in answers} == {200, 400, 404, 405, 500, 503}
    for response in answers:
        for name, value in {
            "x-request-id": ID,
            "x-content-type-options": "nosniff",
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "x-request-id, retry-after, etag, server-timing",
        }.items():
            assert response.headers.get_list(name) == [value], (response.url, name)
        assert all(name == name.lower() for name, _ in response.headers.raw)


async def test_only_allowed_origins_may_read_answers(service: FakeService) -> None:
    async with client_of(create_app(service, settings(allowed_origins=["https://page.example"]))) as client:
        for origin, allowed in [("https://page.example", "https://page.example"), ("https://other.example", None)]:
            response = await client.get("/nothing", headers={"origin": origin})
            assert response.headers.get("access-control-allow-origin") == allowed


async def test_browsers_may_ask_first(client: AsyncClient) -> None:
    asked = {"origin": "https://page.example", "access-control-request-method": "POST", "access-control-request-headers": "x-request-id"}
    response = await client.options("/predict", headers=asked)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert "POST" in response.headers["access-control-allow-methods"]
    assert response.headers["x-request-id"] == ID


async def test_a_browser_that_may_not_ask_gets_our_body(service: FakeService) -> None:
    async with client_of(create_app(service, settings(allowed_origins=["https://page.example"]))) as client:
        asked = {"origin": "https://other.example", "access-control-request-method": "POST", "x-request-id": ID}
        response = await client.options("/predict", headers=asked)
    assert (response.status_code, response.json()) == (400, fault(Code.BAD_REQUEST))
    assert "Origin" in response.headers["vary"]


async def test_an_id_is_made_when_the_client_sends_none(service: FakeService) -> None:
    async with client_of(create_app(service, settings())) as client:
        for response in [await predict(client), await predict(client, b"timeout")]:
            assert response.headers.get_list("x-request-id") == [response.json()["request_id"]]
        batch = await predict_batch(client, PHOTO, PHOTO)
        assert {item["request_id"] for item in batch.json()["results"]} == {batch.headers["x-request-id"]}


async def test_behind_serve_the_proxy_returns_the_id(service: FakeService) -> None:
    async with client_of(create_app(service, settings(), request_id_returned_by_proxy=True)) as client:
        response = await client.get("/nothing", headers={"x-request-id": ID})
        assert "x-request-id" not in response.headers
        assert response.json()["request_id"] == ID


async def test_behind_an_edge_it_still_answers_at_the_root(service: FakeService) -> None:
    async with client_of(create_app(service, settings(root_path="/api"))) as client:
        assert (await predict(client)).json()["code"] == "ok"
        assert (await client.get("/docs/assets/swagger-ui.css")).status_code == 200
        assert "/api/docs/start.js" in (await client.get("/docs")).text
        assert (await client.get("/openapi.json")).json()["servers"] == [{"url": "/api"}]


def test_the_http_layer_needs_no_model_code() -> None:
    heavy = ["torch", "transformers", "ray", "PIL", "numpy"]
    program = f"import sys, serve_app.http.app; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"
