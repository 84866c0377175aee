import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from serve_app.runtimes.base import CLASSES
from tests.support.drawn_photos import BLUE, RED, draw, write_people
from tune_training.detector.coco import AnnotatedPhoto, Boxes, Classes, read_coco
from tune_training.detector.data import DetectionDataset, augment, collate
from tune_training.detector.recipe import DetectorRecipe
from tune_training.detector.train import image_processor
from tune_training.io.errors import InputError

SEEDS = range(300)
FIGURES = [(20, 30, 80, 170), (150, 10, 260, 190)]
SIZE = (320, 200)


def relative(figures: list[tuple[int, int, int, int]], size: tuple[int, int] = SIZE) -> Boxes:
    return np.asarray(np.array(figures).reshape(-1, 4) / np.array([*size, *size]), dtype=np.float32)


def people(count: int) -> Classes:
    return np.full(count, CLASSES.index("person"), dtype=np.int64)


def augmented(seed: int, figures: list[tuple[int, int, int, int]]) -> tuple[Image.Image, Boxes]:
    """The augmented photo, and the boxes of what stays of its figures."""
    image, boxes, classes = augment(draw(figures, SIZE), relative(figures), people(len(figures)), np.random.default_rng(seed))
    assert len(classes) == len(boxes)
    return image, boxes


def figure_pixels(image: Image.Image) -> np.ndarray:
    """Where the red figure is. It has far less green than the background, and colour augmentation keeps it so."""
    pixels = np.asarray(image).astype(int)
    green = pixels[..., 1]
    if np.ptp(green) > 12:
        return np.asarray(green < (green.min() + green.max()) / 2)
    return np.full(green.shape, np.ptp(pixels, axis=-1).max() > 20)  # all figure or all background


def write_coco(folder: Path, categories: list[str], annotations: list[tuple[int, int, list[int]]]) -> Path:
    """A file of two photos; annotations are photo, number of the category (from 1) and box."""
    document = {
        "images": [
            {"id": 5, "file_name": "train/a.jpg", "width": 200, "height": 100, "source": "voc"},
            {"id": 9, "file_name": "b.jpg", "width": 10, "height": 10},
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories, 1)],
        "annotations": [{"image_id": image, "category_id": category, "bbox": box} for image, category, box in annotations],
    }
    index = folder / "train.json"
    index.write_text(json.dumps(document))
    return index


def test_a_coco_file_is_read(tmp_path: Path) -> None:
    first, second = read_coco(write_coco(tmp_path, ["person"], [(5, 1, [20, 10, 100, 50]), (5, 1, [150, 0, 60, 100])]))
    assert (first.path, first.source) == (tmp_path / "train" / "a.jpg", "voc")
    np.testing.assert_allclose(first.boxes, [[0.1, 0.1, 0.6, 0.6], [0.75, 0, 1, 1]])  # clipped to the photo
    assert first.classes.tolist() == [0, 0]
    assert (second.source, second.boxes.shape, second.boxes.dtype.name) == ("", (0, 4), "float32")
    assert (second.classes.shape, second.classes.dtype.name) == ((0,), "int64")


def test_heads_and_people_are_told_apart_however_the_categories_are_numbered(tmp_path: Path) -> None:
    person, head = [20, 10, 100, 50], [40, 10, 20, 10]
    for categories in (["person", "head"], ["head", "person"]):
        numbers = [categories.index(name) + 1 for name in ("head", "person")]
        first, second = read_coco(write_coco(tmp_path, categories, [(5, numbers[0], head), (5, numbers[1], person)]))
        assert [CLASSES[index] for index in first.classes] == ["head", "person"]
        np.testing.assert_allclose(first.people, [[0.1, 0.1, 0.6, 0.6]])
        assert second.people.shape == (0, 4)


def test_an_unknown_category_is_refused_by_name(tmp_path: Path) -> None:
    index = write_coco(tmp_path, ["person", "dog", "cat"], [(5, 1, [20, 10, 100, 50])])
    with pytest.raises(InputError, match=r"train\.json: it has the categories cat, dog; known are person, head"):
        read_coco(index)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": [], "annotations": []}', "no JSON"])
def test_what_is_not_in_the_coco_format_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text(text)
    with pytest.raises(InputError, match=r"train\.json: it is not in the COCO format"):
        read_coco(tmp_path / "train.json")


def test_a_missing_file_of_boxes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.json: there is no such file"):
        read_coco(tmp_path / "train.json")


def test_boxes_stay_on_the_figures_however_the_photo_is_changed() -> None:
    """One figure at a time, so its pixels are known. Rounding of the crop may move an edge by one pixel."""
    shapes = set()
    for seed in SEEDS:
        image, boxes = augmented(seed, [FIGURES[seed % 2]])
        shapes.add(image.size)
        assert ((boxes >= 0) & (boxes <= 1)).all()
        mask = figure_pixels(image)
        if len(boxes) == 0 or mask.all() or not mask.any():
            continue
        x0, y0, x1, y1 = boxes[0] * np.array([*image.size, *image.size])
        rows, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        np.testing.assert_allclose([x0, y0, x1, y1], [across[0], rows[0], across[-1] + 1, rows[-1] + 1], atol=1.01, err_msg=f"seed {seed}")
    assert len(shapes) > 50  # some were cropped


