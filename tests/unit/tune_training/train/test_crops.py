import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from serve_app.vision.cropping import CropSpec, crop_person
from serve_app.vision.images import Box
from serve_app.vision.people import DetectedPerson
from tests.support.drawn_photos import BLUE, RED, draw, save
from tune_training.data.photo import WHOLE_PHOTO, Photo
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.train.crops import cached_crops, working_crop, working_side

SPEC = CropSpec(margin=0.0, aspect=1.5, size=32, views=("head", "person"), head_margin=0.1)


def labelled(path: Path, box: Box = WHOLE_PHOTO, head: Box | None = None) -> Photo:
    return Photo(str(path.parent), path.name, "male", box=box, head=head, sha256=path.name)


def somebody(box: Box, head: Box | None = None) -> DetectedPerson:
    return labelled(Path("a.jpg"), box, head).person


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    for number in range(6):
        save(draw([(2, 2, 94, 62)], colour=(40 * number, 20, 20)), tmp_path / f"{number}.jpg")
    return [labelled(tmp_path / f"{number}.jpg") for number in range(6)]


@pytest.mark.parametrize("size", [(8, 8), (9, 40), (200, 12), (112, 112), (144, 500)], ids=str)
@pytest.mark.parametrize(
    "box",
    [WHOLE_PHOTO, (0.3, 0.1, 0.7, 1.0), (0.0, 0.0, 0.3, 0.2), (0.9, 0.9, 1.0, 1.0), (0.5, 0.5, 0.5, 0.5)],
    ids=["portrait", "body", "head", "corner", "nothing"],
)
@pytest.mark.parametrize("head", [None, (0.4, 0.1, 0.6, 0.3), (0.0, 0.0, 0.0, 0.0)], ids=["no-head", "head", "nothing"])
def test_the_middles_are_the_crop_of_serving(size: tuple[int, int], box: Box, head: Box | None) -> None:
    photo = np.asarray(Image.effect_noise(size, 50).convert("RGB"))
    views = working_crop(photo, somebody(box, head), SPEC)
    assert views.shape == (2, working_side(32), working_side(32), 3) == (2, 40, 40, 3)
    np.testing.assert_array_equal(np.concatenate(views[:, 4:36, 4:36]), crop_person(photo, somebody(box, head), SPEC))


def test_the_border_shows_what_lies_around_the_box() -> None:
    photo = np.asarray(draw([(40, 40, 80, 80)], (120, 120), RED)).copy()
    photo[:40] = BLUE
    person = somebody((40 / 120, 40 / 120, 80 / 120, 80 / 120))
    crop = working_crop(photo, person, SPEC)[1].astype(int)
    assert np.abs(crop[0] - BLUE).max() < 10
    assert np.abs(crop[20, 20] - RED).max() < 10
    assert np.abs(crop[20, 0] - 128).max() < 10


def test_beyond_the_photo_the_border_is_black() -> None:
    photo = np.full((60, 60, 3), 200, dtype=np.uint8)
    person = working_crop(photo, somebody(WHOLE_PHOTO, (0.0, 0.4, 0.2, 0.6)), SPEC)[1]
    assert (person[4:36, 4:36] == 200).all()
    assert (person[:3] == 0).all() and (person[-3:] == 0).all()
    assert (person[:, :3] == 0).all() and (person[:, -3:] == 0).all()


def test_the_view_of_a_head_that_is_not_seen_is_black() -> None:
    head, person = working_crop(np.full((60, 60, 3), 200, dtype=np.uint8), somebody(WHOLE_PHOTO), SPEC)
    assert (head == 0).all()
    assert person.any()


def test_the_photo_is_turned_upright_as_serving_does(tmp_path: Path) -> None:
    """The lower half as displayed, not as stored by the camera."""
    stored = Image.new("RGB", (64, 64), BLUE)
    stored.paste(RED, (32, 0, 64, 64))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # rotated clockwise, so the right half is at the bottom
    stored.save(tmp_path / "turned.png", exif=exif)
    photo = labelled(tmp_path / "turned.png", (0.2, 0.55, 0.6, 0.95), (0.3, 0.6, 0.5, 0.8))
    assert (cached_crops([photo], SPEC, tmp_path / "crops").read_proper(0, 1).numpy() == RED).all()


