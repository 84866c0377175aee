"""POST /predict-batch as a stream: photos are answered while later ones arrive, and each answer is sent at once, as a line of JSON.

A stream waits where an ordinary request is refused: for a place among the photos in flight, for memory, for its client's rate. Meanwhile it
reads nothing, and neither does the door (see `body_window`), so its client waits, too. What it holds in memory is `MAX_BATCH_FILES` photos
that have no answer yet, and the one that is arriving.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve_app.codes import Code
from serve_app.http.admission import Budget, PhotoAdmission, Take
from serve_app.http.answers import Answer, BatchItem, Body, Fault, StreamItem
from serve_app.http.body_window import NDJSON
from serve_app.http.draining import is_stopping
from serve_app.http.fairness import Fairness
from serve_app.http.faults import Refused, log_unforeseen
from serve_app.http.upload_places import UploadPlaces
from serve_app.http.uploads import Upload, read_each_file
from serve_app.records import PhotoRecord, RequestRecord
from serve_app.settings import Settings

STOPPING = "The service is stopping. Nothing was lost: please send the photos again that have no line."

AnswerFile = Callable[[Upload], Awaitable[BatchItem]]


@dataclass(frozen=True)
class Streams:
    """What all streams share.

    Attributes:
        settings: limits and deadlines.
        photos: admits each photo.
        body_bytes: of bodies that are held.
        places: for bodies that are arriving.
        fairness: counts each photo.
        in_progress: streams.
    """

    settings: Settings
    photos: PhotoAdmission
    body_bytes: Budget
    places: UploadPlaces
    fairness: Fairness
    in_progress: Budget


class StreamResponse(Response):
    """Reads photos and answers them.

    What is refused before the first line is refused as always. Later, the status has been sent, and a `Fault` is the last line.

    Args:
        request: its first photo has been counted by `fairness`.
        answer: the item about a file.
    """

    media_type = NDJSON

    def __init__(self, streams: Streams, request: Request, answer: AnswerFile) -> None:
        self.status_code = HTTPStatus.OK
        self.background = None
        self.init_headers()
        self._streams = streams
        self._request = request
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves the stream.

        Raises:
            Refused: before the first line.
            ClientDisconnect: the client has gone.
        """
        with self._streams.in_progress.hold(1), self._streams.body_bytes.hold() as take:
            stream = _Stream(self, self._streams, self._request, self._answer, send, take)
            await stream.serve()


class _Stream:
    """A stream that is being served.

    Args:
        take: holds bytes for the photo that is arriving.
    """

    def __init__(self, response: Response, streams: Streams, request: Request, answer: AnswerFile, send: Send, take: Take) -> None:
        self._response = response
        self._streams = streams
        self._request = request
        self._record: RequestRecord = request.state.record
        self._answer = answer
        self._send = send
        self._take = take
        self._held = 0  # bytes held for the photo that is arriving
        self._files = 0
        self._free = asyncio.Semaphore(streams.settings.max_batch_files)
        self._answering: set[asyncio.Task[None]] = set()
        self._begun = False
        self._sending = asyncio.Lock()

    async def serve(self) -> None:
        """Reads all photos and sends all lines."""
        broken = None
        try:
            try:
                await self._before_more()
                await read_each_file(self._request, self._streams.settings, self._streams.places, self._put, self._before_more)
            except Refused as error:
                broken = error
            await self._all_answered()
        finally:
            for task in self._answering:
                task.cancel()
            await asyncio.gather(*self._answering, return_exceptions=True)
        if broken is not None:
            if not self._begun:
                raise broken
            self._record.broken = broken.code
            await self._send_line(Fault.of(broken.code, self._record.request_id, broken.text))
        await self._send({"type": "http.response.body", "body": b""})

    async def _before_more(self) -> None:
        """Waits until there is memory for a whole photo: streams that each have half of one would wait for each other for ever."""
        if is_stopping(self._request):
            raise Refused(Code.OVERLOADED, STOPPING)
        more = self._streams.settings.max_image_bytes - self._held
        await self._streams.body_bytes.until_fits(more)
        self._take(more)
        self._held += more

    async def _put(self, upload: Upload) -> None:
        """Begins to answer a file, as soon as there is a place for it."""
        index, self._files = self._files, self._files + 1
        if index:
            await self._streams.fairness.wait_for_one(self._request)
        await self._free.acquire()
        place = ExitStack()
        if upload.image is not None:
            await self._streams.photos.until_room()
            size = len(upload.image)
            self._take(-size)
            self._held -= size
            place.enter_context(self._streams.body_bytes.hold(size))
            place.enter_context(self._streams.photos.admit(1))
        task = asyncio.create_task(self._answer_one(index, upload, place))
        self._answering.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            place.close()  # of a task that was cancelled before it began
            self._answering.discard(task)
            self._free.release()

        task.add_done_callback(ended)

    async def _answer_one(self, index: int, upload: Upload, place: ExitStack) -> None:
        try:
            with place:
                item = await self._answer(upload)
        except Exception as error:
            log_unforeseen(error, self._record.request_id)
            self._record.photos.append(PhotoRecord(Code.INTERNAL))
            item = BatchItem(**dict(Answer.refusal(Code.INTERNAL, self._record.request_id)), filename=upload.filename)
        await self._send_line(StreamItem(**dict(item), index=index))

    async def _send_line(self, body: Body) -> None:
        async with self._sending:
            if not self._begun:
                self._begun = True
                status, headers = self._response.status_code, self._response.raw_headers
                await self._send({"type": "http.response.start", "status": status, "headers": headers})
            await self._send({"type": "http.response.body", "body": body.model_dump_json().encode() + b"\n", "more_body": True})

    async def _all_answered(self) -> None:
        """Waits until each file has its line.

        Raises:
            ClientDisconnect: the client has gone.
        """
        gone = asyncio.create_task(self._client_gone())
        try:
            while self._answering and not gone.done():
                await asyncio.wait([gone, *self._answering], return_when=asyncio.FIRST_COMPLETED)
            if self._answering:
                raise ClientDisconnect
        finally:
            gone.cancel()

    async def _client_gone(self) -> None:
        """Waits until the client has gone; reads what it still sends of a body that is broken, so that it finds the answer."""
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
