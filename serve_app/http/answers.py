"""What the service answers, as JSON: the bodies of the HTTP contract."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from serve_app.codes import MEANINGS, Code, error_text

Box = Annotated[
    tuple[float, float, float, float],
    Field(description="[x0, y0, x1, y1] relative to the upright image, 0 to 1"),
]


HEALTHY = "healthy"
UNAVAILABLE = "unavailable"


class Body(BaseModel):
    """Base of all bodies: immutable, with exactly the keys that it names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(Body):
    """A person that passes the person rule."""

    box: Box
    score: float = Field(description="The detector's score, 0 to 1", ge=0, le=1)


class ModelRevisions(Body):
    """The two models that made an answer, each as `name@revision`."""

    detector: str
    classifier: str


class Answer(Body):
    """The answer about one photo: a prediction, or the reason why there is none.

    `prediction` is a guess at the gender presentation that the pixels suggest; it says nothing about anyone's identity.
    """

    prediction: str | None = Field(description='"male" or "female"; null when refused')
    confidence: float = Field(description="Calibrated probability of the prediction; 0.0 when refused", ge=0, le=1)
    person_count: int = Field(description="People in the photo that pass the person rule", ge=0)
    probabilities: dict[str, float] | None = Field(description="Calibrated probability of each label; null when refused")
    error: str | None = Field(description="Why there is no prediction, for people; null on success")
    code: Code = Field(description="The outcome, for programs")
    people: list[Person] = Field(description="Exactly the people that were counted")
    request_id: str
    model: ModelRevisions | None = Field(description="The models that answered; null when none was asked")

    @classmethod
    def refusal(
        cls,
        code: Code,
        request_id: str,
        *,
        people: list[Person] | None = None,
        model: ModelRevisions | None = None,
        text: str | None = None,
    ) -> Self:
        """An answer without a prediction; its text comes from the table of codes unless a more exact one is given."""
        people = people or []
        return cls(
            prediction=None,
            confidence=0.0,
            person_count=len(people),
            probabilities=None,
            error=text or error_text(code, len(people)),
            code=code,
            people=people,
            request_id=request_id,
            model=model,
        )


class BatchItem(Answer):
    """An `Answer` of a batch, with the name of its file as sent."""

    filename: str


class BatchAnswer(Body):
    """The answers of a batch, in the order sent."""

    results: list[BatchItem]


class Fault(Body):
    """A fault of the request or of the service (HTTP 4xx and 5xx). `detail` repeats `error` for the original's clients."""

    error: str
    detail: str
    code: Code
    request_id: str

    @classmethod
    def of(cls, code: Code, request_id: str, text: str | None = None) -> Self:
        """The fault of a code; its text comes from the table of codes unless a more exact one is given."""
        text = text or MEANINGS[code].text
        return cls(error=text, detail=text, code=code, request_id=request_id)


class ModelInfo(Body):
    """A loaded model."""

    name: str
    revision: str


class Health(Body):
    """Whether the graph can answer, and with which models."""

    status: str = Field(description=f'"{HEALTHY}" or "{UNAVAILABLE}"')
    model_loaded: bool = Field(description="The classifier's weights are loaded")
    processor_loaded: bool = Field(description="The classifier's preprocessing is loaded")
    detector_loaded: bool = Field(description="The person detector is loaded")
    version: str
    models: dict[str, ModelInfo | None] = Field(description="`detector` and `classifier`; null while not loaded")
    faults: dict[str, str] = Field(description="Per model, why the configured one could not be taken up; empty when all is well")


class Welcome(Body):
    """What GET / says to a program."""

    message: str
    status: str
    version: str
