"""What the worst clients send, and what is reported about the normal photo beside them."""

import io
from collections import Counter

import pytest
from PIL import Image
from rich.console import Console

from benchmarks.report import print_worst_clients
from benchmarks.samples import Sample
from benchmarks.worst_clients import Waiting, WorstClients, worst_files
from serve_app.settings import Settings
from serve_app.vision.decoding import DecodeLimits, EncodedPhoto

SMALL = Settings(_env_file=None, max_image_pixels=40_000, max_unreduced_pixels=20_000)  # as the default ones, but quick to encode
FILES = worst_files(SMALL)


@pytest.mark.parametrize("kind", FILES)
def test_the_worst_files_are_right_at_the_limits(kind: str) -> None:
    photo = EncodedPhoto(FILES[kind], DecodeLimits.of(SMALL))
    width, height = photo.size
    assert photo.decode().shape == (height, width, 3)
    reduced = "JPEG" in kind or kind in ("AVIF", "HEIC")
    assert 0.9 <= width * height / (SMALL.max_image_pixels if reduced else SMALL.max_unreduced_pixels) <= 1
    assert ("long" in kind) == (max(width, height) / min(width, height) > 0.95 * SMALL.max_image_aspect)


def test_one_of_them_has_nearly_as_many_bytes_as_allowed() -> None:
    limits = Settings(_env_file=None, max_image_bytes=100_000, max_upload_bytes_in_flight=1_000_000)
    data = worst_files(limits.model_copy(update={"max_image_pixels": 40_000}))["PNG of as many bytes as allowed"]
    assert 90_000 < len(data) <= limits.max_image_bytes
    with Image.open(io.BytesIO(data)) as image:
        assert image.width * image.height < limits.max_unreduced_pixels


def test_percentiles_are_of_what_was_answered_after_the_warm_up() -> None:
    samples = [Sample(0, 0.0, 9.0, 200, "ok"), Sample(0, 1.0, 1.5, 200, "ok"), Sample(0, 2.0, 2.1, 503, "overloaded")]
    assert Waiting.of(samples, 1.0) == Waiting(500.0, 500.0, Counter({"200 ok": 1, "503 overloaded": 1}))


def test_the_report_has_the_ratio_the_memory_and_all_answers(capsys: pytest.CaptureFixture[str]) -> None:
    alone = Waiting(20.0, 40.0, Counter({"200 ok": 9}))
    beside = Waiting(30.0, 100.0, Counter({"200 ok": 8, "503 overloaded": 1}))
    files = {"fax TIFF": Counter({"200 no_person": 5}), "AVIF": Counter({"504 timeout": 2})}
    print_worst_clients(WorstClients(alone, beside, files, Counter({"504 timeout": 2}), 2000.0, 2900.0), Console(width=150))
    said = capsys.readouterr().out
    assert "2.50 times" in said
    assert "2,900 MB at most" in said
    assert "errors: 2" in said
    for outcome in ("200 ok: 8, 503 overloaded: 1", "200 no_person: 5", "504 timeout: 2"):
        assert outcome in said


def test_without_answers_there_is_no_ratio() -> None:
    nothing = Waiting(None, None, Counter())
    assert WorstClients(nothing, nothing, {}, Counter(), 0, 0).ratio is None
