from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModelForImageClassification

from serve_app.runtimes.base import LABELS
from serve_app.vision.cropping import CropSpec
from tests.support.checkpoints import write_tiny_classifier
from tests.support.drawn_photos import BLUE, RED, draw, save
from tune_training.data.photo import WHOLE_PHOTO, Photo
from tune_training.io.errors import InputError
from tune_training.train.crops import DECISION, Crops, cached_crops
from tune_training.train.fine_tune import fine_tune, wanted_probabilities
from tune_training.train.loop import STATE_FILE
from tune_training.train.model import predict_logits, two_class_model
from tune_training.train.recipe import ClassifierRecipe
from tune_training.train.teacher import Student, Teacher, feature_loss, read_teacher

SIZE = 32
RECIPE = ClassifierRecipe(
    epochs=2, batch_size=16, photos_per_epoch=640, learning_rate=1e-2, layer_decay=1.0, label_smoothing=0.0, augmentation=0.0
)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_classifier(tmp_path_factory.mktemp("classifier"), ("cat", "dog")))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Red women and blue men."""
    folder, photos = tmp_path_factory.mktemp("people"), []
    for label, colour in (("female", RED), ("male", BLUE)):
        for number in range(4):
            name = f"{label}_{number}.jpg"
            save(draw([(2, 2, 94, 62)], colour=colour), folder / name)
            photos.append(Photo(str(folder), name, label, "train", head=WHOLE_PHOTO, sha256=name))
    spec = CropSpec(DECISION.crop_margin, DECISION.crop_aspect, SIZE, views=DECISION.views, head_margin=DECISION.head_margin)
    return cached_crops(photos, spec, folder / "crops")


def table(path: Path, photos: Sequence[Photo], female: Sequence[float], features: Sequence[Sequence[float]]) -> Path:
    pq.write_table(pa.table({"sha256": [photo.sha256 for photo in photos], "female": list(female), "features": list(features)}), path)
    return path


def teacher_of(people: Crops, folder: Path, *, contrary: bool = False) -> Teacher:
    """Sure of each label, or of the other one; its two features tell the colours apart."""
    women = [float(photo.label == "female") for photo in people.photos]
    features = [(3.0, 0.1) if woman else (-1.0, 0.2) for woman in women]
    female = [1 - woman if contrary else woman for woman in women]
    return read_teacher(table(folder / "teacher.parquet", people.photos, female, features), people.photos)


def guesses(checkpoint: Path, people: Crops) -> list[str]:
    processor = AutoImageProcessor.from_pretrained(checkpoint, backend="pil")
    logits = predict_logits(two_class_model(str(checkpoint), SIZE).eval(), people, processor)
    return [LABELS[index] for index in logits.argmax(axis=1)]


@pytest.fixture(scope="module")
def contradicted(start: str, people: Crops, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a classifier whose teacher calls red men and blue women, and is believed."""
    folder = tmp_path_factory.mktemp("run")
    fine_tune(start, people, folder, replace(RECIPE, teacher_share=1.0), teacher=teacher_of(people, folder, contrary=True))
    return folder


def test_a_teacher_that_is_believed_outweighs_the_labels(contradicted: Path, people: Crops) -> None:
    other = {"female": "male", "male": "female"}
    assert guesses(contradicted / "checkpoint", people) == [other[photo.label] for photo in people.photos]


def test_the_checkpoint_is_the_classifier_alone(contradicted: Path) -> None:
    _, report = AutoModelForImageClassification.from_pretrained(contradicted / "checkpoint", output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]


def test_the_features_are_learned_from_what_the_classifier_shows(contradicted: Path, start: str, people: Crops) -> None:
    student = Student(two_class_model(start, SIZE), 2)
    before = similarity(student, people)
    student.load_state_dict(torch.load(contradicted / STATE_FILE, weights_only=True)["average"])
    assert similarity(student, people) > 0.95 > before


