"""The data set as one HTML page: balance, sizes, a contact sheet of each label, and what was left out, with pictures.

It shows photos of people, so it is written beside the manifest, where their owner chose, and nowhere else.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from PIL import Image

from serve_app.codes import MEANINGS, Code
from serve_app.runtimes.base import FEMALE, LABELS, MALE
from serve_app.vision.decoding import ImageRefused, decode
from serve_app.vision.images import Box
from tune_training.data.manifest import Manifest
from tune_training.data.photo import WHOLE_PHOTO, Photo
from tune_training.data.rejects import Reason, Reject
from tune_training.io import storage
from tune_training.io.batches import READERS
from tune_training.io.errors import InputError
from tune_training.io.models import decode_limits
from tune_training.pages import BLUE, ORANGE, picture, render, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ON_A_SHEET = 36
OF_A_REASON = 12
MOST_NAMED = 200
THUMBNAIL = 144  # pixels; they are shown at about 104
MOST_SOURCES = 20
_COLOURS = {FEMALE: ORANGE, MALE: BLUE}

_MEANINGS: dict[str, str] = {
    Reason.UNLABELLED: "Neither the folder, the file name nor the table says male or female.",
    Reason.UNKNOWN_LABEL: "The word for its label, in the table or as the name of a folder, is not known; --labels can say what it means.",
    Reason.MISSING: "The file does not exist or cannot be read.",
    Reason.TOO_SMALL: "The shorter side has too few pixels.",
    Reason.CONFLICTING_LABELS: "It has both labels, or it is the same as or looks like a photo with the other label. Which label is right?",
    Reason.DUPLICATE: "The same file has another name, too; one of them is used.",
    Reason.NEAR_DUPLICATE: "It looks like a photo of another split; with both, the answer would leak.",
    Reason.CORRECTED: "The corrections say that it has no right label.",
}


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of a photo; `picture` is empty if the photo cannot be shown."""

    name: str
    title: str
    picture: str
    width: int
    height: int
    box: Box = WHOLE_PHOTO


def write_report(manifest: Manifest, rejects: Sequence[Reject]) -> str:
    """The page's text; reads the photos that it shows."""
    draw = random.Random(manifest.seed)  # noqa: S311 - nothing secret
    by_label = {label: [photo for photo in manifest.photos if photo.label == label] for label in LABELS}
    by_reason: dict[str, list[Reject]] = {reason: [] for reason, _ in Counter(reject.reason for reject in rejects).most_common()}
    for reject in rejects:
        by_reason[reject.reason].append(reject)
    with ThreadPoolExecutor(READERS) as readers:
        sheets = {
            label: list(readers.map(_of_photo, draw.sample(photos, min(len(photos), ON_A_SHEET)))) for label, photos in by_label.items()
        }
        left_out = [
            {
                "name": reason.replace("_", " "),
                "meaning": _MEANINGS.get(reason) or MEANINGS[Code(reason)].text.partition(" (")[0] + ".",
                "rejects": group,
                "photos": list(readers.map(partial(_of_reject, manifest.source), draw.sample(group, min(len(group), OF_A_REASON)))),
            }
            for reason, group in by_reason.items()
        ]
    return render(
        "data.html",
        name=manifest.name,
        photos=manifest.photos,
        rejects=rejects,
        detector=manifest.detector,
        seed=manifest.seed,
        labels=LABELS,
        counts={label: len(photos) for label, photos in by_label.items()},
        splits=_bars(manifest.photos, lambda photo: photo.split),
        sources=_bars(manifest.photos, lambda photo: photo.source or "unknown")[:MOST_SOURCES],
        plots=_plots(manifest.photos),
        sheets=sheets,
        reasons=left_out,
        most_named=MOST_NAMED,
        shown=_shown,
    )


def _bars(photos: Sequence[Photo], key: Callable[[Photo], str]) -> list[dict[str, Any]]:
    totals = Counter(map(key, photos))
    counts = Counter((key(photo), photo.label) for photo in photos)
    most = max(totals.values(), default=1)
    return [
        {"name": name, "total": total, "share": total / most, **{label: counts[name, label] for label in LABELS}}
        for name, total in totals.most_common()
    ]


def _plots(photos: Sequence[Photo]) -> list[tuple[str, Markup]]:
    def share(photo: Photo) -> float:
        return (photo.box[2] - photo.box[0]) * (photo.box[3] - photo.box[1])

    return [
        ("Shorter side of the photos, pixels.", _histogram(photos, lambda photo: min(photo.width, photo.height), "pixels")),
        ("Share of its photo that the person's box covers.", _histogram(photos, share, "share of the area", (0.0, 1.0))),
    ]


def _histogram(photos: Sequence[Photo], value: Callable[[Photo], float], unit: str, ends: tuple[float, float] | None = None) -> Markup:
    def draw(axes: "Axes") -> None:
        values = [[value(photo) for photo in photos if photo.label == label] for label in LABELS]
        axes.hist(values, bins=24, range=ends, stacked=True, color=[_COLOURS[label] for label in LABELS], label=LABELS)
        axes.set(xlabel=unit, ylabel="photos")
        axes.legend(frameon=False)

    return svg((4.6, 2.6), draw)


def _of_photo(photo: Photo) -> Thumbnail:
    return _thumbnail(photo.uri, photo.name, f"{photo.name}, {photo.width} x {photo.height}, {photo.split}", photo.box)


def _of_reject(source: str, reject: Reject) -> Thumbnail:
    return _thumbnail(storage.join(source, reject.uri), reject.uri, f"{reject.uri} {reject.detail}".strip())


def _thumbnail(uri: str, name: str, title: str, box: Box = WHOLE_PHOTO) -> Thumbnail:
    try:
        photo = Image.fromarray(decode(storage.read_bytes(uri), replace(decode_limits(), long_side=THUMBNAIL)))
    except (ImageRefused, OSError, InputError):
        return Thumbnail(name, title, "", 0, 0)
    return Thumbnail(name, title, picture(photo), photo.width, photo.height, box)


def _shown(photo: Thumbnail) -> Markup:
    """A thumbnail with the person's box drawn on it."""
    inner = Markup("no picture")
    if photo.picture:
        # The longer side fills the square frame.
        share = f"{'width' if photo.width >= photo.height else 'height'}: 100%; aspect-ratio: {photo.width} / {photo.height}"
        box = Markup("")
        if photo.box != WHOLE_PHOTO:
            x0, y0, x1, y1 = (100 * edge for edge in photo.box)
            place = f"left: {x0:.1f}%; top: {y0:.1f}%; width: {x1 - x0:.1f}%; height: {y1 - y0:.1f}%"
            box = Markup('<span class="box" style="{}"></span>').format(place)
        inner = Markup('<span class="photo" style="{}"><img src="{}" alt="" style="width: 100%; height: 100%">{}</span>').format(
            share, photo.picture, box
        )
    name = PurePosixPath(photo.name).name
    return Markup('<figure title="{}"><div class="frame">{}</div><figcaption>{}</figcaption></figure>').format(photo.title, inner, name)
