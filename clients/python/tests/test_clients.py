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
from gender_client import Answer, AsyncClient, Client, ClientError, Code, ExplainedAnswer, ServiceError, Unreachable, models
from gender_client.retries import Attempts
from gender_client.streams import NDJSON, PARALLEL, STREAM
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

    def sync(script: Script, method: str, *arguments: Any, asked: dict[str, Any] | None = None, **options: Any) -> Any:
        with Client("http://test/api/", transport=httpx.MockTransport(script), sleep=script.pauses.append, **options) as client:
            result = getattr(client, method)(*arguments, **(asked or {}))
            return list(result) if isinstance(result, Iterator) else result

    def with_asyncio(script: Script, method: str, *arguments: Any, asked: dict[str, Any] | None = None, **options: Any) -> Any:
        async def call() -> Any:
            transport = httpx.MockTransport(script)
            async with AsyncClient("http://test/api/", transport=transport, sleep=script.pause, **options) as client:
                result = getattr(client, method)(*arguments, **(asked or {}))
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


def test_each_person_and_what_the_answer_hangs_on(ask: Ask) -> None:
    explanation = {"label": "female", "base": 3.5, "changes": [[0.1, 2.0], [0.0, -0.3]]}
    script = Script(httpx.Response(200, json=ANSWER | {"explanation": explanation}))
    explained = ask(script, "predict", b"photo", asked={"people": "each", "explain": True})
    assert isinstance(explained, ExplainedAnswer)
    assert explained.explanation and explained.explanation.changes[0] == [0.1, 2.0]
    assert dict(script.requests[0].url.params) == {"people": "each", "explain": "true"}
    script = Script(httpx.Response(200, json={"results": []}))
    ask(script, "predict_batch", [b"photo"], asked={"people": "each"})
    assert dict(script.requests[0].url.params) == {"people": "each"}


# --- streams --------------------------------------------------------------------------------------------------------


def lines(*bodies: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, text="".join(json.dumps(body) + "\n" for body in bodies), headers={"content-type": NDJSON})


def item(index: int, code: str = "ok") -> dict[str, Any]:
    return ANSWER | {"index": index, "filename": "photo", "code": code, "error": None if code == "ok" else "no"}


LAST = {"error": "no", "detail": "no", "request_id": "r1"}


