"""What the service answers. The tests compare these with its OpenAPI document."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Code(StrEnum):
    """The codes of answers and faults that this version knows."""

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


AnyCode = Annotated[Code | str, Field(union_mode="left_to_right")]
"""A code; of a newer service perhaps one that this version does not know."""


FAULTS: dict[str, int] = {
    Code.NOT_AN_IMAGE: 400,
    Code.BAD_REQUEST: 400,
    Code.UNAUTHORIZED: 401,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.IMAGE_TOO_LARGE: 413,
    Code.CORRUPT_IMAGE: 422,
    Code.TOO_MANY_REQUESTS: 429,
    Code.INTERNAL: 500,
    Code.OVERLOADED: 503,
    Code.TIMEOUT: 504,
}
"""The codes that are no answers, each with its HTTP status: of the items of a batch or a stream they are the only sign of a fault."""


class Body(BaseModel):
    """Base of all bodies: immutable; what a newer service adds is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Person(Body):
    """A person that was counted.

    Attributes:
        box: [x0, y0, x1, y1] relative to the upright image, 0 to 1.
        score: the detector's, 0 to 1.
    """

    box: tuple[float, float, float, float]
    score: float


class AnsweredPerson(Person):
    """A person with an answer of their own, where each was asked for: see `Answer`."""

    code: AnyCode
    prediction: str | None
    confidence: float
    probabilities: dict[str, float]
    error: str | None


class ModelRevisions(Body):
    """The two models that made an answer, each as `name@revision`."""

    detector: str
    classifier: str


class Answer(Body):
    """The answer about one photo: a prediction, or the reason why there is none.

    Attributes:
        prediction: "male" or "female"; None unless the code is OK.
        confidence: calibrated probability of the prediction; 0.0 without one.
        probabilities: of each label, with the codes OK and UNSURE; otherwise None.
        error: why there is no prediction, for people.
        code: for programs; a text when a newer service has a code that this version does not know.
        people: exactly those that were counted.
        model: None when no model was asked.
    """

    prediction: str | None
    confidence: float
    person_count: int
    probabilities: dict[str, float] | None
    error: str | None
    code: AnyCode
    people: list[AnsweredPerson | Person]
    request_id: str
    model: ModelRevisions | None


class Explanation(Body):
    """What the answer about one person hangs on: a heat map over `people[0].box`.

    Attributes:
        label: the more probable label.
        base: its log-odds, of the whole person.
        changes: by row from the top and column from the left, by how much its log-odds fall when this part of the box is hidden.
    """

    label: str
    base: float
    changes: list[list[float]]


class ExplainedAnswer(Answer):
    """An `Answer`, and what it hangs on; None where it is not about exactly one person."""

    explanation: Explanation | None


class BatchItem(Answer):
    """An `Answer` of a batch, with the name of its file."""

    filename: str


class StreamItem(BatchItem):
    """A line of a stream: the `BatchItem` of the file that was sent as the `index`th, from 0."""

    index: int


class BatchAnswer(Body):
    """The answers of a batch, in the order sent."""

    results: list[BatchItem]


class Fault(Body):
    """A fault of the request or of the service."""

    error: str
    detail: str
    code: AnyCode
    request_id: str


class ModelInfo(Body):
    """A loaded model."""

    name: str
    revision: str


class Health(Body):
    """Whether the service can answer, and with which models.

    Attributes:
        status: "healthy" or "unavailable".
        models: `detector` and `classifier`; None while not loaded.
        faults: per model, why the configured one could not be loaded.
    """

    status: str
    model_loaded: bool
    processor_loaded: bool
    detector_loaded: bool
    version: str
    models: dict[str, ModelInfo | None]
    faults: dict[str, str]
