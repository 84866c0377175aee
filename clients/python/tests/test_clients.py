"""Both clients against a scripted service: forms of photos, batches, keys, and when they ask again."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from gender_client import Answer, AsyncClient, Client, ClientError, Code, ServiceError, Unreachable, models
from gender_client.retries import Attempts
from PIL import Image

ANSWER: dict[str, Any] = {
    "prediction": "female",
    "confidence": 0.97,
    "person_count": 1,
    "probabilities": {"female": 0.97, "male": 0.03},
    "error": None,
    "code": "ok",
    "people": [{"box": [0.2, 0.1, 0.8, 1.0], "score": 0.9}],
    "request_id": "r1",
    "model": {"detector": "d@1", "classifier": "c@1"},
}


def fault(code: str, status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"error": "no", "detail": "no", "code": code, "request_id": "r1"}, headers=headers)


Reply = httpx.Response | Exception


class Script:
    """Answers with the replies in order, then with answers; remembers the requests and pauses."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if self.replies else httpx.Response(200, json=ANSWER)
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, content=reply.content, headers=reply.headers)  # one can be sent only once

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


Ask = Callable[..., Any]


@pytest.fixture(params=["client", "async client"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Calls a method of either client that talks to a script; returns what it returns."""

    def sync(script: Script, method: str, *arguments: Any, **options: Any) -> Any:
        with Client("http://test/api/", transport=httpx.MockTransport(script), sleep=script.pauses.append, **options) as client:
            result = getattr(client, method)(*arguments)
            return list(result) if isinstance(result, Iterator) else result

    def with_asyncio(script: Script, method: str, *arguments: Any, **options: Any) -> Any:
        async def call() -> Any:
            transport = httpx.MockTransport(script)
            async with AsyncClient("http://test/api/", transport=transport, sleep=script.pause, **options) as client:
                result = getattr(client, method)(*arguments)
                return [each async for each in result] if hasattr(result, "__aiter__") else await result

        return asyncio.run(call())

    return sync if request.param == "client" else with_asyncio


def test_an_answer_is_typed(ask: Ask) -> None:
    script = Script()
    answer = ask(script, "predict", b"photo")
    assert isinstance(answer, Answer)
    assert (answer.code, answer.prediction, answer.people[0].box) == (Code.OK, "female", (0.2, 0.1, 0.8, 1.0))
    assert str(script.requests[0].url) == "http://test/api/predict"
    assert "authorization" not in script.requests[0].headers


def test_a_refusal_and_a_code_of_a_newer_service_are_answers(ask: Ask) -> None:
    script = Script(*(httpx.Response(200, json=ANSWER | {"prediction": None, "code": code, "new": 1}) for code in ("unsure", "too_dark")))
    assert [ask(script, "predict", b"photo").code for _ in range(2)] == [Code.UNSURE, "too_dark"]


def test_a_key_is_sent(ask: Ask) -> None:
    script = Script()
    ask(script, "predict", b"photo", key="gp_secret")
    assert script.requests[0].headers["authorization"] == "Bearer gp_secret"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "café.jpg"
    file.write_bytes(b"photo")
    return file


@pytest.mark.parametrize("kind", ["bytes", "path", "text", "open file", "buffer"])
def test_forms_of_a_photo(ask: Ask, file: Path, kind: str) -> None:
    script = Script()
    with file.open("rb") as opened:
        forms = {"bytes": b"photo", "path": file, "text": str(file), "open file": opened, "buffer": io.BytesIO(b"photo")}
        ask(script, "predict", forms[kind])
    assert script.requests[0].content == b"photo"


def test_a_pillow_image(ask: Ask) -> None:
    script = Script()
    ask(script, "predict", Image.new("RGBA", (30, 20), "red"))
    sent = Image.open(io.BytesIO(script.requests[0].content))
    assert (sent.format, sent.size) == ("JPEG", (30, 20))


def test_a_photo_that_cannot_be_read(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(Script(), "predict", tmp_path / "none.jpg")


def parts(request: httpx.Request) -> list[tuple[str | None, Any]]:
    """Names and contents of the files of a form."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    form = BytesParser().parsebytes(head + request.content)
    return [(part.get_filename(), part.get_payload(decode=True)) for part in form.get_payload() if isinstance(part, Message)]


def test_a_batch_goes_in_requests_of_ten(ask: Ask, file: Path) -> None:
    def batch(count: int) -> httpx.Response:
        return httpx.Response(200, json={"results": [ANSWER | {"filename": str(number)} for number in range(count)]})

    script = Script(batch(10), batch(2))
    items = ask(script, "predict_batch", [b"a", file, *[b"b"] * 10])
    assert [item.filename for item in items] == [*map(str, range(10)), "0", "1"]
    assert [len(parts(request)) for request in script.requests] == [10, 2]
    assert parts(script.requests[0])[0] == ("photo", b"a")
    assert parts(script.requests[0])[1][1] == b"photo"


def test_many_photos_come_with_their_outcomes_in_order(ask: Ask, tmp_path: Path) -> None:
    photos: list[Any] = [f"{number}".encode() for number in range(30)]
    photos[3] = tmp_path / "none.jpg"
    photos[5] = b"bad"

    class Replies(Script):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if request.content == b"bad":
                return fault("not_an_image", 400)
            return httpx.Response(200, json=ANSWER | {"request_id": request.content.decode()})

    outcomes = ask(Replies(), "predict_many", photos)
    assert [photo for photo, _ in outcomes] == photos
    assert isinstance(outcomes[3][1], FileNotFoundError)
    assert isinstance(outcomes[5][1], ServiceError)
    assert all(outcome.request_id == photo.decode() for photo, outcome in outcomes if isinstance(outcome, Answer))


def test_health_of_a_service_that_cannot_answer_is_an_answer(ask: Ask) -> None:
    loaded = dict.fromkeys(["model_loaded", "processor_loaded", "detector_loaded"], False)
    models = {"detector": None, "classifier": None}
    body = {"status": "unavailable", **loaded, "version": "1", "models": models, "faults": {}}
    assert ask(Script(httpx.Response(503, json=body)), "health").status == "unavailable"


def test_cards(ask: Ask) -> None:
    assert ask(Script(httpx.Response(200, json={"detector": {}, "classifier": {}})), "cards").keys() == {"detector", "classifier"}


# --- asking again ---------------------------------------------------------------------------------------------------


def died() -> httpx.Response:
    return httpx.Response(502, text="bad gateway")


@pytest.mark.parametrize(
    ("replies", "pauses"),
    [
        ([fault("overloaded", 503, **{"retry-after": "4"})], [(4, 6)]),
        ([fault("too_many_requests", 429, **{"retry-after": "2"})], [(2, 3)]),
        ([fault("overloaded", 503)], [(1, 1.5)]),
        ([httpx.ConnectError("refused")] * 3, [(0, 0), (1, 1.5), (1, 1.5)]),
        ([httpx.ReadError("broken"), died()], [(0, 0), (1, 1.5)]),
        ([httpx.Response(500, text="died")], [(0, 0)]),
    ],
)
def test_what_passes_is_asked_again(ask: Ask, replies: list[Reply], pauses: list[tuple[float, float]]) -> None:
    script = Script(*replies)
    assert ask(script, "predict", b"photo").code is Code.OK
    assert all(request.content == b"photo" for request in script.requests)
    assert all(low <= pause <= high for (low, high), pause in zip(pauses, script.pauses, strict=True))


@pytest.mark.parametrize(
    "reply",
    [fault("not_an_image", 400), fault("unauthorized", 401), fault("timeout", 504), fault("internal", 500)],
    ids=lambda reply: str(reply.status_code),
)
def test_what_does_not_pass_is_not(ask: Ask, reply: httpx.Response) -> None:
    script = Script(reply)
    with pytest.raises(ServiceError) as refused:
        ask(script, "predict", b"photo")
    assert (refused.value.status, refused.value.request_id, script.pauses) == (reply.status_code, "r1", [])
    assert refused.value.code == reply.json()["code"]


@pytest.mark.parametrize(
    ("reply", "error"), [(fault("overloaded", 503, **{"retry-after": "9"}), ServiceError), (httpx.ConnectError("refused"), Unreachable)]
)
def test_no_pause_goes_past_the_deadline(ask: Ask, reply: Reply, error: type[ClientError]) -> None:
    script = Script(*[reply] * 3)
    with pytest.raises(error):
        ask(script, "predict", b"photo", deadline_s=0.5)
    assert sum(script.pauses) < 0.5


@pytest.mark.parametrize("reply", [httpx.Response(200, text="<html>"), httpx.Response(404, text="<html>")])
def test_another_service_is_named_as_such(ask: Ask, reply: httpx.Response) -> None:
    with pytest.raises(Unreachable, match="is the address right"):
        ask(Script(reply), "predict", b"photo")


def test_an_attempt_has_the_time_that_is_left() -> None:
    now = [0.0]
    attempts = Attempts(10, clock=lambda: now[0])
    now[0] = 7.5
    assert attempts.left_s == 2.5


# --- the document ---------------------------------------------------------------------------------------------------

DOCUMENT = Path(__file__).parents[3] / "ui" / "openapi.json"  # a test of the page compares it with the service


def shape(schema: dict[str, Any]) -> Any:
    """What a schema says about types."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1]
    if "anyOf" in schema:
        return {json.dumps(shape(each)) for each in schema["anyOf"]}
    parts = [*schema.get("prefixItems", []), schema.get("items"), schema.get("additionalProperties")]
    return [schema["type"], *(shape(part) for part in parts if isinstance(part, dict))]


A_TEXT = json.dumps(shape({"type": "string"}))


NAMES = ["AnsweredPerson", "Answer", "BatchAnswer", "BatchItem", "Fault", "Health", "ModelInfo", "ModelRevisions", "Person"]


@pytest.mark.parametrize("name", NAMES)
def test_the_models_are_those_of_the_document(name: str) -> None:
    theirs = json.loads(DOCUMENT.read_text())["components"]["schemas"][name]
    ours = getattr(models, name).model_json_schema()
    assert ours["required"] == theirs["required"]
    for field, schema in ours["properties"].items():
        expected = shape(theirs["properties"][field])
        # A newer service may have codes that this version does not know.
        assert shape(schema) == ({'"Code"', A_TEXT} if field == "code" else expected), field
    assert ours["properties"].keys() == theirs["properties"].keys()


def test_the_codes_are_those_of_the_document() -> None:
    assert [*Code] == json.loads(DOCUMENT.read_text())["components"]["schemas"]["Code"]["enum"]
