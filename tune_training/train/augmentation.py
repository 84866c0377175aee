"""Augments a batch of working crops (see `crops`) with torch alone, on the device where they are.

The crops of a detector range from a face from edge to edge to a whole person. No collection has them all, so crops are varied in both
directions. One interpolation does all of the geometry, and one matrix product all of the colour and the normalisation, so that training
spends its time in the model.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

ZOOM_OUT = 0.5  # chance that a close-up is put, smaller, on a background
UPPER_PART = 0.3  # chance that only the upper part of a photo that is not a close-up is shown
LOOSEN = 0.3  # chance that a photo that is not a close-up is shown with more of its surroundings
SHIFT = 0.12  # largest shift of each edge, as a share of the crop's side
TURN = 0.4  # chance of a rotation
TURN_DEGREES = 12.0
COLOUR = 0.35  # largest relative change of brightness, contrast and saturation
GREY = 0.1  # chance of a grey photo
BLUR = 0.2  # chance of a photo of low resolution
ERASE = 0.2  # chance that a patch is painted over (Zhong et al. 2020, Random Erasing)

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Augment:
    """Working crops to the model's input.

    Attributes:
        size: side of the crop proper, pixels.
        strength: 0: the crops as the service makes them; 1: the constants above; in between, chances and ranges shrink alike.
        mean, deviation: (1, 3, 1, 1), of pixels of 0 to 255.
    """

    size: int
    strength: float
    mean: Tensor
    deviation: Tensor

    def __call__(self, crops: Tensor, close_up: Tensor, generator: torch.Generator) -> Tensor:
        """(n, side, side, 3) uint8 and (n,) bool in, (n, 3, size, size) float32 out, normalised."""
        border = (crops.shape[1] - self.size) // 2
        if not self.strength:
            proper = crops[:, border : border + self.size, border : border + self.size]
            return (proper.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        photos = crops.permute(0, 3, 1, 2).float()
        varied = _geometry(photos, self.size, close_up, self.strength, generator)
        _blur(varied, self.strength, generator)
        _erase(varied, self.strength, generator)
        return _colour(varied, self.strength, self.mean, self.deviation, generator)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device) * (high - low) + low


def _chance(count: int, probability: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device) < probability


def _geometry(photos: Tensor, size: int, close_up: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Flip, turn, shift, widen, the upper part, and close-ups put smaller on a background; (n, 3, size, size)."""
    count, side = len(photos), photos.shape[-1]
    proper = size / side  # the crop proper ends here, where the working crop ends at 1
    edges = torch.stack([torch.full((count,), value, device=photos.device) for value in (-proper, -proper, proper, proper)], dim=1)
    # The upper middle of a box that may show a whole person: about the head and the shoulders.
    upper = ~close_up & _chance(count, UPPER_PART * strength, generator)
    half = proper * _uniform(count, 0.5, 1.0, generator)
    centre = (proper - half) * _uniform(count, -0.4, 0.4, generator)
    bottom = torch.clamp(2 * half * _uniform(count, 0.6, 0.9, generator) - proper, max=proper)
    head = torch.stack([centre - half, edges[:, 1], centre + half, bottom], dim=1)
    edges = torch.where(upper[:, None], head, edges)
    loose = ~close_up & ~upper & _chance(count, LOOSEN * strength, generator)
    edges = torch.where(loose[:, None], edges * _uniform(count, 1.0, 1 / proper, generator)[:, None], edges)
    extent = (edges[:, 2:] - edges[:, :2]).repeat(1, 2)
    edges = edges + extent * SHIFT * strength * (torch.rand(count, 4, generator=generator, device=photos.device) * 2 - 1)
    small = close_up & _chance(count, ZOOM_OUT * strength, generator)
    shown = _uniform(count, 1 - 0.65 * strength, 0.95, generator)  # side of the photo on its background
    shrink = torch.where(small, 1 / shown, torch.ones_like(shown))
    half_extent = (edges[:, 2:] - edges[:, :2]) / 2 * shrink[:, None]
    middle = (edges[:, 2:] + edges[:, :2]) / 2
    room = (half_extent - proper).clamp(min=0) * small[:, None]
    middle = middle + room * (torch.rand(count, 2, generator=generator, device=photos.device) * 1.2 - 0.6)
    turn = _uniform(count, -1, 1, generator) * math.radians(TURN_DEGREES) * strength * _chance(count, TURN, generator)
    half_extent[:, 0] *= 1 - 2 * _chance(count, 0.5, generator).float()  # a mirror image
    cosine, sine = turn.cos(), turn.sin()
    rows = [
        torch.stack([cosine * half_extent[:, 0], -sine * half_extent[:, 1], middle[:, 0]], dim=1),
        torch.stack([sine * half_extent[:, 0], cosine * half_extent[:, 1], middle[:, 1]], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1), [count, 3, size, size], align_corners=False)
    varied = functional.grid_sample(photos, grid, padding_mode="reflection", align_corners=False)
    if small.any():
        _put_on_background(varied, photos, grid, small, proper, generator)
    return varied


