"""The requests, and what is made of their answers; both clients share it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, TypeVar

import httpx
from pydantic import ValidationError

from gender_client.errors import Unreachable
from gender_client.models import Answer, BatchAnswer, BatchItem, Body, ExplainedAnswer, Health
from gender_client.photos import Photo, read

URL = "http://localhost:8000"
DEADLINE_S = 60.0
BATCH = 10  # photos in a request: what a service takes by default

People = Literal["one", "each"]
"""Whom an answer is about: a photo's only person, or each of several."""

Request = dict[str, Any]  # arguments of `httpx.Client.request`
B = TypeVar("B", bound=Body)
T = TypeVar("T")


def options(url: str, key: str | None) -> dict[str, Any]:
    """Arguments of either of httpx's clients."""
    return {"base_url": url.rstrip("/"), "headers": {"authorization": f"Bearer {key}"} if key else {}}


def predict(photo: Photo, people: People = "one", explain: bool = False) -> Request:
    """POST /predict."""
    headers = {"content-type": "application/octet-stream"}
    params = asked(people) | ({"explain": "true"} if explain else {})
    return {"method": "POST", "url": "/predict", "params": params, "content": read(photo)[1], "headers": headers}


def predict_batch(photos: Iterable[Photo], people: People = "one") -> Request:
    """POST /predict-batch."""
    files = [("files", (name, content, "application/octet-stream")) for name, content in map(read, photos)]
    return {"method": "POST", "url": "/predict-batch", "params": asked(people), "files": files}


def asked(people: People) -> dict[str, str]:
    """The query of an address: what differs from the default, so that older services understand the rest."""
    return {} if people == "one" else {"people": people}


def get(path: str) -> Request:
    """GET."""
    return {"method": "GET", "url": path}


def answer(response: httpx.Response) -> Answer:
    """The answer about a photo."""
    return _parsed(response, Answer)


def explained(response: httpx.Response) -> ExplainedAnswer:
    """The answer about a photo, with what it hangs on."""
    return _parsed(response, ExplainedAnswer)


def items(response: httpx.Response) -> list[BatchItem]:
    """The answers about a batch."""
    return _parsed(response, BatchAnswer).results


def health(response: httpx.Response) -> Health:
    """Whether the service can answer."""
    return _parsed(response, Health)


def cards(response: httpx.Response) -> dict[str, Any]:
    """The models' cards."""
    found: dict[str, Any] = response.json()
    return found


def batches(photos: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """The photos, `size` at a time."""
    rest = iter(photos)
    while batch := list(islice(rest, size)):
        yield batch


def _parsed(response: httpx.Response, body: type[B]) -> B:
    try:
        return body.model_validate_json(response.content)
    except ValidationError as error:
        raise Unreachable("what answers there is not the service: is the address right?") from error
