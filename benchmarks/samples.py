"""From single requests to the rates and percentiles of a load."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

ANSWERED = 200
REFUSALS = (503, 429)


@dataclass(frozen=True)
class Sample:
    """One request.

    Attributes:
        photo: which one was sent.
        scheduled: when it was to be sent, seconds after the load began. Latency counts from here: a client that is held up by a slow
            server, and sends late, would hide what users see (coordinated omission).
        finished: when its answer was there.
        status: HTTP; 0: there was no answer.
        outcome: the code; without an answer, what went wrong.
    """

    photo: int
    scheduled: float
    finished: float
    status: int
    outcome: str

    @property
    def latency(self) -> float:
        """Seconds."""
        return self.finished - self.scheduled


@dataclass(frozen=True)
class LoadSummary:
    """The results of a load. Rates count requests that finished while measuring, percentiles those sent then; None without any.

    Attributes:
        others: how often each outcome that is neither an answer nor a refusal came.
        wrong: answers with another code than expected.
    """

    seconds: float
    answers_per_s: float
    refusals_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    refusal_p99_ms: float | None
    answers: int
    refusals: int
    others: Mapping[str, int] = field(default_factory=dict)
    wrong: int = 0


def summarise(samples: Sequence[Sample], start: float, seconds: float, expected: Sequence[str] | None = None) -> LoadSummary:
    """Summarises the `seconds` after `start`, from all requests of a load; `expected` are the codes by photo."""
    finished = [sample for sample in samples if start <= sample.finished < start + seconds]
    sent = [sample for sample in samples if start <= sample.scheduled < start + seconds]
    answers = [sample for sample in finished if sample.status == ANSWERED]
    refusals = [sample for sample in finished if sample.status in REFUSALS]
    others = Counter(f"{sample.status} {sample.outcome}" for sample in sent if sample.status not in (ANSWERED, *REFUSALS))
    return LoadSummary(
        seconds=seconds,
        answers_per_s=len(answers) / seconds,
        refusals_per_s=len(refusals) / seconds,
        p50_ms=percentile_ms(sent, [ANSWERED], 50),
        p99_ms=percentile_ms(sent, [ANSWERED], 99),
        refusal_p99_ms=percentile_ms(sent, REFUSALS, 99),
        answers=len(answers),
        refusals=len(refusals),
        others=dict(others),
        wrong=sum(sample.outcome != expected[sample.photo] for sample in answers) if expected else 0,
    )


def percentile_ms(samples: Sequence[Sample], statuses: Sequence[int], percent: float) -> float | None:
    """A percentile of the latencies of requests with these statuses, ms: the smallest that `percent` of them do not exceed."""
    latencies = [sample.latency for sample in samples if sample.status in statuses]
    return float(np.percentile(latencies, percent, method="inverted_cdf")) * 1000 if latencies else None
