"""The HTTP app without a graph: a fake service with chosen answers, and requests sent message by message."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from httpx import ASGITransport, AsyncClient
from starlette.types import ASGIApp, Message, Scope

from serve_app.checkpoints import resolve
from serve_app.checkpoints.card import read_card
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.codes import Code
from serve_app.graph.messages import Cards, Descriptions, GraphOutcome, ModelDescription
from serve_app.question import ORIGINAL, Question
from serve_app.settings import EMBEDDED_CLASSIFIER, EMBEDDED_DETECTOR, Settings
from serve_app.vision.explaining import Explanation
from serve_app.vision.people import DetectedPerson

MODELS = ("detector@1", "classifier@2")
PERSON = DetectedPerson((0.1, 0.2, 0.6, 0.9), 0.9)
UNSURE = GraphOutcome(Code.UNSURE, [PERSON], {"male": 0.534, "female": 0.466}, *MODELS)
MALE = GraphOutcome(Code.OK, [PERSON], {"male": 0.892, "female": 0.108}, *MODELS)


class FakeService:
    """Fake PredictService: a photo whose bytes name a code gets that code; any other shows a man.

    Attributes:
        classifier: the classifier that `health` describes.
        fault: the detector's fault that `health` reports.
        raises: raised by both methods when set.
        photos: the photos of all requests, in order.
        health_asked: number of calls of `health`.
        gate: requests wait until it is set.
    """

    def __init__(self) -> None:
        self.classifier: ModelDescription | None = ModelDescription("classifier", "2")
        self.fault: str | None = None
        self.raises: Exception | None = None
        self.photos: list[bytes] = []
        self.health_asked = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self._arrival = asyncio.Condition()

    async def predict(self, image: bytes, request_id: str, question: Question = ORIGINAL) -> GraphOutcome:
        """See PredictService."""
        async with self._arrival:
            self.photos.append(image)
            self._arrival.notify_all()
        await self.gate.wait()
        if self.raises:
            raise self.raises
        if image == Code.MULTIPLE_PEOPLE.encode() and question.most_people:
            return GraphOutcome(Code.OK, [PERSON] * 3, None, *MODELS, each=[MALE, UNSURE][: question.most_people])
        if image == Code.MULTIPLE_PEOPLE.encode():
            return GraphOutcome(Code.MULTIPLE_PEOPLE, [PERSON] * 3, None, *MODELS)
        if image == Code.UNSURE.encode():
            return UNSURE
        if question.explain and image not in {code.encode() for code in Code}:
            return replace(MALE, explanation=Explanation("male", 2.111, [[0.5, -0.25]]))
        for code in Code:
            if image == code.encode():
                return GraphOutcome(code)
        return MALE

    async def has_photos(self, count: int) -> None:
        """Waits until `count` photos have been received."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.photos) >= count)

    async def health(self) -> Descriptions:
        """See PredictService."""
        self.health_asked += 1
        if self.raises:
            raise self.raises
        return {"detector": ModelDescription("detector", "1", fault=self.fault), "classifier": self.classifier}

    async def cards(self) -> Cards | None:
        """See PredictService."""
        if self.raises:
            raise self.raises
        return embedded_cards() if self.classifier else None


def embedded_cards() -> Cards:
    """The cards of the embedded models."""
    detector, classifier = (resolve(uri, Path("no-cache")) for uri in (EMBEDDED_DETECTOR, EMBEDDED_CLASSIFIER))
    return {
        "detector": read_card(detector, DetectorDecision.read(detector.path)),
        "classifier": read_card(classifier, ClassifierDecision.read(classifier.path)),
    }


def settings(**changes: Any) -> Settings:
    """The default settings without the page, with `changes`."""
    return Settings(_env_file=None, **{"page_dir": Path("no-such-folder"), **changes})


@asynccontextmanager
async def client_of(app: ASGIApp) -> AsyncIterator[AsyncClient]:
    """An httpx client of an app."""
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        yield client


BOUNDARY = "b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(content: bytes, field: str = "file", filename: str | None = "photo.jpg") -> bytes:
    """A form part built by hand, so that tests can also send what real clients would not."""
    name = "" if filename is None else f'; filename="{filename}"'
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"{name}\r\n\r\n'.encode() + content + b"\r\n"


def form(parts: Iterable[bytes]) -> bytes:
    """The body of a form."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


class RawRequest:
    """A request whose body the test sends chunk by chunk, directly to the ASGI app.

    Args:
        headers: with lower-case names.
    """

    def __init__(self, app: ASGIApp, path: str, headers: dict[str, str]) -> None:
        self.messages: list[Message] = []
        self._incoming: list[Message] = []
        self._changed = asyncio.Condition()
        self._waiting = False
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        self._task = asyncio.ensure_future(app(scope, self._receive, self._send))

    async def feed(self, chunk: bytes, more: bool = True) -> None:
        """Sends a chunk of the body. Unless it is the last, waits until the app asks for more or has answered."""
        await self._put({"type": "http.request", "body": chunk, "more_body": more})
        if more:
            await self._taken_in_or_ended()

    async def send(self, chunk: bytes, more: bool = True) -> None:
        """Sends a chunk of the body and waits for nothing."""
        await self._put({"type": "http.request", "body": chunk, "more_body": more})

    @property
    def unread(self) -> int:
        """Messages that the app has not asked for."""
        return len(self._incoming)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of JSON so far."""
        return [json.loads(line) for message in self.messages for line in message.get("body", b"").splitlines()]

    async def has_lines(self, count: int) -> list[dict[str, Any]]:
        """Waits for so many lines of JSON."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.lines) >= count)
        return self.lines

    async def hang_up(self) -> None:
        """Disconnects the client."""
        await self._put({"type": "http.disconnect"})

    def cancel(self) -> None:
        """Cancels the request, as the server would."""
        self._task.cancel()

    async def reply(self) -> tuple[int, dict[str, str], dict[str, Any]]:
        """Waits for the response: status, headers and JSON body."""
        await self._task
        start, *rest = self.messages
        body = b"".join(message.get("body", b"") for message in rest)
        return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, json.loads(body)

    async def ended(self) -> list[Message]:
        """Waits until the app is done, and returns what it sent."""
        await self._task
        return self.messages

    async def _put(self, message: Message) -> None:
        async with self._changed:
            self._incoming.append(message)
            self._changed.notify_all()

    async def _taken_in_or_ended(self) -> None:
        taken_in = asyncio.create_task(self._taken_in())
        await asyncio.wait([taken_in, self._task], return_when=asyncio.FIRST_COMPLETED)
        taken_in.cancel()

    async def _taken_in(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._waiting and not self._incoming)

    async def _receive(self) -> Message:
        async with self._changed:
            self._waiting = True
            self._changed.notify_all()
            await self._changed.wait_for(lambda: bool(self._incoming))
            self._waiting = False
            return self._incoming.pop(0)

    async def _send(self, message: Message) -> None:
        async with self._changed:
            self.messages.append(message)
            self._changed.notify_all()
