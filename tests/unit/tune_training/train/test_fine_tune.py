from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoImageProcessor, AutoModelForImageClassification

from serve_app.checkpoints import resolve
from serve_app.checkpoints.decision import ClassifierDecision
from serve_app.runtimes.networks import load_processor
from serve_app.settings import EMBEDDED_CLASSIFIER
from serve_app.vision.classifier import Classifier
from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.decoding import decode
from tests.support.checkpoints import ON_TORCH, write_tiny_classifier
from tests.support.classifier_kinds import Kind, write_tiny_kind
from tests.support.drawn_photos import BLUE, RED, draw, save
from tune_training.data.manifest import Manifest
from tune_training.data.photo import WHOLE_PHOTO, Photo
from tune_training.io.errors import InputError
from tune_training.io.models import decode_limits
from tune_training.train import fine_tune as module
from tune_training.train import model as model_module
from tune_training.train.crops import DECISION, Crops, cached_crops
from tune_training.train.fine_tune import fine_tune, photos_of, quality, validation_metrics
from tune_training.train.metric import METRICS
from tune_training.train.model import predict_logits, two_class_model
from tune_training.train.recipe import ClassifierRecipe

SIZE = 32
RECIPE = ClassifierRecipe(epochs=2, batch_size=8, photos_per_epoch=24)
FEMALE, MALE = (4.0, 0.0), (0.0, 4.0)  # logits, columns as in LABELS


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_classifier(tmp_path_factory.mktemp("classifier"), ("cat", "dog", "tree")))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Crops:
    """Women are red and men are blue; figures of the source `face` fill the photo, and of the others some heads are not seen."""
    folder, photos = tmp_path_factory.mktemp("people"), []
    for label, colour in (("female", RED), ("male", BLUE)):
        for source, figure in (("face", (2, 2, 94, 62)), ("body", (30, 6, 60, 62))):
            for number in range(4):
                name = f"{label}_{source}_{number}.jpg"
                save(draw([figure], colour=colour), folder / name)
                head = WHOLE_PHOTO if source == "face" else (0.36, 0.1, 0.58, 0.4) if number % 2 else None
                photos.append(Photo(str(folder), name, label, "train", source, head=head, sha256=name))
    spec = CropSpec(DECISION.crop_margin, DECISION.crop_aspect, SIZE, views=DECISION.views, head_margin=DECISION.head_margin)
    return cached_crops(photos, spec, folder / "crops")


