"""A photo's path through the graph, with fake deployments."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import grpc
import numpy as np
import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError
from ray.serve.exceptions import BackPressureError

from serve_app.codes import Code
from serve_app.graph.client import HEALTH_TRUST_S, HEALTH_WAIT_S, STALLED_S, GraphClient
from serve_app.graph.messages import Classification, Detection, GraphOutcome, ModelDescription, OtherCropWanted
from serve_app.graph.replicas import Replicas
from serve_app.question import NO_CANDIDATE, Question, lot_of
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from serve_app.vision.drift import Bins
from serve_app.vision.outcome import Outcome
from serve_app.vision.people import DetectedPerson
from tests.support.handles import Call, Handle, Method

SPEC = CropSpec(margin=0.0, aspect=1.0, size=8)
PERSON = DetectedPerson((0.1, 0.1, 0.9, 0.9), 0.8)
CROP = np.zeros((8, 8, 3), dtype=np.uint8)
DETECTOR = ModelDescription("detector", "1")
CLASSIFIER = ModelDescription("classifier", "1", SPEC)


class Detector(Handle):
    def __init__(self, *detections: Any) -> None:
        self.detect = Method(*detections)
        self.describe = Method(DETECTOR)
        self.card = Method()


class Classifier(Handle):
    def __init__(self, *classifications: Any) -> None:
        self.classify = Method(*classifications)
        self.describe = Method(CLASSIFIER)
        self.card = Method()


class Deaths:
    """Photos that kill the replica on their first attempts; `tries` gives the number of attempts by photo."""

    def __init__(self, tries: dict[bytes, int]) -> None:
        self._left = Counter(tries)

    def __call__(self, image: bytes) -> bool:
        self._left[image] -= 1
        return self._left[image] >= 0


EVER = 1000


class Replica(Method):
    """The only replica: a photo takes a few iterations of the event loop, and when the replica dies, all photos on it are lost.

    Args:
        dies: whether this attempt at a photo kills the replica.
    """

    def __init__(self, dies: Callable[[bytes], bool]) -> None:
        super().__init__(None)
        self._dies = dies
        self._dead = asyncio.Event()
        self.holds: list[bytes] = []
        self.company: list[set[bytes]] = []
        """For each death, the photos that were on the replica."""
        self.most_held = 0

    def remote(self, *args: Any) -> Call:
        call = super().remote(*args)
        call._answer = lambda: self._detect(args[0])  # type: ignore[method-assign]
        return call

    async def _detect(self, image: bytes) -> Detection:
        dead = self._dead
        self.holds.append(image)
        self.most_held = max(self.most_held, len(self.holds))
        dies = self._dies(image)
        for _ in range(5 if dies else 20):
            if not dead.is_set():
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
        self.retries = 0
        self.bins: list[Bins] = []

    def seen(self, bins: Bins) -> None:
        self.bins.append(bins)

    def retried(self) -> None:
        self.retries += 1


def detection(code: Code = Code.OK, people: int = 1) -> Detection:
    return Detection(code, [PERSON] * people, [CROP] if code is Code.OK else [], "detector@1")


CLASSIFIED = Classification(Code.OK, {"male": 0.25, "female": 0.75}, "classifier@1")
DIED = ActorDiedError()


def grpc_error(code: grpc.StatusCode) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata())


MakeClient = Callable[..., GraphClient]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def make_client(metrics: Metrics) -> MakeClient:
    def make(detector: Detector, classifier: Classifier, *, scaled_to_zero: bool = False, **settings: Any) -> GraphClient:
        async def is_scaled_to_zero() -> bool:
            return scaled_to_zero

        models = Replicas(detector), Replicas(classifier)  # type: ignore[arg-type] # fakes
        return GraphClient(*models, Settings(_env_file=None, **settings), metrics, is_scaled_to_zero)  # type: ignore[arg-type] # a fake

    return make


async def test_one_person_is_classified(make_client: MakeClient) -> None:
    outcome = await make_client(Detector(detection()), Classifier(CLASSIFIED)).predict(b"photo", "id")
    assert outcome == GraphOutcome(Code.OK, [PERSON], {"male": 0.25, "female": 0.75}, "detector@1", "classifier@1")
    assert (outcome.prediction, outcome.confidence) == ("female", 0.75)
    assert "total" in outcome.stages


async def test_an_unsure_classifier_gives_probabilities_and_no_prediction(make_client: MakeClient) -> None:
    unsure = Classification(Code.UNSURE, {"male": 0.45, "female": 0.55}, "classifier@1")
    outcome = await make_client(Detector(detection()), Classifier(unsure)).predict(b"photo", "id")
    assert outcome == GraphOutcome(Code.UNSURE, [PERSON], {"male": 0.45, "female": 0.55}, "detector@1", "classifier@1")
    assert (outcome.prediction, outcome.confidence) == (None, 0.0)


@pytest.mark.parametrize(
    ("code", "people"), [(Code.NO_PERSON, 0), (Code.MULTIPLE_PEOPLE, 3), (Code.NOT_AN_IMAGE, 0), (Code.CORRUPT_IMAGE, 0)]
)
async def test_a_refusal_ends_the_way_before_the_classifier(make_client: MakeClient, code: Code, people: int) -> None:
    classifier = Classifier(CLASSIFIED)
    outcome = await make_client(Detector(detection(code, people)), classifier).predict(b"photo", "id")
    assert outcome == GraphOutcome(code, [PERSON] * people, None, "detector@1", "classifier@1")
    assert (outcome.prediction, outcome.confidence) == (None, 0.0)
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


async def test_a_photo_that_kills_is_corrupt_after_three_tries(make_client: MakeClient, metrics: Metrics) -> None:
    detector = Detector()
    replica = detector.detect = Replica(Deaths({b"killer": EVER}))
    client = make_client(detector, Classifier(CLASSIFIED))
    assert await client.predict(b"killer", "id") == GraphOutcome(Code.CORRUPT_IMAGE)
    assert len(replica.company) == len(replica.calls) == 3
    assert metrics.retries == 2
    assert (await client.predict(b"photo", "id")).code is Code.OK


async def test_a_photo_that_survives_its_last_try_is_answered(make_client: MakeClient) -> None:
    detector = Detector()
    replica = detector.detect = Replica(Deaths({b"photo": 2}))
    assert (await make_client(detector, Classifier(CLASSIFIED)).predict(b"photo", "id")).code is Code.OK
    assert len(replica.calls) == 3


async def test_neighbours_of_photos_that_kill_are_answered(make_client: MakeClient) -> None:
    detector = Detector()
    replica = detector.detect = Replica(Deaths({b"killer": EVER, b"another": EVER}))
    client = make_client(detector, Classifier(CLASSIFIED))
    await client.predict(b"the first asks for the crops", "id")
    images = [b"a", b"b", b"killer", b"c", b"another", b"d"]
    outcomes = await asyncio.gather(*(client.predict(image, "id") for image in images))
    corrupt = [image for image, outcome in zip(images, outcomes, strict=True) if outcome.code is Code.CORRUPT_IMAGE]
    assert corrupt == [b"killer", b"another"]
    assert {outcome.code for outcome in outcomes} == {Code.OK, Code.CORRUPT_IMAGE}
    assert replica.company == [set(images), set(images), {b"killer"}, {b"another"}]


async def test_photos_that_were_on_a_replica_when_somebody_killed_it_are_all_tried_again_together(make_client: MakeClient) -> None:
    detector = Detector()
    images = [bytes([number]) for number in range(30)]
    replica = detector.detect = Replica(Deaths({images[7]: 1}))
    client = make_client(detector, Classifier(CLASSIFIED))
    await client.predict(b"the first asks for the crops", "id")
    outcomes = await asyncio.gather(*(client.predict(image, "id") for image in images))
    assert {outcome.code for outcome in outcomes} == {Code.OK}
    assert replica.company == [set(images)]
    assert Counter(image for image, *_ in replica.calls[1:]) == dict.fromkeys(images, 2)
    assert replica.most_held == len(images)


async def test_newcomers_during_the_last_try_of_a_photo_that_kills_are_answered(make_client: MakeClient) -> None:
    detector = Detector()
    replica = detector.detect = Replica(Deaths({b"killer": EVER}))
    client = make_client(detector, Classifier(CLASSIFIED))
    killer = asyncio.create_task(client.predict(b"killer", "id"))
    await replica.has_calls(3)
    newcomer = asyncio.create_task(client.predict(b"newcomer", "id"))
    assert ((await killer).code, (await newcomer).code) == (Code.CORRUPT_IMAGE, Code.OK)
    assert replica.company[-1] == {b"killer", b"newcomer"}


async def test_when_every_photo_kills_retries_are_a_tenth_of_the_traffic_after_a_burst(make_client: MakeClient, metrics: Metrics) -> None:
    detector = Detector()
    detector.detect = Replica(lambda image: True)
    client = make_client(detector, Classifier(CLASSIFIED), max_photos_in_flight=10)
    codes = Counter([(await client.predict(b"%d" % number, "id")).code for number in range(100)])
    assert 10 <= metrics.retries <= 10 + 100 * 0.1
    assert codes == {Code.CORRUPT_IMAGE: 5, Code.OVERLOADED: 95}  # the burst covers five photos with two retries each


async def test_without_a_replica_new_photos_are_told_to_come_back_and_those_that_were_on_it_wait(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.WARM_UP_WAIT_S", 0.05)
    detector = Detector(DIED, detection())
    client = make_client(detector, Classifier(CLASSIFIED))
    await client.health()
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
    assert (await client.predict(b"photo", "id")).code is Code.TIMEOUT  # a replica is there, but slow
    detector.describe = Method(asyncio.Event())
    assert (await client.predict(b"photo", "id")).code is Code.OVERLOADED


async def test_an_exchanged_classifier_that_wants_other_crops_gets_them(make_client: MakeClient) -> None:
    other = CropSpec(margin=0.2, aspect=2.0, size=16)
    detector = Detector(detection())
    client = make_client(
        detector, Classifier(OtherCropWanted(other), Classification(Code.OK, {"male": 1.0, "female": 0.0}, "classifier@2"))
    )
    assert (await client.predict(b"photo", "id")).classifier == "classifier@2"
    assert [spec for _, spec, _ in detector.detect.calls] == [SPEC, other]
    await client.predict(b"photo", "id")
    assert detector.detect.calls[-1] == (b"photo", other, Question())


async def test_each_person_gets_an_answer_and_those_beyond_the_limit_none(make_client: MakeClient) -> None:
    third = DetectedPerson((0.8, 0.1, 0.9, 0.9), 0.7)
    found = Detection(Code.OK, [PERSON, PERSON, third], [CROP, CROP], "detector@1")
    unsure = Classification(Code.UNSURE, {"male": 0.5, "female": 0.5}, "classifier@1")
    detector = Detector(found)
    outcome = await make_client(detector, Classifier(CLASSIFIED, unsure)).predict(b"photo", "id", Question(most_people=2))
    assert (outcome.code, outcome.prediction, outcome.confidence, outcome.probabilities) == (Code.OK, None, 0.0, None)
    assert outcome.people == [PERSON, PERSON, third]
    assert outcome.each == [Outcome(Code.OK, [PERSON], CLASSIFIED.probabilities), Outcome(Code.UNSURE, [PERSON], unsure.probabilities)]
    assert detector.detect.calls == [(b"photo", SPEC, Question(most_people=2))]


async def test_when_none_of_several_has_a_prediction_the_photo_is_unsure(make_client: MakeClient) -> None:
    unsure = Classification(Code.UNSURE, {"male": 0.5, "female": 0.5}, "classifier@1")
    detector = Detector(Detection(Code.OK, [PERSON] * 2, [CROP] * 2, "detector@1"))
    assert (await make_client(detector, Classifier(unsure)).predict(b"photo", "id", Question(most_people=10))).code is Code.UNSURE


async def test_each_of_one_person_is_the_answer_itself(make_client: MakeClient) -> None:
    outcome = await make_client(Detector(detection()), Classifier(CLASSIFIED)).predict(b"photo", "id", Question(most_people=10))
    assert (outcome.code, outcome.prediction, outcome.probabilities) == (Code.OK, "female", CLASSIFIED.probabilities)
    assert outcome.each == [Outcome(Code.OK, [PERSON], CLASSIFIED.probabilities)]


async def test_an_answer_about_several_people_is_of_one_classifier(make_client: MakeClient) -> None:
    newer = Classification(Code.OK, {"male": 1.0, "female": 0.0}, "classifier@2")
    detector = Detector(Detection(Code.OK, [PERSON] * 2, [CROP] * 2, "detector@1"))
    outcome = await make_client(detector, Classifier(CLASSIFIED, newer)).predict(b"photo", "id", Question(most_people=10))
    assert [each.probabilities for each in outcome.each] == [newer.probabilities] * 2
    assert outcome.classifier == "classifier@2"


async def test_crops_too_large_for_a_message_come_through_the_object_store(make_client: MakeClient) -> None:
    wide = CropSpec(margin=0.0, aspect=1.0, size=600)  # a crop has a megabyte
    classifier, detector = Classifier(CLASSIFIED), Detector(detection())
    classifier.describe = Method(replace(CLASSIFIER, crop_spec=wide))
    client = make_client(detector, classifier)
    for most_people, by_reference in ((0, False), (10, True)):
        await client.predict(b"photo", "id", Question(most_people))
        assert detector.by_reference is by_reference


async def test_an_explanation_tells_how_far_the_answer_falls_without_each_part(make_client: MakeClient) -> None:
    found = Detection(Code.OK, [PERSON], [CROP] * 3, "detector@1", grid=(1, 2))
    certain, weaker = ({"male": p, "female": 1 - p} for p in (0.9, 0.5))
    answers = [Classification(Code.OK, each, "classifier@1") for each in (certain, weaker, certain)]
    detector = Detector(found)
    outcome = await make_client(detector, Classifier(*answers)).predict(b"photo", "id", Question(explain=True))
    assert (outcome.code, outcome.prediction, outcome.probabilities, outcome.each) == (Code.OK, "male", certain, [])
    assert outcome.explanation is not None
    assert outcome.explanation.label == "male"
    assert outcome.explanation.base == pytest.approx(math.log(9))
    assert outcome.explanation.changes == [pytest.approx([math.log(9), 0.0])]
    assert detector.detect.calls == [(b"photo", SPEC, Question(explain=True))]


async def test_health_describes_the_models(make_client: MakeClient) -> None:
    client = make_client(Detector(detection()), Classifier(CLASSIFIED))
    assert await client.health() == {"detector": DETECTOR, "classifier": CLASSIFIER}


async def test_health_wakes_no_model(make_client: MakeClient) -> None:
    detector, classifier = Detector(detection()), Classifier(CLASSIFIED)
    assert await make_client(detector, classifier, scaled_to_zero=True).health() == {"detector": None, "classifier": None}
    assert detector.describe.calls == classifier.describe.calls == []


@pytest.mark.parametrize("silent", ["detector", "classifier"])
async def test_a_model_that_does_not_describe_itself_is_not_loaded(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, silent: Literal["detector", "classifier"]
) -> None:
    monkeypatch.setattr("serve_app.graph.client.HEALTH_WAIT_S", 0.05)
    detector, classifier = Detector(detection()), Classifier(CLASSIFIED)
    {"detector": detector, "classifier": classifier}[silent].describe = Method(asyncio.Event())  # type: ignore[attr-defined]
    models = await make_client(detector, classifier).health()
    assert [role for role, model in models.items() if model is None] == [silent]


async def test_a_model_too_busy_to_describe_itself_is_loaded_while_the_graph_answers(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.HEALTH_WAIT_S", 0.05)
    detector = Detector(detection())
    client = make_client(detector, Classifier(CLASSIFIED))
    assert (await client.health())["detector"] == DETECTOR
    detector.describe = Method(asyncio.Event())
    assert (await client.health())["detector"] is None
    await client.predict(b"photo", "id")
    assert (await client.health())["detector"] == DETECTOR


class SeveralDetectors(Detector):
    """A deployment of several replicas, each with its own `describe`; calls to a single one go to the last."""

    def __init__(self, *describes: Method) -> None:
        super().__init__(detection())
        self._describes = list(describes)
        self.describe = describes[-1]

    def replicas_of(self, method: str) -> list[Method]:
        assert method == "describe"
        return self._describes


async def test_health_tells_the_faults_of_all_replicas(make_client: MakeClient) -> None:
    failed = replace(DETECTOR, fault="s3://models/: access is denied")
    client = make_client(SeveralDetectors(Method(failed), Method(DETECTOR)), Classifier(CLASSIFIED))
    assert (await client.health())["detector"] == failed


@pytest.mark.parametrize("hung", ["detector", "classifier"])
async def test_a_model_whose_thread_hangs_is_not_loaded(make_client: MakeClient, hung: Literal["detector", "classifier"]) -> None:
    """Its event loop goes on answering."""
    detector, classifier = Detector(detection()), Classifier(CLASSIFIED)
    deployment: Any = {"detector": detector, "classifier": classifier}[hung]
    deployment.describe = Method(replace({"detector": DETECTOR, "classifier": CLASSIFIER}[hung], working_s=6.0))
    models = await make_client(detector, classifier).health()
    assert [role for role, model in models.items() if model is None] == [hung]


async def test_of_two_replicas_the_one_that_works_answers_and_the_hung_one_is_told(make_client: MakeClient) -> None:
    client = make_client(SeveralDetectors(Method(replace(DETECTOR, working_s=12.0)), Method(DETECTOR)), Classifier(CLASSIFIED))
    assert (await client.health())["detector"] == replace(DETECTOR, fault="a replica has worked on one thing for 12 s")


async def test_a_replica_that_stays_silent_is_told_and_one_that_missed_a_call_is_not(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.HEALTH_WAIT_S", 0.05)
    client = make_client(SeveralDetectors(Method(asyncio.Event()), Method(DETECTOR)), Classifier(CLASSIFIED))
    assert (await client.health())["detector"] == DETECTOR
    monkeypatch.setattr("serve_app.graph.client.HEALTH_TRUST_S", 0.0)
    assert (await client.health())["detector"] == replace(DETECTOR, fault="a replica does not answer")


async def test_answers_of_the_detector_alone_do_not_vouch_for_the_classifier(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.HEALTH_WAIT_S", 0.05)
    detector, classifier = Detector(detection(Code.NO_PERSON, 0)), Classifier(CLASSIFIED)
    client = make_client(detector, classifier)
    assert (await client.health())["classifier"] == CLASSIFIER
    await client.predict(b"photo", "id")
    detector.describe = classifier.describe = Method(asyncio.Event())
    assert await client.health() == {"detector": DETECTOR, "classifier": None}


def test_health_says_within_ten_seconds_that_a_model_stopped_answering() -> None:
    kept_s = 1.0  # by /health
    assert HEALTH_TRUST_S + HEALTH_WAIT_S + kept_s < 10
    assert STALLED_S + HEALTH_WAIT_S + kept_s < 10


async def test_a_refusal_names_the_classifier_of_now(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.graph.client.NAME_TRUST_S", 0.0)
    classifier = Classifier(CLASSIFIED)
    client = make_client(Detector(detection(Code.NO_PERSON, 0)), classifier)
    assert (await client.predict(b"photo", "id")).classifier == "classifier@1"
    classifier.describe = Method(replace(CLASSIFIER, revision="2"))  # exchanged, and no photo has reached it since
    assert (await client.predict(b"photo", "id")).classifier == "classifier@2"


async def test_a_refusal_does_not_wait_long_for_a_classifier_that_is_silent(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serve_app.graph.client.NAME_TRUST_S", 0.0)
    monkeypatch.setattr("serve_app.graph.client.HEALTH_WAIT_S", 0.05)
    classifier = Classifier(CLASSIFIED)
    client = make_client(Detector(detection(Code.NO_PERSON, 0)), classifier)
    assert (await client.predict(b"photo", "id")).classifier == "classifier@1"
    classifier.describe = Method(asyncio.Event())
    assert await client.predict(b"photo", "id") == GraphOutcome(Code.NO_PERSON, [], None, "detector@1", "classifier@1")


# --- cards ----------------------------------------------------------------------------------------------------------


async def test_cards_of_both_models(make_client: MakeClient) -> None:
    detector, classifier = Detector(), Classifier()
    detector.card, classifier.card = Method("detector's"), Method("classifier's")
    cards: Any = await make_client(detector, classifier).cards()
    assert cards == {"detector": "detector's", "classifier": "classifier's"}
    assert await make_client(detector, classifier, scaled_to_zero=True).cards() is None


@pytest.mark.parametrize("outcome", [DIED, asyncio.Event(), BackPressureError(num_queued_requests=1, max_queued_requests=1)])
async def test_no_cards_when_a_model_does_not_answer(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, outcome: Any) -> None:
    monkeypatch.setattr("serve_app.graph.client.CARDS_WAIT_S", 0.05)
    detector, classifier = Detector(), Classifier()
    detector.card, classifier.card = Method("detector's"), Method(outcome)
    assert await make_client(detector, classifier).cards() is None


async def test_what_photos_look_like_is_counted(make_client: MakeClient, metrics: Metrics) -> None:
    bright = replace(CLASSIFIED, brightness=0.55)
    client = make_client(Detector(detection(), detection(Code.NO_PERSON, 0), detection(Code.CORRUPT_IMAGE, 0)), Classifier(bright))
    for _ in range(3):
        await client.predict(b"photo", "id")
    assert metrics.bins == [
        {"answer": "answered"},
        {"label": "female", "confidence": "0.73 to 0.80", "area": "0.60 to 0.70", "brightness": "0.50 to 0.60"},
        {"answer": "no_person"},
        {},
    ]


async def test_of_several_people_each_is_counted(make_client: MakeClient, metrics: Metrics) -> None:
    several = Detection(Code.OK, [PERSON] * 2, [CROP] * 2, "detector@1")
    await make_client(Detector(several), Classifier(CLASSIFIED)).predict(b"photo", "id", Question(most_people=2))
    assert [each.get("answer", each.get("label")) for each in metrics.bins] == ["multiple_people", "female", "female"]


async def test_a_request_keeps_its_lot_for_all_of_its_photos(make_client: MakeClient) -> None:
    classifier = Classifier(CLASSIFIED)
    client = make_client(Detector(detection()), classifier)
    for request_id in ("a", "b", "a"):
        await client.predict(b"photo", request_id)
    lots = [lot for _, _, lot in classifier.classify.calls]
    assert lots == [lot_of("a"), lot_of("b"), lot_of("a")]


async def test_a_photo_that_only_some_replicas_ask_a_candidate_about_is_answered_without_it(make_client: MakeClient) -> None:
    several = Detection(Code.OK, [PERSON] * 2, [CROP] * 2, "detector@1")
    by_candidate = Classification(Code.OK, {"male": 0.1, "female": 0.9}, "candidate@1", by_candidate=True)
    classifier = Classifier(by_candidate, CLASSIFIED, CLASSIFIED)
    outcome = await make_client(Detector(several), classifier).predict(b"photo", "id", Question(most_people=2))
    assert outcome.classifier == "classifier@1"
    assert [lot for _, _, lot in classifier.classify.calls] == [lot_of("id")] * 2 + [NO_CANDIDATE] * 2


async def test_a_refusal_names_the_classifier_in_use_and_no_candidate(make_client: MakeClient) -> None:
    by_candidate = Classification(Code.OK, {"male": 0.1, "female": 0.9}, "candidate@1", by_candidate=True)
    client = make_client(Detector(detection(), detection(Code.NO_PERSON, 0)), Classifier(by_candidate))
    assert (await client.predict(b"photo", "id")).classifier == "candidate@1"
    assert (await client.predict(b"photo", "id")).classifier == "classifier@1"
