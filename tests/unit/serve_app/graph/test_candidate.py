"""A second classifier beside the one in use: it shadows a share of the crops, answers a share of the requests, and can do no harm."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve_app.checkpoints import Checkpoint
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.graph.candidate import LEAST, LOG_EVERY, Candidate, CandidateConfig
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.messages import Classification
from serve_app.graph.model_slot import ModelSlot
from serve_app.graph.pins import Pins
from serve_app.question import NO_CANDIDATE, lot_of
from serve_app.settings import Settings
from serve_app.telemetry import CandidateMetrics, ReferenceMetrics
from serve_app.vision.cropping import CropSpec
from serve_app.vision.images import RGB
from tests.support.checkpoints import write_tiny_classifier
from tests.unit.serve_app.graph.test_pins import Store

SPEC = CropSpec(margin=0.0, aspect=1.0, size=8)
CROP = np.zeros(SPEC.shape, np.uint8)
FEMALE_BY = {"current": 0.9, "like": 0.8, "unlike": 0.3, "failing": 0.0}


class Classifier:
    """Gives the same answer about every crop; `failing` fails once it is warm."""

    decision = ClassifierDecision()
    crop_spec = SPEC

    def __init__(self, name: str) -> None:
        self.checkpoint = Checkpoint(name, Path(), name, "1")
        self.asked = 0
        self.fails = False

    def blank_crop(self) -> RGB:
        return CROP

    def warm_up(self, crops: Sequence[RGB]) -> None:
        self.asked += len(crops)

    def __call__(self, crops: Sequence[RGB]) -> list[dict[str, float]]:
        self.asked += len(crops)
        if self.fails:
            raise ValueError("out of memory")
        female = FEMALE_BY[self.checkpoint.name]
        return [{"female": female, "male": 1 - female} for _ in crops]


class Metrics:
    """Those that a candidate was told of."""

    def __init__(self) -> None:
        self.crops: Counter[str] = Counter()
        self.shifts: list[float] = []
        self.seconds: Counter[str] = Counter()
        self.state: tuple[float, bool] = (0.0, False)

    def crop(self, outcome: str) -> None:
        self.crops[outcome] += 1

    def shifted(self, shift: float) -> None:
        self.shifts.append(shift)

    def took(self, model: str, seconds: float) -> None:
        self.seconds[model] += 1

    def runs(self, canary_share: float, *, withdrawn: bool) -> None:
        self.state = canary_share, withdrawn


class Replica(GenderClassifier):
    """The deployment with fake models, and without `@serve.batch`, which needs a replica of Serve's."""

    def __init__(self) -> None:
        super().__init__(Settings(_env_file=None), 4, 1)
        self.models: list[Classifier] = []
        self.told = Metrics()
        metrics: Any = self.told
        self._candidate = Candidate(lambda: ModelSlot(self._load_candidate, self._warm), metrics)

    def _load(self, config: dict[str, Any]) -> Any:
        self.models.append(Classifier(config.get("model_uri") or "current"))
        return self.models[-1]

    _load_candidate = _load

    async def _collect(self, work: Any) -> Any:
        try:
            return await self._worker.submit(work)
        except ValueError as error:
            return error

    async def ask(self, lot: float = NO_CANDIDATE) -> Classification:
        answer = await self.classify(CROP, SPEC, lot)
        assert isinstance(answer, Classification)
        await asyncio.gather(*self._shadows)
        return answer


async def beside(name: str, **shares: float) -> Replica:
    """A replica whose candidate is loaded."""
    replica = Replica()
    await replica.reconfigure({"model_uri": None, "shadow_uri": name, **shares})
    assert replica._candidate._slot
    await replica._candidate._slot.settled()
    replica.models[-1].fails = name == "failing"
    return replica


async def test_a_shadow_is_asked_about_the_same_crops_and_answers_nobody() -> None:
    replica = await beside("unlike", shadow_share=1.0)
    answers = [await replica.ask(lot=0.0) for _ in range(3)]
    assert {answer.model for answer in answers} == {"current@1"}
    assert replica.told.crops == {"disagreed": 3}
    assert replica.told.shifts == pytest.approx([0.6] * 3)
    assert replica.told.seconds == {"current": 3, "candidate": 3}


async def test_a_share_of_the_crops_is_a_share() -> None:
    replica = await beside("like", shadow_share=0.25)
    for _ in range(40):
        await replica.ask()
    assert replica.told.crops == {"agreed": 10}


async def test_while_requests_wait_no_shadow_is_asked() -> None:
    replica = await beside("like", shadow_share=1.0)
    replica._asking = 1  # another one
    await replica.ask()
    assert replica.told.crops == {"skipped": 1}


