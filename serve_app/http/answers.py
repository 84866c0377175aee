"""The JSON bodies of the HTTP contract: answers, faults, health. The table of codes is in `codes`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from serve_app import __version__
from serve_app.codes import MEANINGS, Code, error_text

if TYPE_CHECKING:  # numpy and Pillow come with it, which HTTP does without
    from serve_app.graph.messages import Descriptions, GraphOutcome
    from serve_app.vision.outcome import Outcome

Box = Annotated[
    tuple[float, float, float, float],
    Field(description="[x0, y0, x1, y1] relative to the upright image, 0 to 1"),
]


ALIVE = "alive"
HEALTHY = "healthy"
UNAVAILABLE = "unavailable"


class Body(BaseModel):
    """Base of all bodies: immutable, with exactly the keys that it names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(Body):
    """A person that passes the person rule."""

    box: Box
    score: float = Field(description="The detector's score, 0 to 1", ge=0, le=1)


class AnsweredPerson(Person):
    """One of the largest people, where each was asked for: the same keys as an answer about one person has."""

    code: Code = Field(description='"ok" or "unsure"')
    prediction: str | None = Field(description='"male" or "female"; null unless the code is "ok"')
    confidence: float = Field(description="Calibrated probability of the prediction; 0.0 without one", ge=0, le=1)
    probabilities: dict[str, float] = Field(description="Calibrated probability of each label")
    error: str | None = Field(description="Why there is no prediction, for people; null on success")


class ModelRevisions(Body):
    """The two models that made an answer, each as `name@revision`."""

    detector: str
    classifier: str


class Answer(Body):
    """The answer about one photo: a prediction, or the reason why there is none.

    `prediction` is a guess at the gender presentation that the pixels suggest; it says nothing about anyone's identity.
    """

    prediction: str | None = Field(description='"male" or "female"; null unless the code is "ok" and the answer is about one person')
    confidence: float = Field(description="Calibrated probability of the prediction; 0.0 without one", ge=0, le=1)
    person_count: int = Field(description="People in the photo that pass the person rule", ge=0)
    probabilities: dict[str, float] | None = Field(
        description='Calibrated probability of each label, with the codes "ok" and "unsure", about one person; otherwise null'
    )
    error: str | None = Field(description="Why there is no prediction, for people; null on success")
    code: Code = Field(description="The outcome, for programs")
    people: list[AnsweredPerson | Person] = Field(
        description="Exactly the people that were counted; with `people=each` the largest first, and the first of them with an answer each"
    )
    request_id: str
    model: ModelRevisions | None = Field(description="The models that answered; null when none was asked")

    @classmethod
    def of(cls, outcome: "GraphOutcome", request_id: str) -> Self:
        """The answer that tells an outcome of the graph."""
        models = outcome.detector and outcome.classifier and ModelRevisions(detector=outcome.detector, classifier=outcome.classifier)
        return cls(
            prediction=outcome.prediction,
            confidence=outcome.confidence,
            person_count=len(outcome.people),
            probabilities=outcome.probabilities,
            error=error_text(outcome.code, len(outcome.people)),
            code=outcome.code,
            people=_people(outcome),
            request_id=request_id,
            model=models or None,
        )

    @classmethod
    def refusal(cls, code: Code, request_id: str, people: Sequence[Person] | None = None, model: ModelRevisions | None = None) -> Self:
        """An answer without a prediction."""
        people = list(people or [])
        return cls(
            prediction=None,
            confidence=0.0,
            person_count=len(people),
            probabilities=None,
            error=error_text(code, len(people)),
            code=code,
            people=people,
            request_id=request_id,
            model=model,
        )


class Explanation(Body):
    """What the answer about one person hangs on, by occlusion: a heat map over the person's box, `people[0].box`.

    It shows what the model looks at, and not why people look as they do.
    """

    label: str = Field(description="The more probable label")
    base: float = Field(description="Its log-odds, log(p / (1 - p)), of the whole person")
    changes: list[list[float]] = Field(
        description="By row from the top and column from the left, by how much its log-odds fall when this part of the box is hidden: "
        "positive where the part speaks for the label"
    )


class ExplainedAnswer(Answer):
    """An `Answer`, and what it hangs on; null where it is not about exactly one person."""

    explanation: Explanation | None

    @classmethod
    def of(cls, outcome: "GraphOutcome", request_id: str) -> Self:
        """The answer that tells an outcome of the graph."""
        told = outcome.explanation
        explanation = told and Explanation(label=told.label, base=told.base, changes=told.changes)
        return cls(**dict(Answer.of(outcome, request_id)), explanation=explanation)


def _people(outcome: "GraphOutcome") -> list[AnsweredPerson | Person]:
    others = outcome.people[len(outcome.each) :]
    return [*map(_answered, outcome.each), *(Person(box=person.box, score=person.score) for person in others)]


def _answered(outcome: "Outcome") -> AnsweredPerson:
    (person,) = outcome.people
    return AnsweredPerson(
        box=person.box,
        score=person.score,
        code=outcome.code,
        prediction=outcome.prediction,
        confidence=outcome.confidence,
        probabilities=outcome.probabilities or {},
        error=error_text(outcome.code),
    )


class BatchItem(Answer):
    """An `Answer` of a batch, with the name of its file as sent."""

    filename: str


class StreamItem(BatchItem):
    """A line of a stream: the `BatchItem` of the file that was sent as the `index`th, from 0."""

    index: int = Field(ge=0)


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
    faults: dict[str, str] = Field(description="Per model, why what is configured is not in use; empty when all is well")

    @classmethod
    def of(cls, models: "Descriptions") -> Self:
        """The health of a graph with these models."""
        classifier_loaded, detector_loaded = models["classifier"] is not None, models["detector"] is not None
        return cls(
            status=HEALTHY if classifier_loaded and detector_loaded else UNAVAILABLE,
            model_loaded=classifier_loaded,
            processor_loaded=classifier_loaded,
            detector_loaded=detector_loaded,
            version=__version__,
            models={role: model and ModelInfo(name=model.name, revision=model.revision) for role, model in models.items()},
            faults={role: model.fault for role, model in models.items() if model and model.fault},
        )


class Liveness(Body):
    """What GET /live says while the process is up."""

    status: str = Field(description=f'"{ALIVE}"')


class Welcome(Body):
    """What GET / says to a program."""

    message: str
    status: str
    version: str
