"""A second classifier beside the one in use: asked about a share of the same crops (shadow), or answering a share of the requests (canary).

It can do no harm: the crops of a shadow wait for those of requests; what a canary fails to answer is answered by the classifier in use; and
one that fails or is slow too often is withdrawn, until another `user_config` comes.
"""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from statistics import fmean, median
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve_app.graph.model_slot import ModelSlot
from serve_app.telemetry import CandidateMetrics
from serve_app.vision.classifier import Classifier

logger = logging.getLogger(__name__)

WINDOW = 200  # answers of each that count
LEAST = 20  # answers that a judgement needs
MOST_FAILED = 0.05  # share of the answers
MOST_TIMES_SLOWER = 3.0
NEGLIGIBLE_S = 0.01  # by which it may be slower for each crop, whatever the classifier in use takes
LOG_EVERY = 100  # crops


class CandidateConfig(BaseModel):
    """The part of the classifier's `user_config` that is about the candidate; null means the default.

    Attributes:
        shadow_uri: of the candidate; it has its own decision.json, and must take the same crops.
        shadow_share: of the crops that requests bring, those that it is asked about, too.
        canary_share: of the requests, those that it answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shadow_uri: str | None = None
    shadow_share: float = Field(0.1, ge=0, le=1)
    canary_share: float = Field(0.0, ge=0, le=1)

    @classmethod
    def split(cls, user_config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The part of a `user_config` that is about the candidate, and the rest."""
        ours = {key: value for key, value in user_config.items() if key in cls.model_fields and value is not None}
        return ours, {key: value for key, value in user_config.items() if key not in cls.model_fields}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Checks the values.

        Raises:
            ValueError: says which is wrong.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError("; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())) from error


class Candidate:
    """Loads the candidate in the background, chooses what it is asked, and judges it.

    Args:
        new_slot: makes the slot that loads and keeps it.
        metrics: what is told of it.
    """

    def __init__(self, new_slot: Callable[[], ModelSlot[Classifier]], metrics: CandidateMetrics) -> None:
        self._new_slot = new_slot
        self._metrics = metrics
        self._config = CandidateConfig()
        self._slot: ModelSlot[Classifier] | None = None
        self._fault: str | None = None
        self._begin()

    def apply(self, values: Mapping[str, Any]) -> None:
        """Takes up what a `user_config` says, the shares at once; a fault of it is told by `fault`."""
        try:
            config, self._fault = CandidateConfig.of(values), None
        except ValueError as error:
            config, self._fault = CandidateConfig(), str(error)
        if config.shadow_uri != self._config.shadow_uri and self._slot is not None:
            self._slot.close()
            self._slot = None
        if config.shadow_uri and self._slot is None:
            self._slot = self._new_slot()
            self._slot.want({"model_uri": config.shadow_uri})
        self._config = config
        self._begin()

    @property
    def fault(self) -> str | None:
        """Why the candidate is asked nothing, although it is configured."""
        of_slot = self._slot.fault if self._slot else None
        return self._fault or of_slot

    @property
    def configured(self) -> bool:
        """Whether there is one, loaded or not."""
        return self._slot is not None

    def for_request(self, lot: float, current: Classifier) -> Classifier | None:
        """The candidate, if it is to answer a request.

        Args:
            lot: of the request, 0 to 1, the same for all of its photos.
            current: the classifier in use.
        """
        return self._ready(current) if lot < self._config.canary_share else None

    def for_shadow(self, current: Classifier) -> Classifier | None:
        """The candidate, if it is to be asked about a crop that the classifier in use has answered."""
        candidate = self._ready(current)
        if candidate is None:
            return None
        self._due += self._config.shadow_share
        if self._due < 1:
            return None
        self._due -= 1
        return candidate

    def took(self, seconds: float, *, current: bool = False) -> None:
        """Notes how long a crop took, by the classifier in use or by the candidate."""
        if current and self._slot is None:
            return
        self._metrics.took("current" if current else "candidate", seconds)
        (self._seconds_of_current if current else self._seconds).append(seconds)
        if not current:
            self._failed.append(False)
            self._judge()

    def failed(self, error: BaseException) -> None:
        """Notes that the candidate failed to answer about a crop."""
        self._metrics.crop("failed")
        logger.warning("the candidate failed: %s: %s", type(error).__name__, error)
        self._failed.append(True)
        self._judge()

    def skipped(self) -> None:
        """Notes that requests wait, so that the candidate is not asked about a crop."""
        self._metrics.crop("skipped")

    def answered(self) -> None:
        """Notes that the candidate has answered a request."""
        self._metrics.crop("answered")

    def compared(self, current: Mapping[str, float], candidate: Mapping[str, float]) -> None:
        """Notes both answers, as probabilities by label, about one crop."""
        label = max(current, key=current.__getitem__)
        agreed = max(candidate, key=candidate.__getitem__) == label
        shift = abs(candidate[label] - current[label])
        self._metrics.crop("agreed" if agreed else "disagreed")
        self._metrics.shifted(shift)
        self._agreed.append(agreed)
        self._shifts.append(shift)
        if len(self._agreed) == LOG_EVERY:
            logger.info("%s", self._summary())
            self._agreed.clear()
            self._shifts.clear()

    def _begin(self) -> None:
        self._due = 0.0
        self._agreed: list[bool] = []
        self._shifts: list[float] = []
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._seconds: deque[float] = deque(maxlen=WINDOW)
        self._seconds_of_current: deque[float] = deque(maxlen=WINDOW)
        self._metrics.runs(self._config.canary_share if self._slot else 0.0, withdrawn=False)

    def _ready(self, current: Classifier) -> Classifier | None:
        candidate = None if self._fault or self._slot is None else self._slot.loaded
        # The classifier in use may have been exchanged for one with other crops.
        return candidate if candidate is not None and candidate.crop_spec == current.crop_spec else None

    def _judge(self) -> None:
        if len(self._failed) < LEAST or self._fault:
            return
        reason = None
        if fmean(self._failed) > MOST_FAILED:
            reason = f"it failed for {sum(self._failed)} of {len(self._failed)} crops"
        elif min(len(self._seconds), len(self._seconds_of_current)) >= LEAST:
            slow, usual = median(self._seconds), median(self._seconds_of_current)
            if slow > MOST_TIMES_SLOWER * usual + NEGLIGIBLE_S:
                reason = f"it takes {slow * 1000:.1f} ms for each crop, and the one in use {usual * 1000:.1f} ms"
        if reason:
            self._fault = f"the candidate {self._config.shadow_uri} was withdrawn: {reason}"
            logger.error("%s", self._fault)
            self._metrics.runs(0.0, withdrawn=True)

    def _summary(self) -> str:
        text = f"candidate: of {len(self._agreed)} crops, {sum(self._agreed)} answers alike"
        text += f", mean shift of confidence {fmean(self._shifts):.4f}"
        if self._seconds and self._seconds_of_current:
            text += f", {median(self._seconds) * 1000:.1f} ms for each crop beside {median(self._seconds_of_current) * 1000:.1f} ms"
        return text
