"""The data set as one HTML page to look at: balance, sizes, a contact sheet of each label, and what was left out, with pictures.

It shows photos of people, so it is written beside the manifest, where the photos' owner wants it, and nowhere else.
"""

import base64
import io
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from serve_app.codes import MEANINGS, Code
from serve_app.runtimes.base import LABELS
from serve_app.settings import get_settings
from serve_app.vision.decoding import DecodeLimits, ImageRefused, decode
from serve_app.vision.images import Box
from tune_training.data.labelling import Reason, Reject
from tune_training.data.manifest import Manifest
from tune_training.data.photo import Photo
from tune_training.io import storage
from tune_training.io.errors import InputError

ON_A_SHEET = 36
OF_A_REASON = 12
MOST_NAMED = 200
THUMBNAIL = 144  # pixels; they are shown at about 104
MOST_SOURCES = 20
_READERS = 8
_INK, _GRID = "#24313f", "#d5dce3"
_COLOURS = {"female": "#d9822b", "male": "#2f6fb0"}
_STYLE: Any = {
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GRID,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "font.size": 9,
}

_MEANINGS: dict[str, str] = {
    Reason.UNLABELLED: "Neither folder nor file name, nor the table, says male or female.",
    Reason.MISSING: "The file is not there, or cannot be read.",
    Reason.TOO_SMALL: "The shorter side has too few pixels.",
    Reason.CONFLICTING_LABELS: "Labelled in two ways, or the same as, or just like, a photo with the other label. Which label is right?",
    Reason.DUPLICATE: "The same file under another name; one of them is used.",
    Reason.NEAR_DUPLICATE: "Looks like a photo of a split that judges; training on it would be training on the answers.",
}


@dataclass(frozen=True)
class Thumbnail:
    """A small picture of a photo; without `picture` there is none to show."""

    name: str
    title: str
    picture: str
    width: int
    height: int
    box: Box | None = None


def write_report(manifest: Manifest, rejects: Sequence[Reject]) -> str:
    """The page's text; reads the photos that it shows."""
    environment = Environment(loader=PackageLoader("tune_training"), autoescape=True, undefined=StrictUndefined)
    draw = random.Random(manifest.seed)  # noqa: S311 - nothing secret
    labels = sorted(LABELS)
    by_label = {label: [row for row in manifest.photos if row.label == label] for label in labels}
    reasons = Counter(reject.reason for reject in rejects).most_common()
    by_reason = {reason: [reject for reject in rejects if reject.reason == reason] for reason, _ in reasons}
    with ThreadPoolExecutor(_READERS) as readers:
        sheets = {
            label: list(readers.map(lambda row: _of_row(manifest, row), draw.sample(rows, min(len(rows), ON_A_SHEET))))
            for label, rows in by_label.items()
        }
        left_out = [
            {
                "name": reason.replace("_", " "),
                "meaning": _MEANINGS.get(reason) or MEANINGS[Code(reason)].text.partition(" (")[0] + ".",
                "rejects": group,
                "photos": list(readers.map(lambda reject: _of_reject(manifest, reject), draw.sample(group, min(len(group), OF_A_REASON)))),
            }
            for reason, group in by_reason.items()
        ]
    return environment.get_template("data.html").render(
        name=PurePosixPath(manifest.source).name,
        rows=manifest.photos,
        rejects=rejects,
        detector=manifest.detector,
        seed=manifest.seed,
        labels=labels,
        counts={label: len(rows) for label, rows in by_label.items()},
        splits=_bars(manifest.photos, lambda row: row.split),
        sources=_bars(manifest.photos, lambda row: row.source or "unknown")[:MOST_SOURCES],
        plots=_plots(manifest.photos),
        sheets=sheets,
        reasons=left_out,
        most_named=MOST_NAMED,
        shown=_shown,
    )


def _bars(rows: Sequence[Photo], key: Callable[[Photo], str]) -> list[dict[str, Any]]:
    totals = Counter(map(key, rows))
    counts = Counter((key(row), row.label) for row in rows)
    most = max(totals.values(), default=1)
    return [
        {"name": name, "total": total, "share": total / most, **{label: counts[name, label] for label in LABELS}}
        for name, total in totals.most_common()
    ]


def _plots(rows: Sequence[Photo]) -> list[tuple[str, Markup]]:
    def shares(row: Photo) -> float:
        return (row.box[2] - row.box[0]) * (row.box[3] - row.box[1])

    return [
        ("Shorter side of the photos, pixels.", _histogram(rows, lambda row: min(row.width, row.height), "pixels")),
        ("How much of its photo the person's box takes.", _histogram(rows, shares, "share of the area", (0.0, 1.0))),
    ]


def _histogram(rows: Sequence[Photo], value: Callable[[Photo], float], unit: str, ends: tuple[float, float] | None = None) -> Markup:
    def draw(axes: Axes) -> None:
        labels = sorted(LABELS)
        values = [[value(row) for row in rows if row.label == label] for label in labels]
        axes.hist(values, bins=24, range=ends, stacked=True, color=[_COLOURS[label] for label in labels], label=labels)
        axes.set_xlabel(unit)
        axes.set_ylabel("photos")

    with mpl.rc_context(_STYLE):
        figure = Figure((4.6, 2.6), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    return Markup(svg[svg.index("<svg") :])  # noqa: S704 - drawn here, from numbers


def _of_row(manifest: Manifest, row: Photo) -> Thumbnail:
    return _thumbnail(manifest.source, row.name, f"{row.name}, {row.width} x {row.height}, {row.split}", row.box)


def _of_reject(manifest: Manifest, reject: Reject) -> Thumbnail:
    return _thumbnail(manifest.source, reject.uri, f"{reject.uri} {reject.detail}".strip(), None)


def _thumbnail(source: str, name: str, title: str, box: Box | None) -> Thumbnail:
    settings = get_settings()
    limits = DecodeLimits(settings.image_formats, settings.max_image_pixels, long_side=THUMBNAIL)
    try:
        photo = Image.fromarray(decode(storage.read_bytes(storage.join(source, name)), limits))
    except (ImageRefused, OSError, InputError):
        return Thumbnail(name, title, "", 0, 0)
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=80)
    picture = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return Thumbnail(name, title, picture, photo.width, photo.height, box)


def _shown(photo: Thumbnail) -> Markup:
    """A thumbnail with the person's box drawn on it."""
    inner = Markup("no picture")
    if photo.picture:
        # The longer side fills the square frame.
        share = f"{'width' if photo.width >= photo.height else 'height'}: 100%; aspect-ratio: {photo.width} / {photo.height}"
        box = Markup("")
        if photo.box and photo.box != (0.0, 0.0, 1.0, 1.0):
            x0, y0, x1, y1 = (100 * edge for edge in photo.box)
            place = f"left: {x0:.1f}%; top: {y0:.1f}%; width: {x1 - x0:.1f}%; height: {y1 - y0:.1f}%"
            box = Markup('<span class="box" style="{}"></span>').format(place)
        inner = Markup('<span class="photo" style="{}"><img src="{}" alt="" style="width: 100%; height: 100%">{}</span>').format(
            share, photo.picture, box
        )
    name = PurePosixPath(photo.name).name
    return Markup('<figure title="{}"><div class="frame">{}</div><figcaption>{}</figcaption></figure>').format(photo.title, inner, name)
