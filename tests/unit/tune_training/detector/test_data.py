import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.drawn_photos import draw, write_people
from tune_training.detector.data import Boxes, DetectionDataset, augment, close_ups, collate, read_coco
from tune_training.detector.train import DetectorRecipe, image_processor

SEEDS = range(300)
FIGURES = [(20, 30, 80, 170), (150, 10, 260, 190)]
SIZE = (320, 200)


def relative(figures: list[tuple[int, int, int, int]], size: tuple[int, int] = SIZE) -> Boxes:
    return np.asarray(np.array(figures).reshape(-1, 4) / np.array([*size, *size]), dtype=np.float32)


def augmented(seed: int, figures: list[tuple[int, int, int, int]]) -> tuple[Image.Image, Boxes]:
    return augment(draw(figures, SIZE), relative(figures), np.random.default_rng(seed))


def figure_pixels(image: Image.Image) -> np.ndarray:
    """Where the red figure is. It has far less green than the background, and colour augmentation keeps it so."""
    pixels = np.asarray(image).astype(int)
    green = pixels[..., 1]
    if np.ptp(green) > 12:
        return np.asarray(green < (green.min() + green.max()) / 2)
    return np.full(green.shape, np.ptp(pixels, axis=-1).max() > 20)  # all figure or all background


def test_a_coco_file_is_read(tmp_path: Path) -> None:
    document = {
        "images": [
            {"id": 5, "file_name": "train/a.jpg", "width": 200, "height": 100, "source": "voc"},
            {"id": 9, "file_name": "b.jpg", "width": 10, "height": 10},
        ],
        "annotations": [{"image_id": 5, "bbox": [20, 10, 100, 50]}, {"image_id": 5, "bbox": [150, 0, 60, 100]}],
    }
    index = tmp_path / "train.json"
    index.write_text(json.dumps(document))
    first, second = read_coco(index)
    assert (first.path, first.source) == (tmp_path / "train" / "a.jpg", "voc")
    np.testing.assert_allclose(first.boxes, [[0.1, 0.1, 0.6, 0.6], [0.75, 0, 1, 1]])  # clipped to the photo
    assert (second.source, second.boxes.shape, second.boxes.dtype.name) == ("", (0, 4), "float32")


def test_close_ups_are_people_from_edge_to_edge() -> None:
    (photo,) = close_ups([Path("face.jpg")])
    assert photo.boxes.tolist() == [[0, 0, 1, 1]]


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


def test_photos_without_people_stay_without() -> None:
    for seed in range(40):
        _, boxes = augment(draw([], SIZE), relative([]), np.random.default_rng(seed))
        assert boxes.shape == (0, 4)
        assert boxes.dtype == np.float32


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 40), (2000, 40)])
def test_odd_sizes_are_taken(size: tuple[int, int]) -> None:
    for seed in range(20):
        image, boxes = augment(Image.new("RGB", size), np.array([[0, 0, 1, 1]], dtype=np.float32), np.random.default_rng(seed))
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
        assert (item["class_labels"] == 0).all()
        assert ((item["boxes"] >= 0) & (item["boxes"] <= 1)).all()


def test_boxes_are_given_as_centre_and_size(tmp_path: Path) -> None:
    draw([]).save(tmp_path / "face.png")
    photos = DetectionDataset(close_ups([tmp_path / "face.png"]), image_processor(DetectorRecipe(image_size=64)), seed=0)
    assert photos[0]["boxes"].tolist() == [[0.5, 0.5, 1.0, 1.0]]


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
