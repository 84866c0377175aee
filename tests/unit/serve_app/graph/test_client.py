"""The way of a photo through the graph, with deployments that do as they are told."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError
from ray.serve.exceptions import BackPressureError

from serve_app.codes import Code
from serve_app.graph.client import GraphClient
from serve_app.graph.messages import Classification, Detection, ModelDescription, OtherCropWanted
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from serve_app.vision.people import DetectedPerson
from tests.support.handles import Call, Handle, Method

SPEC = CropSpec(margin=0.0, aspect=1.0, size=8)
PERSON = DetectedPerson((0.1, 0.1, 0.9, 0.9), 0.8)
CROP = np.zeros((8, 8, 3), dtype=np.uint8)


class Detector(Handle):
    def __init__(self, *detections: Any) -> None:
        self.detect = Method(*detections)
        self.describe = Method(ModelDescription("detector", "1"))


class Classifier(Handle):
    def __init__(self, *classifications: Any) -> None:
        self.classify = Method(*classifications)
        self.describe = Method(ModelDescription("classifier", "1", SPEC))


class Deaths:
    """Photos that do not survive their first tries: how many of them, by photo."""

    def __init__(self, tries: dict[bytes, int]) -> None:
        self._left = Counter(tries)

    def __call__(self, image: bytes) -> bool:
        self._left[image] -= 1
        return self._left[image] >= 0


EVER = 1000


class Replica(Method):
    """The only replica: photos spend a few turns of the loop on it, and when it dies all that it holds die with it.

    Args:
        dies: whether it dies of this try of a photo.
    """

    def __init__(self, dies: Callable[[bytes], bool]) -> None:
        super().__init__(None)
        self._dies = dies
        self._dead = asyncio.Event()
        self.holds: list[bytes] = []
        self.company: list[set[bytes]] = []
        """For each death, who was there."""

    def remote(self, *args: Any) -> Call:
        call = super().remote(*args)
        call._answer = lambda: self._detect(args[0])  # type: ignore[method-assign]
        return call

    async def _detect(self, image: bytes) -> Detection:
        dead = self._dead
        self.holds.append(image)
        dies = self._dies(image)
        for _ in range(5 if dies else 20):
            await asyncio.sleep(0)
        if dies and not dead.is_set():
            self.company.append(set(self.holds))
            dead.set()
            self._dead, self.holds = asyncio.Event(), []
        if dead.is_set():
            raise DIED
        self.holds.remove(image)
        return detection()


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


def grpc_error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


MakeClient = Callable[..., GraphClient]


@pytest.fixture(autouse=True)
def no_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.graph.client.WATCH_S", 0.0)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def make_client(metrics: Metrics) -> MakeClient:
    def make(detector: Detector, classifier: Classifier, *, asleep: bool = False, **settings: Any) -> GraphClient:
        async def is_asleep() -> bool:
            return asleep

        return GraphClient(detector, classifier, Settings(_env_file=None, **settings), metrics, is_asleep)  # type: ignore[arg-type] # stand-ins

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
    monkeypatch.setattr("serve_app.graph.client.WARM_UP_WAIT_S", 0.05)
    classifier = Classifier(CLASSIFIED)
    classifier.describe = Method(asyncio.Event())
    assert (await make_client(Detector(detection()), classifier).predict(b"photo", "id")).code is Code.OVERLOADED


async def test_a_dead_replica_costs_one_retry(make_client: MakeClient, metrics: Metrics) -> None:
    answer = await make_client(Detector(DIED, detection()), Classifier(DIED, CLASSIFIED)).predict(b"photo", "id")
    assert answer.code is Code.OK
    assert metrics.retries == 2


@pytest.mark.parametrize(
    "died",
    [
        ActorDiedError(),
        ActorUnavailableError("gone", None),
        grpc_error(grpc.StatusCode.UNAVAILABLE),
        ObjectLostError("00", None, ""),
    ],
    ids=["by reference", "over gRPC", "gRPC itself", "its result is gone"],
)
async def test_a_death_is_known_by_either_transport(make_client: MakeClient, died: Exception) -> None:
    assert (await make_client(Detector(died, detection()), Classifier(died, CLASSIFIED)).predict(b"photo", "id")).code is Code.OK


async def test_other_faults_of_the_transport_are_not_tried_again(make_client: MakeClient, metrics: Metrics) -> None:
    too_large = grpc_error(grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert (await make_client(Detector(too_large, detection()), Classifier(CLASSIFIED)).predict(b"photo", "id")).code is Code.INTERNAL
    assert metrics.retries == 0


async def test_a_photo_that_kills_is_refused_after_two_deaths_alone_and_at_once_from_then_on(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.WARM_UP_WAIT_S", 0.05)
    detector = Detector()
    replica = detector.detect = Replica(Deaths({b"killer": EVER}))
    client = make_client(detector, Classifier(CLASSIFIED))
    assert (await client.predict(b"killer", "id")).code is Code.CORRUPT_IMAGE
    assert len(replica.company) == 4
    detector.describe = Method(asyncio.Event())  # its last victim is not replaced yet
    assert (await client.predict(b"killer", "id")).code is Code.CORRUPT_IMAGE
    assert len(replica.company) == 4
    detector.describe = Method(ModelDescription("detector", "1"))
    await client.health()
    assert (await client.predict(b"photo", "id")).code is Code.OK


async def test_neighbours_of_photos_that_kill_are_answered(make_client: MakeClient) -> None:
    detector = Detector()
    replica = detector.detect = Replica(Deaths({b"killer": EVER, b"another": EVER}))
    client = make_client(detector, Classifier(CLASSIFIED))
    await client.predict(b"the first asks for the crops", "id")
    images = [b"a", b"b", b"killer", b"c", b"another", b"d"]
    answers = await asyncio.gather(*(client.predict(image, "id") for image in images))
    corrupt = [image for image, answer in zip(images, answers, strict=True) if answer.code is Code.CORRUPT_IMAGE]
    assert corrupt == [b"killer", b"another"]
    assert {answer.code for answer in answers} == {Code.OK, Code.CORRUPT_IMAGE}
    assert replica.company.count({b"killer"}) == replica.company.count({b"another"}) == 2


async def test_photos_that_were_on_a_replica_when_somebody_killed_it_are_all_tried_again_together(make_client: MakeClient) -> None:
    detector = Detector()
    images = [bytes([number]) for number in range(30)]
    replica = detector.detect = Replica(Deaths({images[7]: 1}))
    client = make_client(detector, Classifier(CLASSIFIED))
    await client.predict(b"the first asks for the crops", "id")
    answers = await asyncio.gather(*(client.predict(image, "id") for image in images))
    assert {answer.code for answer in answers} == {Code.OK}
    assert replica.company == [set(images)]
    assert Counter(image for image, _ in replica.calls[1:]) == dict.fromkeys(images, 2)  # no control, nobody alone


async def test_a_newcomer_that_kills_is_not_taken_for_the_photo_that_is_tried_alone(make_client: MakeClient) -> None:
    detector = Detector()
    replica = detector.detect = Replica(Deaths({b"suspect": 2, b"killer": EVER}))
    client = make_client(detector, Classifier(CLASSIFIED))
    suspect = asyncio.create_task(client.predict(b"suspect", "id"))
    await replica.has_calls(4)  # in company, again, the control, alone
    await asyncio.sleep(0)
    assert replica.holds == [b"suspect"]
    killer = asyncio.create_task(client.predict(b"killer", "id"))
    assert ((await suspect).code, (await killer).code) == (Code.OK, Code.CORRUPT_IMAGE)


async def test_a_photo_is_innocent_when_others_die_without_it(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.graph.client.WATCH_S", 0.5)
    others = [b"other %d" % number for number in range(10_000)]
    detector = Detector()
    detector.detect = Replica(Deaths({b"suspect": 5} | dict.fromkeys(others, 1)))
    client = make_client(detector, Classifier(CLASSIFIED), max_photos_in_flight=10_000)
    suspect = asyncio.create_task(client.predict(b"suspect", "id"))
    while not suspect.done():
        assert (await client.predict(others.pop(), "id")).code is Code.OK
    assert (await suspect).code is Code.OK


async def test_when_every_photo_is_deadly_none_is_to_blame(make_client: MakeClient, metrics: Metrics) -> None:
    """Retries are a tenth of the traffic then, after a burst: the load is not doubled."""
    detector = Detector()
    detector.detect = Replica(lambda image: True)
    client = make_client(detector, Classifier(CLASSIFIED), max_photos_in_flight=10)
    answers = [await client.predict(b"%d" % number, "id") for number in range(100)]
    assert {answer.code for answer in answers} == {Code.OVERLOADED}
    assert 10 <= metrics.retries <= 10 + 100 * 0.1


async def test_without_a_replica_new_photos_are_told_to_come_back_and_those_that_were_on_it_wait(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.WARM_UP_WAIT_S", 0.05)
    detector = Detector(DIED, detection())
    client = make_client(detector, Classifier(CLASSIFIED))
    assert (await client.health()).status == "healthy"
    restarted = asyncio.Event()
    detector.describe = Method(restarted)
    waits = asyncio.create_task(client.predict(b"photo", "id"))
    await detector.describe.has_calls(1)
    assert (await client.predict(b"another", "id")).code is Code.OVERLOADED
    restarted.set()
    assert (await waits).code is Code.OK
    assert (await client.predict(b"another", "id")).code is Code.OK


@pytest.mark.parametrize("dies", ["detector", "classifier"])
async def test_a_replica_that_does_not_come_back_within_the_deadline_is_overload(make_client: MakeClient, dies: str) -> None:
    detector, classifier = Detector(detection()), Classifier(CLASSIFIED)
    client = make_client(detector, classifier, request_deadline_s=0.05)
    assert (await client.predict(b"photo", "id")).code is Code.OK
    {"detector": detector, "classifier": classifier}[dies].describe = Method(asyncio.Event())  # type: ignore[attr-defined]
    detector.detect = Method(DIED if dies == "detector" else detection())
    classifier.classify = Method(DIED)
    assert (await client.predict(b"photo", "id")).code is Code.OVERLOADED


async def test_a_call_without_an_answer_raises_the_question_whether_anybody_is_there(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.replicas.PATIENCE_S", 0.01)
    detector, classifier = Detector(asyncio.Event()), Classifier(CLASSIFIED)
    client = make_client(detector, classifier, request_deadline_s=0.1)
    await client.health()
    assert (await client.predict(b"photo", "id")).code is Code.TIMEOUT  # somebody is there, and slow
    detector.describe = Method(asyncio.Event())
    assert (await client.predict(b"photo", "id")).code is Code.OVERLOADED


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


async def test_health_wakes_nobody(make_client: MakeClient) -> None:
    detector, classifier = Detector(detection()), Classifier(CLASSIFIED)
    health = await make_client(detector, classifier, asleep=True).health()
    assert (health.status, health.model_loaded, health.detector_loaded) == ("unavailable", False, False)
    assert detector.describe.calls == classifier.describe.calls == []


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
    monkeypatch.setattr("serve_app.graph.client.HEALTH_WAIT_S", 0.05)
    detector, classifier = Detector(detection()), Classifier(CLASSIFIED)
    {"detector": detector, "classifier": classifier}[silent].describe = Method(asyncio.Event())  # type: ignore[attr-defined]
    health = await make_client(detector, classifier).health()
    assert health.status == "unavailable"
    assert (health.detector_loaded, health.model_loaded) == (silent != "detector", silent != "classifier")


async def test_a_graph_too_busy_to_describe_itself_is_healthy_while_it_answers(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.HEALTH_WAIT_S", 0.05)
    detector = Detector(detection())
    client = make_client(detector, Classifier(CLASSIFIED))
    assert (await client.health()).status == "healthy"
    detector.describe = Method(asyncio.Event())
    assert (await client.health()).status == "unavailable"
    await client.predict(b"photo", "id")
    assert (await client.health()).status == "healthy"