@pytest.fixture(scope="module")
def trained(start: str, people: Crops, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fine_tune(start, people, tmp_path_factory.mktemp("run"), RECIPE)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_the_result_loads_with_transformers_alone(trained: Path) -> None:
    model, report = AutoModelForImageClassification.from_pretrained(trained, output_loading_info=True)
    assert not report["missing_keys"]
    assert model.config.id2label == {0: "female", 1: "male"}
    assert model.config.label2id == {"female": 0, "male": 1}
    processor = AutoImageProcessor.from_pretrained(trained, backend="pil")
    assert model.float()(**processor(draw([]), return_tensors="pt")).logits.shape == (1, 2)


def test_the_result_is_in_half_precision_and_finite(trained: Path) -> None:
    assert {value.dtype for value in weights(trained).values()} == {torch.float16}
    assert all(value.isfinite().all() for value in weights(trained).values())


def test_the_result_is_served_as_it_was_trained(trained: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(resolve(str(trained), tmp_path), ON_TORCH)
    assert (classifier.crop_spec.size, classifier.crop_spec.views) == (32, ("head", "person"))
    assert ClassifierDecision.read(trained) == DECISION
    (probabilities,) = classifier([classifier.blank_crop()])
    assert set(probabilities) == {"female", "male"}


def test_it_learns_to_tell_the_labels_apart(start: str, people: Crops, tmp_path: Path) -> None:
    """Women are red and men are blue here."""
    recipe = replace(
        RECIPE, epochs=2, batch_size=16, photos_per_epoch=960, learning_rate=1e-2, layer_decay=1.0, label_smoothing=0.0, augmentation=0.5
    )
    classifier = Classifier.load(resolve(str(fine_tune(start, people, tmp_path, recipe)), tmp_path), ON_TORCH)
    red, blue = classifier([np.asarray(draw([(0, 0, 32, 64)], (32, 64), colour)) for colour in (RED, BLUE)])
    assert red["female"] > 0.7
    assert blue["male"] > 0.7


def test_validation_sees_what_serving_will(trained: Path, people: Crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "autocast", lambda _: nullcontext())
    model = two_class_model(str(trained), SIZE).eval()
    classifier = Classifier.load(resolve(str(trained), tmp_path), ON_TORCH)
    crops = [
        crop_person(decode(Path(photo.uri).read_bytes(), decode_limits()), photo.person, classifier.crop_spec) for photo in people.photos
    ]
    ours = predict_logits(model, people, load_processor(classifier.checkpoint))
    np.testing.assert_allclose(ours, classifier.logits(crops), atol=1e-3)


@pytest.mark.parametrize("kind", [each for each in get_args(Kind) if each != "vit"])
def test_any_kind_of_network_is_trained_and_then_served_as_it_was_validated(people: Crops, tmp_path: Path, kind: Kind) -> None:
    folder = fine_tune(write_tiny_kind(tmp_path / "start", kind), people, tmp_path, replace(RECIPE, epochs=1))
    classifier = Classifier.load(resolve(str(folder), tmp_path), ON_TORCH)
    crops = list(people.read_proper(0, len(people)).numpy())
    ours = predict_logits(two_class_model(str(folder), SIZE).eval(), people, load_processor(classifier.checkpoint))
    np.testing.assert_allclose(ours, classifier.logits(crops), atol=0.05)  # ours may be in bfloat16
    assert not np.allclose(ours, ours[0], atol=1e-4)


def test_an_interrupted_run_goes_on_to_the_same_weights(
    start: str, people: Crops, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Exception):
        pass

    def interrupted(*_: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_checkpoint", interrupted)
        with pytest.raises(Interrupted):
            fine_tune(start, people, tmp_path, RECIPE)
    resumed = weights(fine_tune(start, people, tmp_path, RECIPE))
    for name, value in weights(trained).items():
        assert torch.equal(resumed[name], value), name


def test_frozen_layers_keep_their_weights_and_the_rest_learns(start: str, people: Crops, tmp_path: Path) -> None:
    before = two_class_model(start, SIZE).state_dict()
    folder = fine_tune(start, people, tmp_path, replace(RECIPE, frozen_layers=1, learning_rate=1e-2))
    after = two_class_model(str(folder), SIZE).state_dict()
    kept = {name for name, value in after.items() if torch.equal(value, before[name].half().float())}
    assert kept >= {name for name in after if "embeddings" in name or "layers.0." in name}
    assert not {name for name in kept if "classifier" in name or ("layers.1." in name and name.endswith("weight") and "norm" not in name)}


def test_more_frozen_layers_than_there_are_are_refused(start: str, people: Crops, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="frozen_layers is 3, and .* has 2 layers"):
        fine_tune(start, people, tmp_path, replace(RECIPE, frozen_layers=3))


@pytest.mark.parametrize(
    "changed",
    [
        {"mixup": 0.4},
        {"augmentation": 0.0},
        {"photos_per_epoch": 0, "batch_size": 7},
        {"photos_per_epoch": 0, "source_power": 1, "balance": ""},
    ],
    ids=str,
)
def test_each_part_of_the_recipe_changes_the_result(
    start: str, people: Crops, trained: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    other = weights(fine_tune(start, people, tmp_path, replace(RECIPE, **changed)))
    assert not all(torch.equal(value, other[name]) for name, value in weights(trained).items())
    assert all(value.isfinite().all() for value in other.values())


def test_an_epoch_shorter_than_a_batch_is_refused(start: str, people: Crops, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="an epoch of 4 photos has less than a batch of 8"):
        fine_tune(start, people, tmp_path, replace(RECIPE, photos_per_epoch=4))


def test_the_crop_that_is_trained_on_and_written_is_that_of_the_embedded_weights() -> None:
    embedded = ClassifierDecision.read(Path(EMBEDDED_CLASSIFIER))
    for name in ("views", "head_margin", "crop_margin", "crop_aspect"):
        assert getattr(DECISION, name) == getattr(embedded, name), name


def test_each_epoch_is_reported_with_the_metrics_of_the_validation_split(start: str, people: Crops, tmp_path: Path) -> None:
    reports: list[dict[str, float]] = []
    fine_tune(start, people, tmp_path, RECIPE, validation=people, on_epoch=lambda metrics: reports.append(dict(metrics)))
    assert [each["epoch"] for each in reports] == [1, 2]
    assert set(reports[0]) == {"epoch", "training_loss", "images_per_second", *METRICS}
    reports.clear()
    fine_tune(start, people, tmp_path, RECIPE, validation=people, on_epoch=lambda metrics: reports.append(dict(metrics)))
    assert [each["epoch"] for each in reports] == [2]


def test_a_batch_in_parts_gives_the_same_weights(start: str, people: Crops, trained: Path, tmp_path: Path) -> None:
    parts = weights(fine_tune(start, people, tmp_path, replace(RECIPE, accumulate=3)))
    for name, value in weights(trained).items():
        torch.testing.assert_close(parts[name], value, atol=5e-3, rtol=0, msg=name)


def test_where_memory_is_short_a_batch_is_split_unasked(start: str, people: Crops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def cross_entropy(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        seen.append(len(wanted))
        return logits.sum() * 0

    monkeypatch.setattr(module, "photos_at_once", lambda *_: 3)
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", cross_entropy)
    fine_tune(start, people, tmp_path, replace(RECIPE, epochs=1, photos_per_epoch=8))
    assert seen == [3, 3, 2]


class TestPatience:
    """The metrics of each epoch are given."""

    @pytest.fixture
    def qualities(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """What `val` says of the epochs."""
        found = [0.6, 0.8, 0.7, 0.8, 0.9]
        monkeypatch.setattr(
            module, "validation_metrics", lambda *_: {name: found.pop(0) if name == "balanced_accuracy" else 1.0 for name in METRICS}
        )
        return found

    RECIPE = replace(RECIPE, epochs=5, photos_per_epoch=8, learning_rate=1e-2, patience=2)

    def test_training_stops_and_the_best_epoch_is_kept(self, start: str, people: Crops, tmp_path: Path, qualities: list[float]) -> None:
        epochs: list[float] = []
        kept: dict[float, dict[str, torch.Tensor]] = {}

        def report(metrics: Mapping[str, float]) -> None:
            epochs.append(metrics["epoch"])
            kept[metrics["epoch"]] = weights(tmp_path / "checkpoint")

        folder = fine_tune(start, people, tmp_path, self.RECIPE, validation=people, on_epoch=report)
        assert epochs == [1, 2, 3, 4]
        assert not torch.equal(kept[1]["classifier.weight"], kept[2]["classifier.weight"])
        assert torch.equal(weights(folder)["classifier.weight"], kept[2]["classifier.weight"])

    def test_a_resumed_run_knows_its_best_epoch(self, start: str, people: Crops, tmp_path: Path, qualities: list[float]) -> None:
        class Interrupted(Exception):
            pass

        def interrupted(metrics: Mapping[str, float]) -> None:
            if metrics["epoch"] == 3:
                raise Interrupted

        with pytest.raises(Interrupted):
            fine_tune(start, people, tmp_path, self.RECIPE, validation=people, on_epoch=interrupted)
        best = weights(tmp_path / "checkpoint")
        qualities[:] = [0.7, 0.8, 0.9]
        epochs: list[float] = []
        fine_tune(start, people, tmp_path, self.RECIPE, validation=people, on_epoch=lambda metrics: epochs.append(metrics["epoch"]))
        assert epochs == [3, 4]
        assert torch.equal(weights(tmp_path / "checkpoint")["classifier.weight"], best["classifier.weight"])

    def test_without_val_there_is_nothing_to_be_patient_about(self, start: str, people: Crops, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="patience needs photos of the split 'val'"):
            fine_tune(start, people, tmp_path, self.RECIPE)


def test_a_split_without_photos_or_of_one_label_is_refused() -> None:
    manifest = Manifest([Photo("", "a.jpg", "male", "train")], "")
    with pytest.raises(InputError, match="all 1 photos of 'train' have one label; there is none of 'female'"):
        photos_of(manifest, "train")
    with pytest.raises(InputError, match="no photos of the split 'val'"):
        photos_of(manifest, "val")


def test_quality_is_the_metric_and_then_the_loss() -> None:
    worse, better = {"accuracy": 0.5, "loss": 0.7}, {"accuracy": 0.5, "loss": 0.6}
    assert quality(worse, "accuracy") < quality(better, "accuracy") < quality({"accuracy": 0.6, "loss": 9.0}, "accuracy")
    assert quality(worse, "loss") < quality(better, "loss")


def data(*photos: tuple[str, str]) -> Crops:
    rows = [Photo("", f"{number}.jpg", label, source=source) for number, (label, source) in enumerate(photos)]
    return Crops(rows, np.zeros((len(rows), 2, 1, 1, 3), np.uint8), 1)


def test_all_metrics_are_reported() -> None:
    assert validation_metrics(np.array([FEMALE, MALE]), data(("female", "a"), ("male", "a"))).keys() == METRICS.keys()


def test_each_source_counts_the_same_in_the_mean_over_sources() -> None:
    photos = data(*[("female", "large"), ("male", "large")] * 4, ("female", "small"), ("male", "small"))
    guesses = np.array([FEMALE, MALE] * 4 + [FEMALE, FEMALE])  # one of ten is wrong: the only man in the small source
    metrics = validation_metrics(guesses, photos)
    assert metrics["mean_over_sources"] == pytest.approx((1.0 + 0.5) / 2)
    assert metrics["balanced_accuracy"] == pytest.approx((1.0 + 0.8) / 2)


def test_a_source_of_one_label_counts_by_that() -> None:
    metrics = validation_metrics(np.array([FEMALE, MALE, MALE]), data(("female", "a"), ("male", "a"), ("female", "women")))
    assert metrics["mean_over_sources"] == pytest.approx(0.5)
