"""Streams: many photos in a request, a line for each as soon as it is answered. It knows nothing of sockets, so both clients share it.

httpx sends a whole request before it reads the answer, so a request has `STREAM` photos only: their answers come while the next ones are
sent, and what is sent again after a fault is not much.
"""

import json
import uuid
from collections.abc import Iterable, Iterator

import httpx
from pydantic import ValidationError

from gender_client.errors import ClientError, ServiceError, Unreachable
from gender_client.models import FAULTS, Answer, Code, Fault, StreamItem
from gender_client.photos import Photo, is_read_once, read
from gender_client.requests import People, Request, asked
from gender_client.retries import Attempts

NDJSON = "application/x-ndjson"
STREAM = 32  # photos in a request
PARALLEL = 2  # requests: one is being sent while the other is being answered
TOO_OLD = (400, 404, 405, 406)  # a service without streams: it does not know the call, or takes fewer photos

Outcome = Answer | ClientError | OSError


class Part:
    """Photos that go in one request, until each has its outcome.

    Args:
        photos: each with its index among all.
        deadline_s: seconds without a single outcome.

    Attributes:
        left: the photos without an outcome.
    """

    def __init__(self, photos: Iterable[tuple[int, Photo]], people: People, deadline_s: float) -> None:
        self.left = dict(photos)
        self._people = people
        self._deadline_s = deadline_s
        self._boundary = uuid.uuid4().hex
        self._sent: list[int] = []
        self._found: list[tuple[int, Outcome]] = []
        self._fault: ClientError | None = None
        self._attempts = Attempts(deadline_s)

    def request(self) -> Request:
        """The arguments of a further request, without its body."""
        self._sent, self._fault = [], None
        headers = {"accept": f"{NDJSON}, application/json", "content-type": f"multipart/form-data; boundary={self._boundary}"}
        timeout = self._attempts.left_s
        return {"method": "POST", "url": "/predict-batch", "params": asked(self._people), "headers": headers, "timeout": timeout}

    def chunk(self, index: int) -> bytes:
        """A photo's part of the form; empty when it cannot be read, which is its outcome."""
        try:
            name, content = read(self.left[index])
        except OSError as error:
            self._ended(index, error)
            return b""
        if is_read_once(self.left[index]):
            self.left[index] = content
        self._sent.append(index)
        filename = name.translate({ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"})
        head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="files"; filename="{filename}"\r\n\r\n'
        return head.encode(errors="replace") + content + b"\r\n"

    @property
    def end(self) -> bytes:
        """The end of the form."""
        return f"--{self._boundary}--\r\n".encode()

    def line(self, text: str) -> None:
        """Takes a line of the answer."""
        try:
            if "index" not in json.loads(text):
                fault = Fault.model_validate_json(text)
                self._fault = _error(fault.code, fault.error, fault.request_id)
                return
            item = StreamItem.model_validate_json(text)
            index = self._sent[item.index]
        except (ValidationError, ValueError, TypeError, IndexError) as error:
            raise Unreachable("what answers there is not the service: is the address right?") from error
        if item.code in (Code.OVERLOADED, Code.TOO_MANY_REQUESTS):
            self._fault = _error(item.code, item.error, item.request_id)
        elif item.code in FAULTS:
            self._ended(index, _error(item.code, item.error, item.request_id))
        else:
            self._ended(index, item)

    def found(self) -> Iterator[tuple[int, Outcome]]:
        """The outcomes since the last call."""
        found, self._found = self._found, []
        yield from found

    def pause(self, response: httpx.Response) -> float:
        """Seconds until the next request, after a response that left photos without an outcome.

        Raises:
            ClientError: another one would not help, or there is no time left.
        """
        if (pause := self._attempts.after(response)) is not None:
            return pause
        match self._fault:
            case ServiceError() as fault if fault.code in (Code.OVERLOADED, Code.TOO_MANY_REQUESTS):
                return self._attempts.after_busy(fault)
            case ServiceError() as fault if fault.code is not Code.TIMEOUT or len(self.left) == len(self._sent):
                raise fault
            case _:
                return self._attempts.after_error(httpx.ReadError("the stream ended before its end"))

    def pause_after(self, error: httpx.TransportError) -> float:
        """The same, after a connection that broke.

        Raises:
            Unreachable: there is no time left.
        """
        return self._attempts.after_error(error)

    def give_up(self, error: ClientError) -> None:
        """Makes an error the outcome of all photos that are left."""
        for index in list(self.left):
            self._ended(index, error)

    def _ended(self, index: int, outcome: Outcome) -> None:
        if self.left.pop(index, None) is not None:
            self._found.append((index, outcome))
            self._attempts = Attempts(self._deadline_s)


def has_lines(response: httpx.Response) -> bool:
    """Whether it is a stream."""
    return response.status_code == 200 and response.headers.get("content-type", "").startswith(NDJSON)


def is_too_old(response: httpx.Response) -> bool:
    """Whether it comes from a service without streams."""
    return response.status_code in TOO_OLD or (response.status_code == 200 and not has_lines(response))


def _error(code: Code | str, text: str | None, request_id: str) -> ServiceError:
    return ServiceError(code, text or "", FAULTS.get(code, 500), request_id)
