"""The way of a photo through the graph, with deployments that do as they are told."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ray.exceptions import ActorDiedError
from ray.serve.exceptions import BackPressureError

from serve_app.codes import Code
from serve_app.cropping import CropSpec
from serve_app.gate import DetectedPerson
from serve_app.graph import Classification, Detection, ModelDescription, OtherCropWanted
from serve_app.graph_client import GraphClient
from serve_app.settings import Settings

SPEC = CropSpec(margin=0.0, aspect=1.0, size=8)
PERSON = DetectedPerson((0.1, 0.1, 0.9, 0.9), 0.8)
CROP = np.zeros((8, 8, 3), dtype=np.uint8)


class Call:
    """A pending call of a deployment, as `handle.method.remote()` returns it."""

    def __init__(self, outcome: Any) -> None:
        self._outcome = outcome
        self.cancelled = False

    def __await__(self) -> Any:
        return self._answer().__await__()

    async def _answer(self) -> Any:
        if isinstance(self._outcome, asyncio.Event):
            await self._outcome.wait()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome

    def cancel(self) -> None:
        self.cancelled = True


class Method:
    """A method of a deployment: gives its outcomes one after the other, the last one for ever."""

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[tuple[Any, ...]] = []
        self.pending: list[Call] = []

    def remote(self, *args: Any) -> Call:
        self.calls.append(args)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        self.pending.append(Call(outcome(*args) if callable(outcome) else outcome))
        return self.pending[-1]


class Detector:
    def __init__(self, *detections: Any) -> None:
        self.detect = Method(*detections)
        self.describe = Method(ModelDescription("detector", "1"))


class Classifier:
    def __init__(self, *classifications: Any) -> None:
        self.classify = Method(*classifications)
        self.describe = Method(ModelDescription("classifier", "1", SPEC))


class Metrics:
    def __init__(self) -> None:
        self.answers: list[tuple[str, str | None]] = []
        self.retries = 0

    def answered(self, code: str, label: str | None, confidence: float, stages: dict[str, float]) -> None:
        assert "total" in stages
        self.answers.append((code, label))

    def retried(self) -> None:
        self.retries += 1


def detection(code: Code = Code.OK, people: int = 1) -> Detection:
    return Detection(code, [PERSON] * people, CROP if code is Code.OK else None, "detector@1")


CLASSIFIED = Classification({"male": 0.25, "female": 0.75}, "classifier@1")
DIED = ActorDiedError()

MakeClient = Callable[..., GraphClient]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def make_client(metrics: Metrics) -> MakeClient:
    def make(detector: Detector, classifier: Classifier, **settings: Any) -> GraphClient:
        return GraphClient(detector, classifier, Settings(_env_file=None, **settings), metrics)  # type: ignore[arg-type] # stand-ins

    return make


async def test_one_person_is_classified(make_client: MakeClient, metrics: Metrics) -> None:
    answer = await make_client(Detector(detection()), Classifier(CLASSIFIED)).predict(b"photo", "id")
    assert (answer.code, answer.prediction, answer.confidence, answer.person_count) == (Code.OK, "female", 0.75, 1)
    assert answer.probabilities == {"male": 0.25, "female": 0.75}
    assert answer.people[0].box == PERSON.box
    assert answer.model is not None
    assert (answer.model.detector, answer.model.classifier) == ("detector@1", "classifier@1")
    assert (answer.error, answer.request_id) == (None, "id")
    assert metrics.answers == [("ok", "female")]


@pytest.mark.parametrize(
    ("code", "people"), [(Code.NO_PERSON, 0), (Code.MULTIPLE_PEOPLE, 3), (Code.NOT_AN_IMAGE, 0), (Code.CORRUPT_IMAGE, 0)]
)
async def test_a_refusal_ends_the_way_before_the_classifier(make_client: MakeClient, code: Code, people: int) -> None:
    classifier = Classifier(CLASSIFIED)
    answer = await make_client(Detector(detection(code, people)), classifier).predict(b"photo", "id")
    assert (answer.code, answer.prediction, answer.confidence, answer.probabilities) == (code, None, 0.0, None)
    assert answer.person_count == len(answer.people) == people
    assert answer.error
    assert classifier.classify.calls == []


async def test_a_failing_detector_is_a_fault_never_one_person(make_client: MakeClient) -> None:
    classifier = Classifier(CLASSIFIED)
    answer = await make_client(Detector(RuntimeError("no model")), classifier).predict(b"photo", "id")
    assert answer.code is Code.INTERNAL
    assert classifier.classify.calls == []


async def test_a_failing_classifier_is_a_fault(make_client: MakeClient) -> None:
    answer = await make_client(Detector(detection()), Classifier(RuntimeError("nan"))).predict(b"photo", "id")
    assert answer.code is Code.INTERNAL


async def test_full_queues_are_overload(make_client: MakeClient) -> None:
    full = BackPressureError(num_queued_requests=1, max_queued_requests=1)
    assert (await make_client(Detector(full), Classifier(CLASSIFIED)).predict(b"photo", "id")).code is Code.OVERLOADED
    assert (await make_client(Detector(detection()), Classifier(full)).predict(b"photo", "id")).code is Code.OVERLOADED


async def test_the_deadline_ends_the_wait_and_tells_the_replica(make_client: MakeClient) -> None:
    detector = Detector(asyncio.Event())
    answer = await make_client(detector, Classifier(CLASSIFIED), request_deadline_s=0.05).predict(b"photo", "id")
    assert answer.code is Code.TIMEOUT
    assert detector.detect.pending[0].cancelled


async def test_models_that_are_not_there_yet_are_overload(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.graph_client.WARM_UP_WAIT_S", 0.05)
    classifier = Classifier(CLASSIFIED)
    classifier.describe = Method(asyncio.Event())
    assert (await make_client(Detector(detection()), classifier).predict(b"photo", "id")).code is Code.OVERLOADED


async def test_a_dead_replica_costs_one_retry(make_client: MakeClient, metrics: Metrics) -> None:
    answer = await make_client(Detector(DIED, detection()), Classifier(DIED, CLASSIFIED)).predict(b"photo", "id")
    assert answer.code is Code.OK
    assert metrics.retries == 2


async def test_a_photo_that_kills_twice_is_refused_at_once_from_then_on(make_client: MakeClient) -> None:
    detector = Detector(lambda image, spec: DIED if image == b"killer" else detection())
    client = make_client(detector, Classifier(CLASSIFIED))
    assert (await client.predict(b"killer", "id")).code is Code.CORRUPT_IMAGE
    assert len(detector.detect.calls) == 2
    assert (await client.predict(b"killer", "id")).code is Code.CORRUPT_IMAGE
    assert len(detector.detect.calls) == 2
    assert (await client.predict(b"photo", "id")).code is Code.OK


async def test_neighbours_of_a_photo_that_kills_are_answered(make_client: MakeClient) -> None:
    """The replica dies under everything that is in flight with the killer; each try fails whoever is at it."""
    in_flight: set[bytes] = set()

    class Replica(Method):
        def remote(self, *args: Any) -> Call:
            call = super().remote(*args)
            call._outcome = None
            call._answer = self.work(args[0])  # type: ignore[method-assign]
            return call

        async def _work(self, image: bytes) -> Detection:
            in_flight.add(image)
            try:
                for _ in range(5):
                    await asyncio.sleep(0)
                    if b"killer" in in_flight:
                        raise DIED
                return detection()
            finally:
                in_flight.discard(image)

        def work(self, image: bytes) -> Callable[[], Any]:
            return lambda: self._work(image)

    detector = Detector(detection())
    detector.detect = Replica(detection())
    client = make_client(detector, Classifier(CLASSIFIED))
    images = [b"a", b"b", b"killer", b"c", b"d"]
    answers = await asyncio.gather(*(client.predict(image, "id") for image in images))
    assert [answer.code for answer in answers] == [Code.OK, Code.OK, Code.CORRUPT_IMAGE, Code.OK, Code.OK]


async def test_an_exchanged_classifier_that_wants_other_crops_gets_them(make_client: MakeClient) -> None:
    other = CropSpec(margin=0.2, aspect=2.0, size=16)
    detector = Detector(detection())
    client = make_client(detector, Classifier(OtherCropWanted(other), Classification({"male": 1.0, "female": 0.0}, "classifier@2")))
    answer = await client.predict(b"photo", "id")
    assert answer.model is not None
    assert answer.model.classifier == "classifier@2"
    assert [spec for _, spec in detector.detect.calls] == [SPEC, other]
    await client.predict(b"photo", "id")
    assert detector.detect.calls[-1] == (b"photo", other)


async def test_health_names_the_models(make_client: MakeClient) -> None:
    health = await make_client(Detector(detection()), Classifier(CLASSIFIED)).health()
    assert (health.status, health.model_loaded, health.processor_loaded, health.detector_loaded) == ("healthy", True, True, True)
    assert {role: (m and (m.name, m.revision)) for role, m in health.models.items()} == {
        "detector": ("detector", "1"),
        "classifier": ("classifier", "1"),
    }
    assert health.faults == {}


async def test_health_tells_why_a_model_was_not_taken_up(make_client: MakeClient) -> None:
    classifier = Classifier(CLASSIFIED)
    classifier.describe = Method(ModelDescription("classifier", "1", SPEC, fault="s3://x/: no such bucket"))
    health = await make_client(Detector(detection()), classifier).health()
    assert health.status == "healthy"
    assert health.faults == {"classifier": "s3://x/: no such bucket"}


@pytest.mark.parametrize("silent", ["detector", "classifier"])
async def test_without_one_of_the_models_the_service_is_not_healthy(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setattr("serve_app.graph_client.HEALTH_WAIT_S", 0.05)
    detector, classifier = Detector(detection()), Classifier(CLASSIFIED)
    {"detector": detector, "classifier": classifier}[silent].describe = Method(asyncio.Event())  # type: ignore[attr-defined]
    health = await make_client(detector, classifier).health()
    assert health.status == "unavailable"
    assert (health.detector_loaded, health.model_loaded) == (silent != "detector", silent != "classifier")


async def test_a_graph_too_busy_to_describe_itself_is_healthy_while_it_answers(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph_client.HEALTH_WAIT_S", 0.05)
    detector = Detector(detection())
    client = make_client(detector, Classifier(CLASSIFIED))
    assert (await client.health()).status == "healthy"
    detector.describe = Method(asyncio.Event())
    assert (await client.health()).status == "unavailable"
    await client.predict(b"photo", "id")
    assert (await client.health()).status == "healthy"
