"""What became of a request, for the log and the metrics."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from serve_app.codes import Code


@dataclass(frozen=True)
class PhotoRecord:
    """One photo that the graph was asked about.

    Attributes:
        label: the prediction; None without one.
        stages: seconds by stage.
    """

    code: Code
    label: str | None = None
    confidence: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass
class RequestRecord:
    """One request; whoever answers it fills this in.

    Attributes:
        call: the address, if it is one of the API's; others are not told, because a client may put anything there.
        about_photos: it asks about photos, so its refusal is a refusal of photos.
        photos: those that the graph was asked about; empty when the request was refused before.
        status: the HTTP status; None when the client went before there was one.
        code: the code of the whole answer; None without a status.
        seconds: from the first byte of its head to the last one of its answer.
        key: name of the client's API key, where there are keys and it is good.
        trace_id: of the trace that the client says it belongs to (W3C Trace Context).
        broken: the code with which a stream ended before its end.
    """

    request_id: str
    call: str | None
    about_photos: bool
    photos: list[PhotoRecord] = field(default_factory=list)
    status: int | None = None
    code: Code | None = None
    seconds: float = 0.0
    trace_id: str | None = None
    key: str | None = None
    broken: Code | None = None

    @property
    def stages(self) -> dict[str, float]:
        """Seconds by stage, added up over the photos: the stages of a batch's photos overlap."""
        sums: Counter[str] = Counter()
        for photo in self.photos:
            sums.update(photo.stages)
        return dict(sums)
