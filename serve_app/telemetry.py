"""Logs and metrics: one JSON line per request, with its id, code and stage times; never a file name, a pixel or a path."""

import logging
from collections import Counter
from typing import Any

from ray.serve import metrics

from serve_app.records import PhotoRecord, RequestRecord
from serve_app.settings import Settings
from serve_app.vision.drift import Bins, Reference

logger = logging.getLogger(__name__)
serve_logger = logging.getLogger("ray.serve")

SECONDS_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]
CONFIDENCE_BUCKETS = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0]
SHIFT_BUCKETS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
BATCH_SIZE_BUCKETS = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0]
BIN_TAGS: Any = ("quantity", "bin")  # Ray says that there is only one


class IngressMetrics:
    """Metrics and log of the ingress: answers, confidences, stages, retries."""

    def __init__(self) -> None:
        self._answers = metrics.Counter("gender_answers", "Answers by code.", tag_keys=("code",))
        tag_keys: Any = ("key", "code")  # Ray says that there is only one
        self._by_key = metrics.Counter("gender_answers_by_key", "Answers by API key and code.", tag_keys=tag_keys)
        self._confidence = metrics.Histogram("gender_confidence", "Confidence of predictions.", CONFIDENCE_BUCKETS, tag_keys=("label",))
        self._stages = metrics.Histogram("gender_stage_seconds", "Seconds spent in each stage.", SECONDS_BUCKETS, tag_keys=("stage",))
        self._retries = metrics.Counter("gender_retries", "Calls repeated because a replica died.")
        self._seen = metrics.Counter("gender_seen", "Photos and people by what they are like.", tag_keys=BIN_TAGS)

    def request(self, record: RequestRecord) -> None:
        """Counts the photos of a request, and logs it. A request that is refused as a whole counts as one photo."""
        if record.about_photos and record.code is not None:
            for photo in record.photos or [PhotoRecord(record.code)]:
                self._photo(photo)
                if record.key is not None:
                    self._by_key.inc(1, {"key": record.key, "code": photo.code})
        log_request(record)

    def _photo(self, photo: PhotoRecord) -> None:
        self._answers.inc(1, {"code": photo.code})
        if photo.label is not None:
            self._confidence.observe(photo.confidence, {"label": photo.label})
        for stage, seconds in photo.stages.items():
            self._stages.observe(seconds, {"stage": stage})

    def retried(self) -> None:
        """Counts a call repeated because a replica died."""
        self._retries.inc()

    def seen(self, bins: Bins) -> None:
        """Counts a photo or a person, for the drift from the validation photos."""
        for quantity, name in bins.items():
            self._seen.inc(1, {"quantity": quantity, "bin": name})


class ReferenceMetrics:
    """Metrics of the validation photos of the classifier in use, for the drift from them.

    Ray exports a gauge only as long as it is set again and again: `refresh` must be called more often than every 20 seconds.
    """

    def __init__(self) -> None:
        self._gauge = metrics.Gauge("gender_reference_share", "Share of the validation photos.", tag_keys=BIN_TAGS)
        self._reference: Reference | None = None

    def show(self, reference: Reference | None) -> None:
        """Shows the shares of a classifier instead of the one's before."""
        self._reference = reference
        self.refresh()

    def refresh(self) -> None:
        """Shows the same once more."""
        if self._reference:
            for quantity, name, share in self._reference.each:
                self._gauge.set(share, {"quantity": quantity, "bin": name})


class BatchMetrics:
    """Metrics of a model's worker: sizes and durations of its batches."""

    def __init__(self, model: str) -> None:
        self._tags = {"model": model}
        self._sizes = metrics.Histogram("gender_batch_size", "Photos in a batch.", BATCH_SIZE_BUCKETS, tag_keys=("model",))
        self._seconds = metrics.Histogram("gender_batch_seconds", "Seconds in the model.", SECONDS_BUCKETS, tag_keys=("model",))

    def __call__(self, size: int, seconds: float) -> None:
        """Counts one batch."""
        self._sizes.observe(size, self._tags)
        self._seconds.observe(seconds, self._tags)


class CandidateMetrics:
    """Metrics of a second classifier beside the one in use (see `graph.candidate`)."""

    def __init__(self) -> None:
        self._crops = metrics.Counter("gender_candidate_crops", "Crops by what the candidate did with them.", tag_keys=("outcome",))
        self._shift = metrics.Histogram("gender_candidate_shift", "Shift of the confidence by the candidate.", SHIFT_BUCKETS)
        self._seconds = metrics.Histogram("gender_candidate_seconds", "Seconds for a crop.", SECONDS_BUCKETS, tag_keys=("model",))
        self._share = metrics.Gauge("gender_canary_share", "Share of the requests that the candidate answers.")
        self._withdrawn = metrics.Gauge("gender_candidate_withdrawn", "1 when it failed or was slow too often.")
        self._state = 0.0, 0.0

    def crop(self, outcome: str) -> None:
        """Counts a crop: agreed, disagreed, failed, skipped, or answered as a canary."""
        self._crops.inc(1, {"outcome": outcome})

    def shifted(self, shift: float) -> None:
        """Notes by how much the probability of the label is another one."""
        self._shift.observe(shift)

    def took(self, model: str, seconds: float) -> None:
        """Notes how long a crop took by the model `current` or `candidate`."""
        self._seconds.observe(seconds, {"model": model})

    def runs(self, canary_share: float, *, withdrawn: bool) -> None:
        """Shows what share it answers, and whether it was withdrawn."""
        self._state = canary_share, float(withdrawn)
        self.refresh()

    def refresh(self) -> None:
        """Shows the same once more, see `ReferenceMetrics`."""
        for gauge, value in zip((self._share, self._withdrawn), self._state, strict=True):
            gauge.set(value)


def log_with_serve(settings: Settings) -> None:
    """Sends our modules' log lines to Serve's log, with Serve's fields; called in each replica."""
    ours = logging.getLogger("serve_app")
    ours.parent = serve_logger  # not its handlers: Serve replaces those when its logging_config changes
    ours.setLevel(logging.DEBUG if settings.debug else logging.INFO)


def log_request(record: RequestRecord) -> None:
    """Logs one line: Serve's JSON log adds deployment, replica and time.

    Only with DEBUG for what is neither about photos nor a fault: probes and the page's files would hide the rest.
    """
    fields: dict[str, object] = {"photo_request_id": record.request_id, "call": record.call, "status": record.status, "code": record.code}
    stages = {stage for photo in record.photos for stage in photo.stages}
    for stage in stages:  # of a batch, its slowest photo's
        fields[f"{stage}_ms"] = _ms(max(photo.stages.get(stage, 0.0) for photo in record.photos))
    if record.key is not None:
        fields["key"] = record.key
    if record.trace_id is not None:
        fields["trace_id"] = record.trace_id
    if len(record.photos) > 1:
        fields["codes"] = dict(Counter(photo.code for photo in record.photos))
    level = logging.INFO if record.about_photos or (record.status or 500) >= 400 else logging.DEBUG
    # The fields reach the JSON file; the terminal shows the text only.
    logger.log(level, "%s in %.0f ms", record.code or "no answer: the client has gone", record.seconds * 1000, extra=fields)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
