"""Parses an upload while it arrives: in memory, within the size limits and the upload deadline. It never waits for bytes it will refuse."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from io import BytesIO

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from serve_app.codes import Code
from serve_app.http.admission import Take
from serve_app.http.faults import Refused
from serve_app.http.upload_places import UploadPlaces
from serve_app.settings import Settings

# A malformed form is answered, not logged.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

PREDICT_FIELD = "file"
BATCH_FIELD = "files"

FORM_OVERHEAD_BYTES = 16_384  # per file: its boundary and headers
_QUOTED_CHARACTERS = 40  # of a client's field name in an error text


@dataclass(frozen=True)
class Upload:
    """A file of a form.

    Attributes:
        filename: as sent.
        image: its bytes; None when it is larger than the limit.
    """

    filename: str
    image: bytes | None


async def read_image(request: Request, settings: Settings, take: Take, places: UploadPlaces) -> bytes:
    """Reads the body of /predict: a form with one file, or the image itself.

    Args:
        take: called with the size of each chunk before it is kept, and with a negative size for what is dropped again.
        places: the body takes one while it arrives.

    Raises:
        Refused: the body is not valid, too large, or too slow, or there is no place for it.
        ClientDisconnect: the client has gone.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type == b"multipart/form-data":
        form = _Form(options, PREDICT_FIELD, 1, f'The form has more than one file in the field "{PREDICT_FIELD}"', settings.max_image_bytes)
        await _read(request, settings.max_image_bytes + FORM_OVERHEAD_BYTES, take, places, form.write)
        image = form.finish()[0].image
        if image is None:
            raise Refused(Code.IMAGE_TOO_LARGE)
        return image
    if content_type.startswith(b"image/") or content_type == b"application/octet-stream":
        body = BytesIO()
        await _read(request, settings.max_image_bytes, take, places, body.write)
        if not body.tell():
            raise Refused(Code.BAD_REQUEST, "The body is empty")
        return body.getvalue()
    raise Refused(
        Code.BAD_REQUEST,
        f'Send the image in the field "{PREDICT_FIELD}" of a multipart/form-data form, or as the body itself with Content-Type image/*',
    )


async def read_files(request: Request, settings: Settings, take: Take, places: UploadPlaces) -> list[Upload]:
    """Reads the body of /predict-batch: a form with files; one over the limit does not affect the others.

    Args:
        take: called with the size of each chunk before it is kept, and with a negative size for what is dropped again.
        places: the body takes one while it arrives.

    Raises:
        Refused: the body is not valid, too large, or too slow, or there is no place for it.
        ClientDisconnect: the client has gone.
    """
    form = _form_of_files(request, settings, settings.max_batch_files, "batch")
    await _read(request, settings.max_batch_files * (settings.max_image_bytes + FORM_OVERHEAD_BYTES), take, places, form.write)
    return form.finish()


async def read_each_file(
    request: Request,
    settings: Settings,
    places: UploadPlaces,
    put: Callable[[Upload], Awaitable[None]],
    before_more: Callable[[], Awaitable[None]],
) -> None:
    """Reads the body of /predict-batch and hands over each file as soon as it is whole.

    Args:
        places: the body takes one while it arrives.
        put: takes a file when it likes, and `before_more` returns when it likes: no more is read until then, and the client is not late.

    Raises:
        Refused: the body is not valid, too large, or too slow, or there is no place for it; files before that were handed over.
        ClientDisconnect: the client has gone.
    """
    form = _form_of_files(request, settings, settings.max_stream_files, "stream")
    limit = settings.max_stream_files * (settings.max_image_bytes + FORM_OVERHEAD_BYTES)
    if _declared_length(request) > limit:
        raise Refused(Code.IMAGE_TOO_LARGE)
    total = 0
    async with places.place(settings.stream_deadline_s) as body, aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body.received(len(chunk))
            total += len(chunk)
            broken = None
            try:
                form.write(chunk)
            except Refused as error:
                broken = error
            with body.paused():
                for upload in form.taken():
                    await put(upload)
                if broken or total > limit:
                    raise broken or Refused(Code.IMAGE_TOO_LARGE)
                if not form.complete:
                    await before_more()
        form.finish()


def _form_of_files(request: Request, settings: Settings, most: int, what: str) -> "_Form":
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type != b"multipart/form-data":
        raise Refused(Code.BAD_REQUEST, f'Send the images in the field "{BATCH_FIELD}" of a multipart/form-data form')
    return _Form(options, BATCH_FIELD, most, f"Maximum {most} images per {what}", settings.max_image_bytes)


