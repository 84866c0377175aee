import numpy as np
import pytest
import torch

from tune_training.train import augmentation as module
from tune_training.train.augmentation import Augment

SIZE, SIDE = 32, 40
HEAD, PERSON = slice(0, SIZE), slice(SIZE, 2 * SIZE)  # rows of the result
MEAN, DEVIATION = torch.full((1, 3, 1, 1), 127.5), torch.full((1, 3, 1, 1), 127.5)


def varied(views: torch.Tensor, strength: float, seed: int = 0) -> torch.Tensor:
    """The augmented views, as pixels from 0 to 255."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    return Augment(SIZE, strength, MEAN, DEVIATION)(views, generator) * 127.5 + 127.5


def noise(count: int = 16) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 2, SIDE, SIDE, 3), dtype=np.uint8))


def plain(count: int, head: int, person: int) -> torch.Tensor:
    """Views of one brightness each."""
    brightness = torch.tensor([head, person], dtype=torch.uint8)
    return brightness.reshape(1, 2, 1, 1, 1).expand(count, 2, SIDE, SIDE, 3).clone()


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Turns all variations off except for mirror images; a test turns on what it is about."""
    monkeypatch.setattr(module, "SCALE", (1.0, 1.0))
    for name in ("STRETCH", "SHIFT", "TURN", "COLOUR", "GREY", "BLUR", "COMPRESS", "ERASE", "COVER", "ONE_VIEW"):
        monkeypatch.setattr(module, name, 0.0)
    return monkeypatch