def test_a_visible_person_is_never_background() -> None:
    """A person keeps a box while more than a sliver is visible; a crop window that would break this is rejected."""
    left_out = 0
    for seed in SEEDS:
        image, boxes = augmented(seed, [FIGURES[0]])
        if len(boxes) == 0:
            left_out += 1
            visible = figure_pixels(image).sum()
            x0, y0, x1, y1 = FIGURES[0]
            assert visible <= 0.03 * (x1 - x0) * (y1 - y0), f"seed {seed}"
    assert left_out > 10


def test_a_person_that_is_cut_keeps_at_least_30_percent() -> None:
    x0, y0, x1, y1 = FIGURES[1]
    for seed in SEEDS:
        image, boxes = augmented(seed, [FIGURES[1]])
        for box in boxes:
            width, height = (box[2:] - box[:2]) * np.array(image.size)
            assert width * height >= 0.29 * (x1 - x0) * (y1 - y0)


def test_a_flip_mirrors_photo_and_boxes() -> None:
    figure = (0, 50, 64, 150)
    sides = set()
    for seed in range(40):
        image, boxes = augmented(seed, [figure])
        if image.size == SIZE and len(boxes):
            sides.add(tuple(round(float(value), 3) for value in boxes[0]))
    assert sides == {(0.0, 0.25, 0.2, 0.75), (0.8, 0.25, 1.0, 0.75)}


def test_each_box_keeps_its_class_however_the_photo_is_changed() -> None:
    """The person is red and the head is blue here."""
    photo = draw([FIGURES[0]], SIZE, RED)
    photo.paste(BLUE, FIGURES[1])
    seen = Counter[str]()
    for seed in SEEDS:
        image, boxes, classes = augment(photo, relative(FIGURES), np.array([0, 1], dtype=np.int64), np.random.default_rng(seed))
        assert (len(classes), classes.dtype.name) == (len(boxes), "int64")
        for (x0, y0, x1, y1), index in zip(boxes, classes, strict=True):
            red, _, blue = np.asarray(image)[int((y0 + y1) / 2 * image.height), int((x0 + x1) / 2 * image.width)].astype(int)
            if red != blue:  # a few photos are grey
                assert CLASSES[index] == ("person" if red > blue else "head")
                seen[CLASSES[index]] += 1
    assert min(seen["person"], seen["head"]) > 150
    assert max(seen["person"], seen["head"]) < len(SEEDS)  # some were left out


def test_photos_without_people_stay_without() -> None:
    for seed in range(40):
        _, boxes = augmented(seed, [])
        assert boxes.shape == (0, 4)
        assert boxes.dtype == np.float32


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 40), (2000, 40)])
def test_odd_sizes_are_taken(size: tuple[int, int]) -> None:
    for seed in range(20):
        whole = np.array([[0, 0, 1, 1]], dtype=np.float32)
        image, boxes, _ = augment(Image.new("RGB", size), whole, people(1), np.random.default_rng(seed))
        assert min(image.size) >= 1
        assert len(boxes) == 1


def dataset(tmp_path: Path, seed: int) -> DetectionDataset:
    index = tmp_path / "train.json"
    if not index.exists():
        write_people(tmp_path, ["train"])
    return DetectionDataset(read_coco(index), image_processor(DetectorRecipe(image_size=64)), seed)


def test_an_item_is_what_the_detector_takes(tmp_path: Path) -> None:
    photos = dataset(tmp_path, seed=0)
    assert len(photos) == 9
    for item in (photos[index] for index in range(9)):
        assert item["pixel_values"].shape == (3, 64, 64)
        assert item["pixel_values"].dtype == torch.float32
        assert 0 <= item["pixel_values"].min() <= item["pixel_values"].max() <= 1
        assert item["boxes"].shape == (len(item["class_labels"]), 4)
        assert item["boxes"].dtype == torch.float32
        assert item["class_labels"].dtype == torch.int64
        assert set(item["class_labels"].tolist()) <= {0, 1}
        assert ((item["boxes"] >= 0) & (item["boxes"] <= 1)).all()


def test_boxes_are_given_as_centre_and_size_with_their_classes(tmp_path: Path) -> None:
    draw([]).save(tmp_path / "face.png")
    classes = np.array([0, 1], dtype=np.int64)
    face = AnnotatedPhoto(tmp_path / "face.png", np.array([[0, 0, 1, 1]] * 2, dtype=np.float32), classes, "")
    item = DetectionDataset([face], image_processor(DetectorRecipe(image_size=64)), seed=0)[0]
    assert item["boxes"].tolist() == [[0.5, 0.5, 1.0, 1.0]] * 2
    assert item["class_labels"].tolist() == [0, 1]


def test_an_item_depends_on_the_seed_and_its_index_only(tmp_path: Path) -> None:
    first, second, other = dataset(tmp_path, 3), dataset(tmp_path, 3), dataset(tmp_path, 4)
    backwards = {index: second[index] for index in reversed(range(9))}
    for index in range(9):
        for key, value in first[index].items():
            assert torch.equal(value, backwards[index][key])
    assert any(not torch.equal(first[index]["pixel_values"], other[index]["pixel_values"]) for index in range(9))


def test_batches_stack_pixels_and_keep_labels_apart(tmp_path: Path) -> None:
    photos = dataset(tmp_path, seed=0)
    pixels, labels = collate([photos[index] for index in range(3)])
    assert pixels.shape == (3, 3, 64, 64)
    assert [set(label) for label in labels] == [{"class_labels", "boxes"}] * 3