def test_proper_crops_are_those_of_serving_and_in_order(photos: list[Photo], tmp_path: Path) -> None:
    headed = [replace(photo, head=(0.2, 0.2, 0.5, 0.6)) for photo in photos]
    crops = cached_crops(headed, SPEC, tmp_path / "crops")
    assert (crops.size, crops.border, len(crops)) == (32, 4, 6)
    expected = [crop_person(np.asarray(Image.open(photo.uri)), photo.person, SPEC) for photo in headed[2:4]]
    np.testing.assert_array_equal(crops.read_proper(2, 4).numpy(), expected)


def test_a_head_found_later_is_cropped_anew(photos: list[Photo], tmp_path: Path) -> None:
    without = cached_crops(photos[1:2], SPEC, tmp_path / "crops")
    with_head = cached_crops([replace(photos[1], head=(0.2, 0.2, 0.5, 0.6))], SPEC, tmp_path / "crops")
    assert not without.pixels[0, 0].any()
    assert with_head.pixels[0, 0].any()


def test_crops_come_in_the_order_asked_for(photos: list[Photo], tmp_path: Path) -> None:
    crops = cached_crops(photos, SPEC, tmp_path / "crops")
    reds = crops.read(np.array([4, 0, 4, 2]))[:, 1, 20, 20, 0].int().tolist()
    assert reds == pytest.approx([160, 0, 160, 80], abs=8)


def test_some_of_the_photos_come_with_their_crops(photos: list[Photo], tmp_path: Path) -> None:
    crops = cached_crops(photos, SPEC, tmp_path / "crops")
    some = crops.only(np.array([5, 1, 4])).only(np.array([0, 2]))
    assert [photo.name for photo in some.photos] == ["5.jpg", "4.jpg"]
    assert some.read(np.array([1, 0])).equal(crops.read(np.array([4, 5])))
    assert some.read_proper(0, 2).equal(crops.read_proper(4, 6).flip(0))
    assert some.read_proper(1, 9).equal(crops.read_proper(4, 5))


def test_photos_are_read_once_however_many_ask(photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = storage.read_bytes

    def counted(uri: str) -> bytes:
        read.append(uri)
        return original(uri)

    monkeypatch.setattr(storage, "read_bytes", counted)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: cached_crops(photos, SPEC, tmp_path / "crops"), range(4)))
    assert sorted(read) == sorted(each.uri for each in photos)
    assert all(np.array_equal(found[0].pixels, each.pixels) for each in found)
    cached_crops(list(reversed(photos)), SPEC, tmp_path / "crops")
    assert len(read) == 2 * len(photos)  # another order is cached in another file


def test_what_is_not_used_for_a_week_is_removed(photos: list[Photo], tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    cached_crops(photos[:2], SPEC, folder)
    (old,) = folder.glob("*.npy")
    os.utime(old, (time.time() - 8 * 86_400,) * 2)
    cached_crops(photos[2:], SPEC, folder)
    assert not old.exists()
    assert len(list(folder.glob("*.npy"))) == 1


def test_a_photo_that_is_gone_is_named(photos: list[Photo], tmp_path: Path) -> None:
    Path(photos[3].uri).unlink()
    with pytest.raises(InputError, match=r"3\.jpg: the photo can no longer be read .*Run prepare again"):
        cached_crops(photos, SPEC, tmp_path / "crops")
    assert not list((tmp_path / "crops").glob("*.npy"))


def test_too_little_disk_is_told_before_photos_are_read(photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 6 * 2 * 40 * 40 * 3 - 1, "total": 10**12}))
    with pytest.raises(InputError, match="are free on that disk"):
        cached_crops(photos, SPEC, tmp_path / "crops")
