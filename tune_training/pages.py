"""Reports as HTML pages that open anywhere: no script and no other file; plots are SVG inside the page, all in one style."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, GRID, BLUE, ORANGE = "#24313f", "#d5dce3", "#2f6fb0", "#d9822b"
_STYLE: Any = {
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 9,
    "svg.hashsalt": "report",  # the same plot has the same ids in every run
}


class SheetPhoto(NamedTuple):
    """A photo on a contact sheet; without `picture` there is nothing to show of it.

    Attributes:
        name: of the photo.
        text: a line about it.
        picture: see `picture`.
    """

    name: str
    text: str
    picture: str


class Sheet(NamedTuple):
    """A part of `sheets.html`."""

    title: str
    photos: Sequence[SheetPhoto]


def picture(image: Image.Image) -> str:
    """An image as a URI that holds its content."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def render(template: str, **values: Any) -> str:
    """The text of a page, from a file in `templates`."""
    environment = Environment(loader=PackageLoader("tune_training"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template(template).render(**values)


def svg(size: tuple[float, float], draw: Callable[["Axes"], None]) -> Markup:
    """A plot, `size` inches wide and high."""
    import matplotlib as mpl  # takes a second, which `--help` saves
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        draw(axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Markup(text.getvalue()[text.getvalue().index("<svg") :])  # noqa: S704 - matplotlib's own, and it escapes
