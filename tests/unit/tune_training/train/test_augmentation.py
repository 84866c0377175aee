import numpy as np
import pytest
import torch

from tune_training.train.augmentation import Augment

SIZE, SIDE = 32, 40
MEAN, DEVIATION = torch.full((1, 3, 1, 1), 127.5), torch.full((1, 3, 1, 1), 127.5)


def varied(crops: torch.Tensor, strength: float, seed: int = 0, *, close_up: bool = False) -> torch.Tensor:
    """The augmented crops, as pixels from 0 to 255."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    closes = torch.full((len(crops),), close_up)
    return Augment(SIZE, strength, MEAN, DEVIATION)(crops, closes, generator) * 127.5 + 127.5


def noise(count: int = 16) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8))


def test_no_augmentation_is_the_middle_of_the_working_crop() -> None:
    crops = noise()
    torch.testing.assert_close(varied(crops, 0.0), crops[:, 4:36, 4:36].permute(0, 3, 1, 2).float(), atol=1e-3, rtol=0)


@pytest.mark.parametrize("close_up", [True, False])
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_the_result_is_what_the_model_takes(strength: float, close_up: bool) -> None:
    for seed in range(10):
        pixels = varied(noise(), strength, seed, close_up=close_up)
        assert (pixels.shape, pixels.dtype) == ((16, 3, SIZE, SIZE), torch.float32)
        assert pixels.min() >= -1e-3
        assert pixels.max() <= 255.001


def test_it_depends_on_the_generator_only() -> None:
    torch.manual_seed(1)
    first = varied(noise(), 1.0, seed=3)
    torch.manual_seed(2)
    assert torch.equal(first, varied(noise(), 1.0, seed=3))
    assert not torch.equal(first, varied(noise(), 1.0, seed=4))


def test_a_weaker_augmentation_changes_less() -> None:
    smooth = torch.nn.functional.interpolate(torch.rand(64, 3, 4, 4) * 255, (SIDE, SIDE), mode="bicubic").clamp(0, 255)
    crops = smooth.permute(0, 2, 3, 1).to(torch.uint8)
    plain = varied(crops, 0.0)
    changes = [(varied(crops, strength) - plain).abs().mean().item() for strength in (0.1, 0.5, 1.0)]
    assert changes == sorted(changes)
    assert changes[0] < 0.8 * changes[2]


def test_half_of_the_photos_are_mirrored() -> None:
    crops = torch.zeros(400, SIDE, SIDE, 3, dtype=torch.uint8)
    crops[:, :, : SIDE // 2] = 255
    brighter_left = varied(crops, 1e-3)[..., : SIZE // 2].mean(dim=(1, 2, 3)) > 127
    assert 0.4 < brighter_left.float().mean() < 0.6


def test_the_middle_still_shows_the_person() -> None:
    """Under any augmentation, the middle of the crop shows mostly the person, not the surroundings."""
    crops = torch.full((200, SIDE, SIDE, 3), 20, dtype=torch.uint8)
    crops[:, 4:36, 4:36] = 230
    middle = varied(crops, 1.0)[:, :, 10:22, 10:22]
    assert (middle > 100).float().mean() > 0.85


def test_close_ups_are_sometimes_shown_smaller_on_a_background() -> None:
    crops = torch.full((200, SIDE, SIDE, 3), 0, dtype=torch.uint8)
    crops[..., 0] = 230
    red = (varied(crops, 1.0, close_up=True)[:, 0] > 150) & (varied(crops, 1.0, close_up=True)[:, 1] < 90)
    shares = red.float().mean(dim=(1, 2))
    assert (shares > 0.05).float().mean() > 0.8  # the face is still there; some crops are grey
    assert 0.1 < (shares < 0.8).float().mean() < 0.6
