"""What drift is measured by: bins without gaps, and the shares of the validation photos."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serve_app.checkpoints import resolve
from serve_app.codes import Code
from serve_app.settings import EMBEDDED_CLASSIFIER
from serve_app.vision.cropping import brightness_of
from serve_app.vision.drift import LEAST_SHARE, QUANTITIES, Reference, bins_of_answer, bins_of_person, read_reference
from tests.support.checkpoint_files import write_checkpoint_files


def test_bins_have_no_gaps() -> None:
    names: dict[str, list[str]] = {"confidence": [], "area": [], "brightness": []}
    for step in range(1001):
        value = step / 1000
        bins = bins_of_person({"female": 0.5 + value / 2, "male": 0.5 - value / 2}, value, value)
        for quantity, known in names.items():
            if (name := bins[quantity]) not in known:  # type: ignore[index] # of a test's own dictionary
                known.append(name)
    for quantity, known in names.items():
        edges = [name.split(" to ") for name in known]
        assert [low for low, _ in edges[1:]] == [high for _, high in edges[:-1]]
        assert (edges[0][0], edges[-1][1]) == ("0.50" if quantity == "confidence" else "0.00", "1.00")


def test_what_is_not_known_is_in_no_bin() -> None:
    assert bins_of_person({"female": 0.1, "male": 0.9}, None, None) == {"label": "male", "confidence": "0.87 to 0.93"}


def test_only_what_is_said_of_a_photo_is_an_answer() -> None:
    assert {code: bins_of_answer(code).get("answer") for code in Code if bins_of_answer(code)} == {
        Code.OK: "answered",
        Code.UNSURE: "answered",
        Code.NO_PERSON: "no_person",
        Code.MULTIPLE_PEOPLE: "multiple_people",
    }


def test_brightness_is_of_black_to_white() -> None:
    assert [brightness_of(np.full((64, 32, 3), value, np.uint8)) for value in (0, 51, 255)] == pytest.approx([0, 0.2, 1])


def test_a_reference_has_shares_and_knows_empty_bins() -> None:
    seen = [bins_of_answer(code) for code in (Code.OK, Code.UNSURE, Code.NO_PERSON, Code.CORRUPT_IMAGE)]
    reference = Reference.of("val", 4, [*seen, bins_of_person({"female": 0.99, "male": 0.01}, 0.25, None)])
    assert reference.shares["answer"] == {"answered": 0.6667, "no_person": 0.3333}
    assert "brightness" not in reference.shares
    each = {(quantity, name): share for quantity, name, share in reference.each}
    assert each["answer", "multiple_people"] == LEAST_SHARE
    assert each["confidence", "0.93 to 1.00"] == 1.0
    assert len([name for quantity, name in each if quantity == "area"]) == 10


@pytest.mark.parametrize(
    ("metrics", "found"),
    [
        (None, False),
        ({"revision": "here"}, False),
        ({"revision": "other", "reference": {"split": "val", "photos": 1, "shares": {}}}, False),
        ({"revision": "here", "reference": {"split": "val"}}, False),
        ({"revision": "here", "reference": {"split": "val", "photos": 1, "shares": {"label": {"male": 1.0}}}}, True),
    ],
)
def test_a_reference_is_read_if_it_is_of_this_revision(tmp_path: Path, metrics: dict[str, Any] | None, found: bool) -> None:
    folder = write_checkpoint_files(tmp_path / "vit")
    checkpoint = resolve(str(folder), tmp_path)
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics).replace("here", checkpoint.revision))
    assert (read_reference(checkpoint) is not None) == found


def test_the_embedded_classifier_has_all_of_it(tmp_path: Path) -> None:
    reference = read_reference(resolve(EMBEDDED_CLASSIFIER, tmp_path))
    assert reference
    assert tuple(reference.shares) == QUANTITIES
    assert all(sum(shares.values()) == pytest.approx(1, abs=0.01) for shares in reference.shares.values())
