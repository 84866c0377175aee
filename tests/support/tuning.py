"""A hyperparameter search that takes seconds: drawn photos, a tiny ViT, and a search space of a few epochs."""

from dataclasses import dataclass
from pathlib import Path

from tests.support.checkpoints import write_tiny_classifier
from tests.support.drawn_photos import BLUE, RED, draw, save
from tune_training.data.manifest import Manifest, write_manifest
from tune_training.data.photo import Photo
from tune_training.tune.options import TuneOptions

SPACE = """
original: {{learning_rate: 1.0e-3, batch_size: 16}}
search:
  learning_rate: {{log_uniform: [1.0e-4, 1.0e-1]}}
  augmentation: {{choice: [0.0, 0.5]}}
  mixup: {{choice: [0.0, 0.2]}}
  epochs: {epochs}
"""


@dataclass(frozen=True)
class TinySearch:
    """The files that a search needs, in one folder."""

    folder: Path
    epochs: int = 4

    @property
    def manifest(self) -> str:
        """Path of the manifest: 40 training photos, 16 validation photos."""
        return str(self.folder / "manifest.parquet")

    @property
    def space(self) -> Path:
        """Path of the search space."""
        return self.folder / "space.yaml"

    @property
    def start(self) -> str:
        """Path of the pretrained ViT."""
        return str(self.folder / "vit")

    def write(self) -> "TinySearch":
        """Draws the photos, red women and blue men, and writes the other files."""
        root = str(self.folder / "photos")
        photos = []
        for split, count in (("train", 20), ("val", 8)):
            for label, colour in (("female", RED), ("male", BLUE)):
                for number in range(count):
                    name = f"{split}_{label}_{number}.jpg"
                    Path(root).mkdir(parents=True, exist_ok=True)
                    save(draw([(2, 2, 94, 62)], colour=colour), Path(root) / name)
                    source = "web" if number % 2 else "camera"
                    photos.append(Photo(root, name, label, split, source, width=96, height=64, bytes=1, sha256=f"{self.folder} {name}"))
        write_manifest(Manifest(photos, root), self.manifest)
        self.space.write_text(SPACE.format(epochs=self.epochs))
        write_tiny_classifier(Path(self.start), ("cat", "dog", "tree"))
        return self

    def options(self, **options: object) -> TuneOptions:
        """Options for three trials, as many at a time as there are CPUs."""
        chosen = {"space": self.space, "start": self.start, "trials": 3, "cpus_per_trial": 0.5, "gpus_per_trial": 0} | options
        return TuneOptions(**chosen)  # type: ignore[arg-type] # each test names its own
