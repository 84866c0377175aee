"""Parses an upload while it arrives: in memory, within the size limits and the upload deadline. It never waits for bytes it will refuse."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from serve_app.codes import Code
from serve_app.http.admission import Take
from serve_app.http.faults import Refused
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


async def read_image(request: Request, settings: Settings, take: Take) -> bytes:
    """Reads the body of /predict: a form with one file, or the image itself.

    Args:
        take: called with the size of each chunk before it is kept.

    Raises:
        Refused: the body is not valid, too large, or too slow.
        ClientDisconnect: the client has gone.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type == b"multipart/form-data":
        form = _Form(options, PREDICT_FIELD, 1, f'The form has more than one file in the field "{PREDICT_FIELD}"', settings.max_image_bytes)
        await _read(request, settings.max_image_bytes + FORM_OVERHEAD_BYTES, settings.upload_deadline_s, take, form.write)
        image = form.finish()[0].image
        if image is None:
            raise Refused(Code.IMAGE_TOO_LARGE)
        return image
    if content_type.startswith(b"image/") or content_type == b"application/octet-stream":
        chunks: list[bytes] = []
        await _read(request, settings.max_image_bytes, settings.upload_deadline_s, take, chunks.append)
        if not chunks:
            raise Refused(Code.BAD_REQUEST, "The body is empty")
        return b"".join(chunks)
    raise Refused(
        Code.BAD_REQUEST,
        f'Send the image in the field "{PREDICT_FIELD}" of a multipart/form-data form, or as the body itself with Content-Type image/*',
    )


async def read_files(request: Request, settings: Settings, take: Take) -> list[Upload]:
    """Reads the body of /predict-batch: a form with files; one over the limit does not affect the others.

    Args:
        take: called with the size of each chunk before it is kept.

    Raises:
        Refused: the body is not valid, too large, or too slow.
        ClientDisconnect: the client has gone.
    """
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type != b"multipart/form-data":
        raise Refused(Code.BAD_REQUEST, f'Send the images in the field "{BATCH_FIELD}" of a multipart/form-data form')
    too_many = f"Maximum {settings.max_batch_files} images per batch"
    form = _Form(options, BATCH_FIELD, settings.max_batch_files, too_many, settings.max_image_bytes)
    limit = settings.max_batch_files * (settings.max_image_bytes + FORM_OVERHEAD_BYTES)
    await _read(request, limit, settings.upload_deadline_s, take, form.write)
    return form.finish()


async def _read(request: Request, limit: int, deadline_s: float, take: Take, write: Callable[[bytes], object]) -> None:
    if _declared_length(request) > limit:
        raise Refused(Code.IMAGE_TOO_LARGE)
    received = 0
    try:
        async with asyncio.timeout(deadline_s), aclosing(request.stream()) as chunks:
            async for chunk in chunks:
                received += len(chunk)
                if received > limit:
                    raise Refused(Code.IMAGE_TOO_LARGE)
                if chunk:
                    take(len(chunk))
                    write(chunk)
    except TimeoutError:
        raise Refused(Code.TIMEOUT, f"The upload took longer than {deadline_s:g} seconds") from None


def _declared_length(request: Request) -> int:
    try:
        return int(request.headers.get("content-length", 0))
    except ValueError:
        return 0  # the bytes that arrive are counted, too


class _Form:
    """A form that may hold files in one field, and nothing else."""

    def __init__(self, options: dict[bytes, bytes], field: str, max_files: int, too_many: str, max_image_bytes: int) -> None:
        self._field = field
        self._max_files = max_files
        self._too_many = too_many
        self._max_image_bytes = max_image_bytes
        self._uploads: list[Upload] = []
        self._complete = False
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._filename = ""
        self._image = bytearray()
        self._size = 0
        try:
            # The parser bounds the number of a part's headers and their sizes.
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except (KeyError, FormParserError):
            raise Refused(Code.BAD_REQUEST, "The form's Content-Type has no valid boundary") from None

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise Refused(Code.BAD_REQUEST, "The form is malformed") from None

    def finish(self) -> list[Upload]:
        if not self._complete:
            raise Refused(Code.BAD_REQUEST, "The form is cut off: its closing boundary is missing")
        if not self._uploads:
            raise Refused(Code.BAD_REQUEST, f'The form has no file in the field "{self._field}"')
        return self._uploads

    def _on_part_begin(self) -> None:
        self._disposition = b""
        self._image = bytearray()
        self._size = 0

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
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
        if len(self._uploads) == self._max_files:
            raise Refused(Code.BAD_REQUEST, self._too_many)
        self._filename = _decode(options[b"filename"])
        if not self._filename:
            raise Refused(Code.BAD_REQUEST, f'The file in the field "{self._field}" has no name: was none chosen?')

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self._max_image_bytes:
            self._image.clear()
        else:
            self._image += data[start:end]

    def _on_part_end(self) -> None:
        image = None if self._size > self._max_image_bytes else bytes(self._image)
        self._uploads.append(Upload(self._filename, image))

    def _on_end(self) -> None:
        self._complete = True


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