def similarity(student: Student, people: Crops) -> float:
    """Mean cosine of what the student says of the photos and the features of `teacher_of`."""
    wanted = torch.tensor([(3.0, 0.1) if photo.label == "female" else (-1.0, 0.2) for photo in people.photos])
    pixels = people.read_proper(0, len(people)).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        found = student.eval()((pixels / 255 - 0.5) / 0.5)[1]
    return 1 - float(feature_loss(found, wanted, torch.ones(len(people), dtype=torch.bool)))


def test_an_interrupted_run_goes_on_to_the_same_weights(start: str, people: Crops, tmp_path: Path) -> None:
    recipe, teacher = replace(RECIPE, photos_per_epoch=32), teacher_of(people, tmp_path)

    class Killed(Exception):
        pass

    def killed(_: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        fine_tune(start, people, tmp_path / "killed", recipe, teacher=teacher, on_epoch=killed)
    fine_tune(start, people, tmp_path / "killed", recipe, teacher=teacher)
    fine_tune(start, people, tmp_path / "unbroken", recipe, teacher=teacher)
    resumed, unbroken = (load_file(tmp_path / name / "checkpoint" / "model.safetensors") for name in ("killed", "unbroken"))
    assert all(torch.equal(value, unbroken[name]) for name, value in resumed.items())


def test_a_run_is_not_resumed_with_another_teacher(contradicted: Path, start: str, people: Crops, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="belongs to a run with other settings"):
        fine_tune(start, people, contradicted, replace(RECIPE, teacher_share=1.0), teacher=teacher_of(people, tmp_path))


def test_mixed_photos_have_no_teacher(start: str, people: Crops, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="mixup goes without a teacher"):
        fine_tune(start, people, tmp_path, replace(RECIPE, mixup=0.2), teacher=teacher_of(people, tmp_path))


def test_photos_that_the_teacher_does_not_know_keep_their_label(people: Crops, tmp_path: Path) -> None:
    known = [people.photos[4], people.photos[0]]
    teacher = read_teacher(table(tmp_path / "t.parquet", known, [0.25, 0.75], [(0.0, 2.0), (3.0, 4.0)]), people.photos)
    assert teacher.known.tolist() == [True, False, False, False, True, False, False, False]
    np.testing.assert_allclose(teacher.features[[0, 1, 4]], [(0.6, 0.8), (0, 0), (0, 1)], atol=1e-6)
    wanted = wanted_probabilities(people, replace(RECIPE, label_smoothing=0.2, teacher_share=0.5), teacher)
    np.testing.assert_allclose(wanted[[0, 1, 4, 5]], [(0.825, 0.175), (0.9, 0.1), (0.175, 0.825), (0.1, 0.9)], atol=1e-6)


def test_without_known_photos_the_features_cost_nothing() -> None:
    assert feature_loss(torch.ones(3, 2), torch.zeros(3, 2), torch.zeros(3, dtype=torch.bool)) == 0


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"sha256": ["female_0.jpg"], "female": [0.5]}, "not a table with the columns sha256, female, features"),
        ({"sha256": ["female_0.jpg"], "female": [1.5], "features": [[1.0]]}, "`female` has to be from 0 to 1"),
        ({"sha256": ["female_0.jpg"], "female": [0.5], "features": [[0.0, 0.0]]}, "not all zero"),
        ({"sha256": ["female_0.jpg"], "female": [0.5], "features": [[float("nan")]]}, "lists of numbers"),
        ({"sha256": ["a", "b"], "female": [0.5, 0.5], "features": [[1.0], [1.0, 2.0]]}, "not a table"),
        ({"sha256": ["female_0.jpg"], "female": ["much"], "features": [[1.0]]}, "not a table"),
        ({"sha256": ["other.jpg"], "female": [0.5], "features": [[1.0]]}, "none of the 8 photos is in this table"),
    ],
)
def test_a_wrong_table_is_named_with_its_fault(people: Crops, tmp_path: Path, columns: dict[str, list[object]], reason: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "teacher.parquet")
    with pytest.raises(InputError, match=reason):
        read_teacher(tmp_path / "teacher.parquet", people.photos)


def test_a_missing_table_is_named(people: Crops, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing.parquet: not a table"):
        read_teacher(tmp_path / "missing.parquet", people.photos)
