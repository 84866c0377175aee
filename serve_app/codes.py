"""The table of codes: of every answer, refusal and fault its code, HTTP status and text."""

from enum import StrEnum
from typing import NamedTuple


class Code(StrEnum):
    """Stable codes of answers and faults; clients may depend on them."""

    OK = "ok"
    NO_PERSON = "no_person"
    MULTIPLE_PEOPLE = "multiple_people"
    UNSURE = "unsure"
    NOT_AN_IMAGE = "not_an_image"
    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    IMAGE_TOO_LARGE = "image_too_large"
    CORRUPT_IMAGE = "corrupt_image"
    TOO_MANY_REQUESTS = "too_many_requests"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


class Meaning(NamedTuple):
    """What a code means over HTTP.

    Attributes:
        status: HTTP status.
        text: the `error` text (empty for a success); `error_text` fills in `{...}`.
        retry: the same request may succeed later: the answer carries Retry-After.
    """

    status: int
    text: str
    retry: bool = False


MEANINGS: dict[Code, Meaning] = {
    Code.OK: Meaning(200, ""),
    Code.NO_PERSON: Meaning(200, "No person detected in image"),
    Code.MULTIPLE_PEOPLE: Meaning(200, "Multiple people detected ({person_count} people). Please use single-person images."),
    Code.UNSURE: Meaning(200, "The model is not sure enough to say; a clearer photo of the face may help."),
    Code.NOT_AN_IMAGE: Meaning(400, "File must be an image"),
    Code.BAD_REQUEST: Meaning(400, "The request is not valid"),
    Code.UNAUTHORIZED: Meaning(401, "This needs a valid API key"),
    Code.NOT_FOUND: Meaning(404, "There is nothing at this address"),
    Code.METHOD_NOT_ALLOWED: Meaning(405, "This address does not take that method"),
    Code.IMAGE_TOO_LARGE: Meaning(413, "The image is larger than the limit"),
    Code.CORRUPT_IMAGE: Meaning(422, "The image is damaged and cannot be read whole"),
    Code.TOO_MANY_REQUESTS: Meaning(429, "These are more photos than this client may send at a time. Please try again.", retry=True),
    Code.OVERLOADED: Meaning(503, "The service is busy or warming up. Nothing was lost, please try again.", retry=True),
    Code.TIMEOUT: Meaning(504, "No answer within the time limit. Please try again."),
    Code.INTERNAL: Meaning(500, "Something went wrong on our side. The log has the request id."),
}


def error_text(code: Code, person_count: int = 0) -> str | None:
    """The `error` text of a code; None for a success."""
    return MEANINGS[code].text.format(person_count=person_count) or None