async def test_a_log_line_sums_up_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    replica = await beside("like", shadow_share=1.0)
    with caplog.at_level(logging.INFO):
        for _ in range(LOG_EVERY):
            await replica.ask()
    assert f"of {LOG_EVERY} crops, {LOG_EVERY} answers alike, mean shift of confidence 0.1000" in caplog.text


async def test_a_canary_answers_its_share_of_the_requests_and_none_at_once_when_it_is_taken_back() -> None:
    replica = await beside("like", canary_share=0.5, shadow_share=0.0)
    for lot, model in ((0.0, "like@1"), (0.49, "like@1"), (0.5, "current@1"), (NO_CANDIDATE, "current@1")):
        answer = await replica.ask(lot)
        assert (answer.model, answer.by_candidate) == (model, model == "like@1")
    assert replica.told.crops == {"answered": 2}
    assert replica.told.state == (0.5, False)
    loaded = len(replica.models)
    await replica.reconfigure({"model_uri": None, "shadow_uri": "like", "canary_share": 0.0})
    assert (await replica.ask(0.0)).model == "current@1"
    assert len(replica.models) == loaded
    await replica.reconfigure({"model_uri": None, "shadow_uri": None})
    assert (await replica.ask(0.0)).model == "current@1"
    assert len(replica.models) == loaded


async def test_requests_are_answered_while_a_canary_fails_and_it_is_withdrawn(caplog: pytest.LogCaptureFixture) -> None:
    replica = await beside("failing", canary_share=1.0)
    for _ in range(LEAST + 5):
        assert (await replica.ask(0.3)).model == "current@1"
    assert replica.told.crops["failed"] == LEAST
    assert replica.told.state == (0.0, True)
    withdrawn = f"the candidate failing was withdrawn: it failed for {LEAST} of {LEAST} crops"
    assert withdrawn in caplog.text
    assert (await replica.describe()).fault == withdrawn
    replica.models[-1].fails = False
    await replica.reconfigure({"model_uri": None, "shadow_uri": "failing", "canary_share": 0.9})
    assert (await replica.ask(0.3)).model == "failing@1"
    assert (await replica.describe()).fault is None


async def test_a_candidate_that_is_slow_is_withdrawn_and_one_that_is_a_little_slower_is_not() -> None:
    for seconds, withdrawn in ((0.02, False), (0.2, True)):
        replica = await beside("like", canary_share=0.5)
        for _ in range(LEAST):
            replica._candidate.took(0.01, current=True)
            replica._candidate.took(seconds)
        assert replica.told.state[1] == withdrawn
        assert bool(replica._candidate.fault) == withdrawn


async def test_a_candidate_that_cannot_be_loaded_or_asked_is_told_and_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Pins, "of_this_replica", lambda deploy, role: Pins(Store(), deploy))
    replica = GenderClassifier(Settings(_env_file=None, model_runtime="torch", model_cache_dir=tmp_path / "cache"), 1, 1)
    current, other = (write_tiny_classifier(tmp_path / name) for name in ("current", "other"))
    (other / "decision.json").write_text('{"crop_margin": 0.2}')
    for uri, fault in ((str(other), "it takes other crops than the classifier in use"), (str(tmp_path / "missing"), "there is no folder")):
        await replica.reconfigure({"model_uri": str(current), "shadow_uri": uri, "canary_share": 1.0})
        assert replica._candidate._slot
        await replica._candidate._slot.settled()
        described = await replica.describe()
        assert described.name == "current"
        assert fault in (described.fault or "")
        assert replica._candidate.for_request(0.0, replica._slot.current) is None
    await replica.reconfigure({"model_uri": str(current), "shadow_uri": str(current), "canary_share": 2})
    assert "canary_share: Input should be less than or equal to 1" in ((await replica.describe()).fault or "")


def test_what_is_about_the_candidate_is_no_override_of_the_decision() -> None:
    ours, rest = CandidateConfig.split({"model_uri": "a", "min_confidence": None, "shadow_uri": "b", "canary_share": None})
    assert (ours, rest) == ({"shadow_uri": "b"}, {"model_uri": "a", "min_confidence": None})


def test_lots_are_spread_evenly_and_stay() -> None:
    lots = [lot_of(f"request {number}") for number in range(1000)]
    assert 0 <= min(lots) < max(lots) < NO_CANDIDATE
    assert 200 < sum(lot < 0.25 for lot in lots) < 300
    assert lot_of("request 0") == lots[0]


async def test_gauges_are_shown_again_with_each_health_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray stops exporting a gauge that is not set again within twenty seconds."""
    replica = await beside("like")
    shown: list[type] = []
    for kind in (CandidateMetrics, ReferenceMetrics):
        monkeypatch.setattr(kind, "refresh", lambda self: shown.append(type(self)))
    await replica.check_health()
    assert set(shown) == {CandidateMetrics, ReferenceMetrics}
