"""Augments a batch of working views (see `crops`) with torch alone, on the device where they are.

The detector's boxes are never exact, photos are dark, blurred, compressed and cut off, and people wear hats: the views are varied in all of
these ways. Sometimes one of the two views is black, so that the other alone can answer. One interpolation does all of the geometry, and one
matrix product all of the colour and the normalisation, so that training spends its time in the model.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

SCALE = (0.8, 1.2)  # of the window
STRETCH = 0.08  # largest change of one of its sides alone, as a share
SHIFT = 0.08  # largest shift, as a share of its side
TURN = 0.5  # chance of a rotation
TURN_DEGREES = 15.0
COLOUR = 0.4  # largest relative change of brightness, contrast and saturation
GREY = 0.1  # chance of a grey photo
BLUR = 0.25  # chance of a photo of low resolution
COMPRESS = 0.1  # chance of a JPEG of low quality
ERASE = 0.25  # chance that a patch is painted over (Zhong et al. 2020, Random Erasing)
COVER = 0.1  # chance that the top of the head is painted over, as by a hat
ONE_VIEW = 0.25  # chance that one of the views is black
AT_ONCE = 16  # views that are moved in one step: few enough for a processor's cache, where it is twice as fast

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Augment:
    """Working views to the model's input.

    Attributes:
        size: side of a view proper, pixels.
        strength: 0: the views as the service makes them; 1: the constants above; in between, chances and ranges shrink alike.
        mean, deviation: (1, 3, 1, 1), of pixels of 0 to 255.
    """

    size: int
    strength: float
    mean: Tensor
    deviation: Tensor

    def __call__(self, views: Tensor, generator: torch.Generator) -> Tensor:
        """(n, views, side, side, 3) uint8 in, (n, 3, views * size, size) float32 out, normalised."""
        border = (views.shape[2] - self.size) // 2
        if not self.strength:
            proper = views[:, :, border : border + self.size, border : border + self.size]
            return (_stacked(proper.permute(0, 1, 4, 2, 3).float()) - self.mean) / self.deviation
        varied = _geometry(views.permute(0, 1, 4, 2, 3), self.size, self.strength, generator)
        _cover(varied, self.strength, generator)
        _hide_one(varied, self.strength, generator)
        photos = _stacked(varied)
        _blur(photos, self.strength, generator)
        _compress(photos, self.strength, generator)
        _erase(photos, self.strength, generator)
        return _colour(photos, self.strength, self.mean, self.deviation, generator)


def _stacked(views: Tensor) -> Tensor:
    """(n, views, 3, size, size) to (n, 3, views * size, size): the first view on top."""
    return views.permute(0, 2, 1, 3, 4).flatten(2, 3)


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device) * (high - low) + low


def _chance(count: int, probability: float, generator: torch.Generator) -> Tensor:
    return torch.rand(count, generator=generator, device=generator.device) < probability


def _geometry(views: Tensor, size: int, strength: float, generator: torch.Generator) -> Tensor:
    """Flip, turn, shift and scale; (n, views, 3, size, size) float32. The views of a photo are mirrored together, all else differs."""
    photos, number = views.shape[:2]
    count = photos * number
    proper = size / views.shape[-1]  # the view proper ends here, where the working view ends at 1
    low, high = (1 + strength * (end - 1) for end in SCALE)
    half = (proper * _uniform(count, low, high, generator))[:, None].repeat(1, 2)
    half = half * (1 + STRETCH * strength * (torch.rand(count, 2, generator=generator, device=views.device) * 2 - 1))
    middle = proper * SHIFT * strength * (torch.rand(count, 2, generator=generator, device=views.device) * 4 - 2)
    turn = _uniform(count, -1, 1, generator) * math.radians(TURN_DEGREES) * strength * _chance(count, TURN, generator)
    half[:, 0] *= 1 - 2 * _chance(photos, 0.5, generator).float().repeat_interleave(number)  # a mirror image
    cosine, sine = turn.cos(), turn.sin()
    across = torch.stack([cosine * half[:, 0], sine * half[:, 0]], dim=1)  # what a step to the right is in the working view
    down = torch.stack([-sine * half[:, 1], cosine * half[:, 1]], dim=1)
    steps = (torch.arange(size, device=views.device) * 2 + 1) / size - 1  # the middles of the pixels
    across, down = (steps[:, None] * direction[:, None] for direction in (across, down))
    flat, varied = views.flatten(0, 1), torch.empty(count, 3, size, size, device=views.device)
    for first in range(0, count, AT_ONCE):
        part = slice(first, first + AT_ONCE)
        grid = down[part, :, None] + across[part, None] + middle[part, None, None]
        # Black beyond the working view, as the service has it beyond the photo.
        varied[part] = functional.grid_sample(flat[part].contiguous().float(), grid, padding_mode="zeros", align_corners=False)
    return varied.reshape(photos, number, *varied.shape[1:])


def _cover(views: Tensor, strength: float, generator: torch.Generator) -> None:
    """Paints over the top of some heads that are seen, in place: hair is not all that tells."""
    size = views.shape[-1]
    covered = _chance(len(views), COVER * strength, generator) & (views[:, 0].flatten(1).amax(dim=1) > 0)
    for index in covered.nonzero().flatten().tolist():
        share, *colour = _uniform(4, 0, 1, generator).tolist()
        views[index, 0, :, : int((0.15 + 0.2 * share) * size)] = torch.tensor(colour, device=views.device).reshape(3, 1, 1) * 255


def _hide_one(views: Tensor, strength: float, generator: torch.Generator) -> None:
    """Blackens one view of some photos, in place; the head of some is not seen as it is."""
    photos, number = views.shape[:2]
    hidden = _chance(photos, ONE_VIEW * strength, generator) & (views.flatten(2).amax(dim=2) > 0).all(dim=1)
    which = torch.randint(number, (photos,), generator=generator, device=views.device)
    if number > 1:
        views[hidden, which[hidden]] = 0


def _blur(photos: Tensor, strength: float, generator: torch.Generator) -> None:
    """Lowers the resolution of some photos, as of people far away; in place."""
    chosen = _chance(len(photos), BLUR * strength, generator)
    if chosen.any():
        height, width = photos.shape[-2:]
        share = float(_uniform(1, 0.25, 0.8, generator))
        small = max(1, int(height * share)), max(1, int(width * share))
        reduced = functional.interpolate(photos[chosen], small, mode="bilinear", align_corners=False, antialias=True)
        photos[chosen] = functional.interpolate(reduced, (height, width), mode="bilinear", align_corners=False)


def _compress(photos: Tensor, strength: float, generator: torch.Generator) -> None:
    """Compresses some photos, as messengers do; in place."""
    for index in _chance(len(photos), COMPRESS * strength, generator).nonzero().flatten().tolist():
        quality = int(_uniform(1, 20, 70, generator))
        pixels = photos[index].permute(1, 2, 0).clamp(0, 255).byte().cpu().numpy()
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        with Image.open(file) as compressed:
            photos[index] = torch.from_numpy(np.array(compressed)).permute(2, 0, 1).to(photos)


def _erase(photos: Tensor, strength: float, generator: torch.Generator) -> None:
    """Paints over a patch of some photos; in place."""
    rows, columns = photos.shape[-2:]
    for index in _chance(len(photos), ERASE * strength, generator).nonzero().flatten().tolist():
        height, width, top, left, *colour = _uniform(7, 0, 1, generator).tolist()
        height, width = (int((0.1 + 0.25 * share) * columns) for share in (height, width))
        top, left = int(top * (rows - height)), int(left * (columns - width))
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