class Streams(Script):
    """Answers streams, the last photo first, by the codes that the photos name."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.replies or request.url.path != "/api/predict-batch":
            return super().__call__(request)
        self.requests.append(request)
        return lines(*(item(index, content.decode()) for index, (_, content) in reversed([*enumerate(parts(request))])))

    @property
    def streams(self) -> list[list[bytes]]:
        return [[content for _, content in parts(request)] for request in self.requests]


def test_a_stream_of_many_photos(ask: Ask, file: Path, tmp_path: Path) -> None:
    script = Streams()
    photos: list[Any] = [b"ok"] * (2 * STREAM + 3)
    photos[1], photos[2], photos[STREAM] = b"no_person", tmp_path / "none.jpg", b"not_an_image"
    outcomes = dict(ask(script, "stream", photos))
    assert sorted(outcomes) == [*range(len(photos))]
    assert [str(getattr(outcomes[index], "code", None)) for index in (0, 1, 2, STREAM)] == ["ok", "no_person", "None", "not_an_image"]
    assert isinstance(outcomes[2], FileNotFoundError)
    assert isinstance(refused := outcomes[STREAM], ServiceError)
    assert (refused.status, refused.request_id) == (400, "r1")
    assert sorted(map(len, script.streams)) == [3, STREAM - 1, STREAM]
    assert script.requests[0].headers["accept"].startswith(NDJSON)


def test_photos_are_read_as_they_are_sent(ask: Ask) -> None:
    taken = 0

    def photos() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(10 * STREAM):
            taken += 1
            yield b"ok"

    class Counting(Streams):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            asked_about = sum(map(len, self.streams))
            assert taken <= asked_about + (PARALLEL + 1) * STREAM
            return super().__call__(request)

    assert len(ask(Counting(), "stream", photos())) == 10 * STREAM


def test_names_do_not_break_the_form(ask: Ask, tmp_path: Path) -> None:
    script = Streams()
    photo = tmp_path / 'a"b\r\nc; é.jpg'
    photo.write_bytes(b"ok")
    assert [outcome.code for _, outcome in ask(script, "stream", [photo])] == ["ok"]
    assert parts(script.requests[0])[0][1] == b"ok"


def test_a_photo_for_which_the_service_was_too_busy_is_sent_again(ask: Ask) -> None:
    script = Streams(lines(item(0), item(1, "overloaded"), item(2)))
    outcomes = dict(ask(script, "stream", [b"ok", io.BytesIO(b"no_person"), b"ok"]))
    assert [outcomes[index].code for index in range(3)] == ["ok", "no_person", "ok"]
    assert script.streams[1] == [b"no_person"]
    assert len(script.pauses) == 1


@pytest.mark.parametrize(
    "reply",
    [
        lines(item(1)),
        lines(item(1), LAST | {"code": "overloaded"}),
        lines(item(1), LAST | {"code": "timeout"}),
        fault("overloaded", 503, **{"retry-after": "2"}),
        httpx.ConnectError("refused"),
    ],
    ids=["cut off", "stopping", "too long", "busy", "refused"],
)
def test_what_a_stream_did_not_answer_is_sent_again(ask: Ask, reply: Reply) -> None:
    script = Streams(reply)
    outcomes = dict(ask(script, "stream", [b"ok", b"ok", b"unsure"]))
    assert [str(outcomes[index].code) for index in range(3)] == ["ok", "ok", "unsure"]
    some_answered = isinstance(reply, httpx.Response) and reply.status_code == 200
    assert script.streams[-1] == ([b"ok", b"unsure"] if some_answered else [b"ok", b"ok", b"unsure"])
    assert len(script.pauses) == 1


@pytest.mark.parametrize("reply", [fault("unauthorized", 401), lines(LAST | {"code": "timeout"}), lines(LAST | {"code": "internal"})])
def test_what_another_stream_would_not_change_is_the_outcome_of_all(ask: Ask, reply: httpx.Response) -> None:
    outcomes = ask(Streams(reply), "stream", [b"ok"] * 3)
    assert [type(outcome) for _, outcome in outcomes] == [ServiceError] * 3


@pytest.mark.parametrize("reply", [lines(item(7)), lines({"x": 1}), httpx.Response(200, text="<html>", headers={"content-type": NDJSON})])
def test_lines_of_another_service_are_named_as_such(ask: Ask, reply: httpx.Response) -> None:
    ((_, outcome),) = ask(Streams(reply), "stream", [b"ok"])
    assert isinstance(outcome, Unreachable)


OLD = [httpx.Response(404), httpx.Response(405), httpx.Response(406), fault("bad_request", 400), httpx.Response(200, json={"results": []})]


@pytest.mark.parametrize("reply", OLD, ids=lambda reply: str(reply.status_code))
def test_a_service_without_streams_is_asked_about_one_photo_after_the_other(ask: Ask, reply: httpx.Response) -> None:
    script = Script(reply)
    outcomes = ask(script, "stream", [b"a", b"b", b"c"], asked={"people": "each", "parallel": 1})
    assert [(index, str(outcome.code)) for index, outcome in outcomes] == [(0, "ok"), (1, "ok"), (2, "ok")]
    assert [request.url.path for request in script.requests] == ["/api/predict-batch", *["/api/predict"] * 3]
    assert all(dict(request.url.params) == {"people": "each"} for request in script.requests)


def test_when_nothing_answers_all_are_told(ask: Ask) -> None:
    outcomes = ask(Script(*[httpx.ConnectError("refused")] * 9), "stream", [b"a", b"b"], deadline_s=0.5)
    assert [type(outcome) for _, outcome in outcomes] == [Unreachable] * 2


def test_a_fault_of_the_program_is_not_lost(ask: Ask) -> None:
    with pytest.raises(AttributeError):
        ask(Streams(), "stream", [object()])


def test_a_stream_may_be_left() -> None:
    with Client("http://test/api", transport=httpx.MockTransport(Streams())) as client:
        asking = client.stream([b"ok"] * (10 * STREAM))
        next(asking)
        asking.close()


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


NAMES = [
    "AnsweredPerson",
    "Answer",
    "BatchAnswer",
    "BatchItem",
    "ExplainedAnswer",
    "Explanation",
    "Fault",
    "Health",
    "ModelInfo",
    "ModelRevisions",
    "Person",
    "StreamItem",
]


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


def test_the_faults_are_those_of_the_document() -> None:
    calls = json.loads(DOCUMENT.read_text())["paths"]
    responses = calls["/predict"]["post"]["responses"].items()
    examples = [(status, response["content"]["application/json"]["examples"]) for status, response in responses if status != "200"]
    faults = {code: int(status) for status, codes in examples for code in codes}
    assert faults == {code: status for code, status in models.FAULTS.items() if code not in (Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED)}
