"""Files that `serve_app.checkpoints` accepts as a checkpoint; there is no model in them, so they are cheap to write."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_checkpoint_files(path: Path, *, floats: int = 1000, seed: int = 0) -> Path:
    """Writes a checkpoint with one random tensor to `path` and returns it."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text('{"model_type": "vit"}')
    (path / "preprocessor_config.json").write_text("{}")
    save_file({"weight": np.random.default_rng(seed).random(floats, dtype=np.float32)}, path / "model.safetensors")
    return path


def shard(path: Path) -> Path:
    """Splits the weights of a checkpoint into two shards with an index, and returns it."""
    (path / "model.safetensors").unlink()
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for number, name in enumerate(names):
        save_file({f"weight{number}": np.full(10, number, dtype=np.float32)}, path / name)
    index = {"weight_map": {f"weight{number}": name for number, name in enumerate(names)}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    return path


def truncate(file: Path) -> None:
    """Removes the last byte."""
    file.write_bytes(file.read_bytes()[:-1])