def test_no_augmentation_is_the_middle_of_the_working_views_the_head_on_top() -> None:
    views = noise()
    pixels = varied(views, 0.0)
    for rows, view in ((HEAD, 0), (PERSON, 1)):
        torch.testing.assert_close(pixels[:, :, rows], views[:, view, 4:36, 4:36].permute(0, 3, 1, 2).float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_the_result_is_what_the_model_takes(strength: float) -> None:
    for seed in range(10):
        pixels = varied(noise(), strength, seed)
        assert (pixels.shape, pixels.dtype) == ((16, 3, 2 * SIZE, SIZE), torch.float32)
        assert pixels.min() >= -1e-3
        assert pixels.max() <= 255.001


def test_one_view_is_taken_too_and_never_hidden(only: pytest.MonkeyPatch) -> None:
    only.setattr(module, "ONE_VIEW", 1.0)
    pixels = varied(noise()[:, :1], 1.0)
    assert pixels.shape == (16, 3, SIZE, SIZE)
    assert (pixels.amax(dim=(1, 2, 3)) > 200).all()


def test_it_depends_on_the_generator_only() -> None:
    torch.manual_seed(1)
    first = varied(noise(), 1.0, seed=3)
    torch.manual_seed(2)
    assert torch.equal(first, varied(noise(), 1.0, seed=3))
    assert not torch.equal(first, varied(noise(), 1.0, seed=4))


def test_a_weaker_augmentation_changes_less() -> None:
    smooth = torch.nn.functional.interpolate(torch.rand(128, 3, 4, 4) * 255, (SIDE, SIDE), mode="bicubic").clamp(0, 255)
    views = smooth.permute(0, 2, 3, 1).to(torch.uint8).unflatten(0, (64, 2))
    unchanged = varied(views, 0.0)
    changes = [(varied(views, strength) - unchanged).abs().mean().item() for strength in (0.1, 0.5, 1.0)]
    assert changes == sorted(changes)
    assert changes[0] < 0.8 * changes[2]


def test_half_of_the_photos_are_mirrored_both_views_alike(only: pytest.MonkeyPatch) -> None:
    views = torch.zeros(400, 2, SIDE, SIDE, 3, dtype=torch.uint8)
    views[:, :, :, : SIDE // 2] = 255
    left = varied(views, 1.0)[..., : SIZE // 2]
    head, person = (left[:, :, rows].mean(dim=(1, 2, 3)) > 127 for rows in (HEAD, PERSON))
    assert torch.equal(head, person)
    assert 0.4 < head.float().mean() < 0.6


def test_all_else_differs_between_the_views_of_a_photo(only: pytest.MonkeyPatch) -> None:
    only.setattr(module, "SHIFT", 0.08)
    views = noise()[:, :1].expand(-1, 2, -1, -1, -1)
    pixels = varied(views, 1.0)
    assert ((pixels[:, :, HEAD] - pixels[:, :, PERSON]).abs().amax(dim=(1, 2, 3)) > 20).all()


def test_the_middle_still_shows_the_person(only: pytest.MonkeyPatch) -> None:
    """However a view is turned, shifted and scaled, its middle shows mostly the person, not the surroundings."""
    only.undo()
    for name in ("ERASE", "COVER", "ONE_VIEW"):
        only.setattr(module, name, 0.0)
    views = torch.full((200, 2, SIDE, SIDE, 3), 20, dtype=torch.uint8)
    views[:, :, 4:36, 4:36] = 230
    pixels = varied(views, 1.0)
    for rows in (HEAD, PERSON):
        assert (pixels[:, :, rows][:, :, 10:22, 10:22] > 100).float().mean() > 0.9


def test_beyond_the_working_view_is_black(only: pytest.MonkeyPatch) -> None:
    only.setattr(module, "SCALE", (1.5, 1.5))  # the working view is 40 / 32 = 1.25 of the view proper
    pixels = varied(plain(4, 255, 255), 1.0)
    for view in (pixels[:, :, HEAD], pixels[:, :, PERSON]):
        assert view[:, :, [0, 1, -2, -1]].max() < 1e-3
        assert view[..., [0, 1, -2, -1]].max() < 1e-3
        assert view[:, :, 4:-4, 4:-4].min() > 254


def test_sometimes_one_view_is_hidden_and_never_both(only: pytest.MonkeyPatch) -> None:
    only.setattr(module, "ONE_VIEW", 0.5)
    pixels = varied(noise(400), 1.0)
    head, person = (pixels[:, :, rows].amax(dim=(1, 2, 3)) < 1e-3 for rows in (HEAD, PERSON))
    assert not (head & person).any()
    assert 0.18 < head.float().mean() < 0.32
    assert 0.18 < person.float().mean() < 0.32


def test_the_person_is_never_hidden_where_no_head_is_seen(only: pytest.MonkeyPatch) -> None:
    for name in ("ONE_VIEW", "COVER"):
        only.setattr(module, name, 1.0)
    views = noise(100)
    views[:, 0] = 0
    pixels = varied(views, 1.0)
    assert pixels[:, :, HEAD].max() < 1e-3
    assert (pixels[:, :, PERSON].amax(dim=(1, 2, 3)) > 200).all()


def test_the_top_of_a_head_is_sometimes_covered_in_one_colour(only: pytest.MonkeyPatch) -> None:
    only.setattr(module, "COVER", 0.5)
    pixels = varied(plain(200, 90, 200), 1.0)
    torch.testing.assert_close(pixels[:, :, PERSON], torch.full((200, 3, SIZE, SIZE), 200.0), atol=1e-3, rtol=0)
    changed = ((pixels[:, :, HEAD] - 90).abs() > 1e-3).any(dim=1)
    covered = changed.flatten(1).any(dim=1)
    assert 0.4 < covered.float().mean() < 0.6
    depths = changed[covered].all(dim=2).sum(dim=1)
    assert torch.equal(changed[covered].any(dim=2).sum(dim=1), depths)  # whole rows
    assert int(0.15 * SIZE) <= depths.min() < depths.max() <= int(0.35 * SIZE)
    tops = pixels[covered][:, :, :4].flatten(2)
    torch.testing.assert_close(tops.amax(dim=2), tops.amin(dim=2), atol=1e-3, rtol=0)
