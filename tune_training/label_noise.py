"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021, Estimating Uncertainty in Dataset Labels).

Each photo gets the probability of either label from a logistic regression that has not seen it, nor a near-duplicate of it, on a ViT's
features; cleanlab compares these probabilities with the labels. A person looks at what it finds: OUT/label-noise.html shows each photo,
OUT/corrections.csv proposes what `prepare --corrections` shall do with it.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from serve_app.runtimes.base import LABELS
from tune_training.data.corrections import DROP
from tune_training.data.folds import check_labels, near_duplicate_groups
from tune_training.data.manifest import read_manifest
from tune_training.data.photo import Photo
from tune_training.data.table import PATH
from tune_training.io import storage
from tune_training.io.errors import InputError
from tune_training.io.models import Threads, set_threads
from tune_training.pages import Sheet, SheetPhoto, picture, render

if TYPE_CHECKING:
    from tune_training.train.crops import Crops

CORRECTIONS, PAGE = "corrections.csv", "label-noise.html"
FOLDS = 5
SURE = 0.8  # with a lower probability of the other label, neither label is proposed
MOST_SHOWN = 600  # on the page: some 10 kB each

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Suspicion:
    """A photo whose label is probably wrong.

    Attributes:
        index: of the photo.
        label: that it should have, or `DROP`.
        score: cleanlab's quality of the given label, 0 to 1; the lowest is the most suspicious.
    """

    index: int
    label: str
    score: float


def label_noise(
    model: Annotated[
        str,
        typer.Argument(help="ViT whose features tell the labels apart: a folder, s3:// or hf://. Best one that never saw these labels."),
    ],
    manifest: Annotated[str, typer.Argument(help="What `prepare` wrote: a file or s3://bucket/key.")],
    out: Annotated[str, typer.Option(help="Folder or s3:// prefix of corrections.csv and label-noise.html.")] = "runs/label-noise",
    image_size: Annotated[int, typer.Option(help="Side of each view, pixels; 0: the checkpoint's own.", min=0)] = 0,
    threads: Threads = 0,
) -> None:
    """Find photos whose label is probably wrong. Result: OUT/corrections.csv, most suspicious first, and OUT/label-noise.html, with photos.

    Look at the page, and delete the rows of corrections.csv that you do not agree with, or change their label; `drop` leaves a photo out.
    Then: prepare --corrections OUT/corrections.csv. A model that was trained on these photos knows some of their wrong labels, and finds
    fewer.
    """
    corrections = storage.join(out, CORRECTIONS)
    if storage.exists(corrections):
        raise InputError(f"{corrections} is there already, and may have been gone through by hand. Delete it, or name another --out")
    table = read_manifest(manifest)
    photos = list(table.photos)
    groups = near_duplicate_groups(photos)
    check_labels(manifest, photos, groups, FOLDS)

    from tune_training.train.crops import training_crops  # as below: takes seconds, which `--help` and mistakes save
    from tune_training.train.model import check_start

    set_threads(threads)
    size, _ = check_start(model, image_size, 0)
    storage.check_writable(out)
    crops = training_crops(photos, size)
    found = suspicions(crops.labels, out_of_fold(features(model, crops), crops.labels, groups, table.seed))
    storage.write_bytes(storage.join(out, PAGE), _page(table.name, crops, found).encode())
    storage.write_bytes(corrections, _csv(photos, found))
    typer.echo(f"{len(found)} of {len(photos)} labels are suspicious.")
    if found:
        typer.echo(f"Look at {storage.join(out, PAGE)} and edit {corrections}. Next: prepare --corrections {corrections}")


def features(model: str, crops: "Crops") -> Floats:
    """What the model's head would get of each crop, (n, width)."""
    import torch

    from tune_training.train.model import image_processor, predict_logits, starting_folder, two_class_model

    folder = starting_folder(model)
    network: Any = two_class_model(folder, crops.size)
    network.classifier = torch.nn.Identity()
    network = network.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    return predict_logits(network, crops, image_processor(folder, crops.size)).astype(np.float64)


def out_of_fold(rows: Floats, labels: Ints, groups: Ints, seed: int = 0) -> Floats:
    """The probability of each label (n, 2), from the photos (n, width) of the other folds; a group is in one fold."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    probabilities: Floats = cross_val_predict(regression, rows, labels, groups=groups, cv=folds, method="predict_proba")
    return probabilities


def suspicions(labels: Ints, probabilities: Floats) -> list[Suspicion]:
    """The photos whose label (n,) the out-of-fold probabilities (n, 2) contradict, most suspicious first; columns as in `LABELS`."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    ranked = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    quality = get_label_quality_scores(labels, probabilities)
    likely = probabilities.argmax(axis=1)
    return [
        Suspicion(index, LABELS[likely[index]] if probabilities[index].max() >= SURE else DROP, float(quality[index]))
        for index in ranked.tolist()
    ]


def _csv(photos: Sequence[Photo], found: Sequence[Suspicion]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([PATH, "label", "given_label", "score"])
    writer.writerows([photos[each.index].name, each.label, photos[each.index].label, f"{each.score:.4f}"] for each in found)
    return text.getvalue().encode()


def _page(name: str, crops: "Crops", found: Sequence[Suspicion]) -> str:
    sheets: dict[str, list[SheetPhoto]] = {}
    for row, each in enumerate(found[:MOST_SHOWN], start=2):  # the rows of the table; the first has the columns
        photo = crops.photos[each.index]
        (crop,) = crops.read_proper(each.index, each.index + 1).numpy()
        text = f"row {row}, {each.score:.1%} {photo.label}"
        title = f"Labelled {photo.label}; to be left out" if each.label == DROP else f"Labelled {photo.label}, probably {each.label}"
        sheets.setdefault(title, []).append(SheetPhoto(photo.name, text, picture(Image.fromarray(crop))))
    return render(
        "sheets.html",
        title=f"{name}: suspicious labels",
        lead=f"{len(found)} of {len(crops)} photos, by row of {CORRECTIONS}, most suspicious first; at most {MOST_SHOWN} are shown, as the"
        " classifier would see them.",
        sheets=[Sheet(f"{title}: {len(photos)}", photos) for title, photos in sheets.items()],
    )