def _put_on_background(varied: Tensor, photos: Tensor, grid: Tensor, small: Tensor, proper: float, generator: torch.Generator) -> None:
    """Replaces what lies outside of the photo: by a plain colour, or by the photo blurred and stretched."""
    photos, grid = photos[small], grid[small]
    # Halved first: interpolation at up to three times the step would skip pixels.
    smaller = functional.grid_sample(functional.avg_pool2d(photos, 2), grid, padding_mode="border", align_corners=False)
    outside = (grid.abs() > proper).any(dim=-1)[:, None]
    size = varied.shape[-2:]
    blurred = functional.interpolate(functional.adaptive_avg_pool2d(photos, 6), size, mode="bilinear", align_corners=False)
    plain = _uniform(len(photos) * 3, 0, 255, generator).reshape(-1, 3, 1, 1).expand_as(blurred)
    background = torch.where(_chance(len(photos), 0.5, generator)[:, None, None, None], blurred, plain)
    varied[small] = torch.where(outside, background, smaller)


def _blur(photos: Tensor, strength: float, generator: torch.Generator) -> None:
    """Lowers the resolution of some photos, as of people far away; in place."""
    chosen = _chance(len(photos), BLUR * strength, generator)
    if chosen.any():
        size = photos.shape[-1]
        small = max(1, int(size * float(_uniform(1, 0.3, 0.7, generator))))
        reduced = functional.interpolate(photos[chosen], (small, small), mode="bilinear", align_corners=False)
        photos[chosen] = functional.interpolate(reduced, (size, size), mode="bilinear", align_corners=False)


def _erase(photos: Tensor, strength: float, generator: torch.Generator) -> None:
    """Paints over a patch of some photos; in place."""
    size = photos.shape[-1]
    for index in _chance(len(photos), ERASE * strength, generator).nonzero().flatten().tolist():
        height, width, top, left, *colour = _uniform(7, 0, 1, generator).tolist()
        height, width = (int((0.1 + 0.25 * share) * size) for share in (height, width))
        top, left = int(top * (size - height)), int(left * (size - width))
        patch = photos[index, :, top : top + height, left : left + width]
        patch.copy_(torch.tensor(colour, device=photos.device).reshape(3, 1, 1).mul(255).expand_as(patch))


def _colour(photos: Tensor, strength: float, mean: Tensor, deviation: Tensor, generator: torch.Generator) -> Tensor:
    """Saturation, contrast, brightness and the model's normalisation, as one matrix and one offset for each photo."""
    count = len(photos)
    brightness, contrast, saturation = (
        1 + strength * COLOUR * _uniform(count, -1, 1, generator) * _chance(count, 0.5, generator) for _ in range(3)
    )
    saturation = saturation * ~_chance(count, GREY * strength, generator)
    luma = torch.tensor(_LUMA, device=photos.device)
    pivot = photos[:, :, ::8, ::8].mean(dim=(2, 3)) @ luma  # contrast is about the mean brightness, estimated from a few pixels
    saturate = torch.eye(3, device=photos.device) * saturation[:, None, None] + luma * (1 - saturation)[:, None, None]
    matrix = saturate * (contrast * brightness)[:, None, None]
    offset = (pivot * (1 - contrast) * brightness)[:, None].expand(-1, 3)
    pixels = torch.baddbmm(offset[:, :, None], matrix, photos.flatten(2)).clamp_(0, 255).view_as(photos)
    return pixels.sub_(mean).div_(deviation)