async def _read(request: Request, limit: int, take: Take, places: UploadPlaces, write: Callable[[bytes], int]) -> None:
    """Reads the body; `write` returns by how many bytes it holds more than before."""
    if _declared_length(request) > limit:
        raise Refused(Code.IMAGE_TOO_LARGE)
    total = 0
    async with places.place() as body, aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            total += len(chunk)
            if total > limit:
                raise Refused(Code.IMAGE_TOO_LARGE)
            if chunk:
                body.received(len(chunk))
                take(len(chunk))
                take(write(chunk) - len(chunk))


def _declared_length(request: Request) -> int:
    try:
        return int(request.headers.get("content-length", 0))
    except ValueError:
        return 0  # the bytes that arrive are counted, too


class _Form:
    """A form that may hold files in one field, and nothing else.

    The parser holds methods of `_Parts`, which knows nothing of the parser: in a circle, the photos would stay in memory until the
    garbage collector comes by.
    """

    def __init__(self, options: dict[bytes, bytes], field: str, max_files: int, too_many: str, max_image_bytes: int) -> None:
        self._field = field
        self._parts = parts = _Parts(field, max_files, too_many, max_image_bytes)
        try:
            # The parser bounds the number of a part's headers and their sizes.
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": parts.on_part_begin,
                    "on_header_field": parts.on_header_field,
                    "on_header_value": parts.on_header_value,
                    "on_header_end": parts.on_header_end,
                    "on_headers_finished": parts.on_headers_finished,
                    "on_part_data": parts.on_part_data,
                    "on_part_end": parts.on_part_end,
                    "on_end": parts.on_end,
                },
            )
        except (KeyError, FormParserError):
            raise Refused(Code.BAD_REQUEST, "The form's Content-Type has no valid boundary") from None

    def write(self, chunk: bytes) -> int:
        """Parses a chunk; returns by how many bytes the files grew."""
        before = self._parts.held
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise Refused(Code.BAD_REQUEST, "The form is malformed") from None
        return self._parts.held - before

    @property
    def complete(self) -> bool:
        """Whether the closing boundary has been seen."""
        return self._parts.complete

    def taken(self) -> list[Upload]:
        """The files that have arrived whole since the last call."""
        uploads, self._parts.uploads = self._parts.uploads, []
        return uploads

    def finish(self) -> list[Upload]:
        """Checks that the form has been read whole; returns the files that nobody has taken."""
        if not self.complete:
            raise Refused(Code.BAD_REQUEST, "The form is cut off: its closing boundary is missing")
        if not self._parts.files:
            raise Refused(Code.BAD_REQUEST, f'The form has no file in the field "{self._field}"')
        return self.taken()


class _Parts:
    """The parts of a form, from the parser's events.

    Attributes:
        uploads: the files that have arrived whole, and that nobody has taken.
        files: the number of all files so far.
        held: bytes of images kept, that of the current part included.
        complete: the closing boundary has been seen.
    """

    def __init__(self, field: str, max_files: int, too_many: str, max_image_bytes: int) -> None:
        self._field = field
        self._max_files = max_files
        self._too_many = too_many
        self._max_image_bytes = max_image_bytes
        self.uploads: list[Upload] = []
        self.files = 0
        self.held = 0
        self.complete = False
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._filename = ""
        self._image = BytesIO()
        self._size = 0

    def on_part_begin(self) -> None:
        self._disposition = b""
        self._image = BytesIO()
        self._size = 0

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise Refused(Code.BAD_REQUEST, "A part of the form has no name")
        name = _decode(options[b"name"])
        if name != self._field:
            raise Refused(
                Code.BAD_REQUEST, f'Unknown field "{name[:_QUOTED_CHARACTERS]}": the form takes files in the field "{self._field}" only'
            )
        if b"filename" not in options:
            raise Refused(Code.BAD_REQUEST, f'The field "{self._field}" must be a file, not text')
        if self.files == self._max_files:
            raise Refused(Code.BAD_REQUEST, self._too_many)
        self._filename = _decode(options[b"filename"])
        if not self._filename:
            raise Refused(Code.BAD_REQUEST, f'The file in the field "{self._field}" has no name: was none chosen?')

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size <= self._max_image_bytes:
            self.held += self._image.write(memoryview(data)[start:end])
        else:
            self.held -= self._image.tell()
            self._image = BytesIO()

    def on_part_end(self) -> None:
        # BytesIO gives its own bytes away; a copy would double the photo for a moment.
        image = None if self._size > self._max_image_bytes else self._image.getvalue()
        self.uploads.append(Upload(self._filename, image))
        self.files += 1
        self._image = BytesIO()

    def on_end(self) -> None:
        self.complete = True


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
