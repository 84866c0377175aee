"""Deformable attention in another order of the axes: what transformers computes."""

from pathlib import Path

import torch
from transformers import AutoModelForObjectDetection
from transformers.models.deimv2.modeling_deimv2 import multi_scale_deformable_attention_v2

from serve_app.runtimes.deformable import CORE, queries_last, sampled
from tests.support.checkpoints import write_tiny_detector


def test_it_is_what_transformers_computes_also_for_points_beyond_the_photo() -> None:
    generator = torch.Generator().manual_seed(0)
    n, heads, channels, queries = 2, 3, 5, 7
    shapes, points = [(6, 4), (3, 2)], [4, 2]
    value = torch.randn(n, 6 * 4 + 3 * 2, heads, channels, generator=generator)
    locations = 1.6 * torch.rand(n, queries, heads, sum(points), 2, generator=generator) - 0.3
    weights = torch.randn(n, queries, heads, sum(points), generator=generator).softmax(-1)
    # transformers asks for the levels as an axis of their own only to count them.
    wanted = multi_scale_deformable_attention_v2(value, shapes, locations, weights, points)
    torch.testing.assert_close(sampled(value, shapes, locations, weights, points), wanted)


def test_a_model_computes_it_so_within_the_block_only(tmp_path: Path) -> None:
    folder = write_tiny_detector(tmp_path, "deimv2")
    model = AutoModelForObjectDetection.from_pretrained(folder, local_files_only=True).eval()
    parts = [part for part in model.modules() if hasattr(part, CORE)]
    before = [getattr(part, CORE) for part in parts]
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = model(pixel_values=pixels).logits
        with queries_last(model):
            assert {getattr(part, CORE) for part in parts} == {sampled}
            torch.testing.assert_close(model(pixel_values=pixels).logits, wanted, atol=1e-4, rtol=1e-4)
    assert [getattr(part, CORE) for part in parts] == before
    assert parts
