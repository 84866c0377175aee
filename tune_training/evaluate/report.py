"""`metrics.json` as one HTML page; it shows no photos."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from serve_app.runtimes.base import LABELS
from tune_training.evaluate.card_tables import groups_with_labels
from tune_training.evaluate.groups import FEWEST_ANSWERS, FEWEST_OF_A_LABEL
from tune_training.evaluate.metrics_file import Metrics, plain
from tune_training.evaluate.scores import DRAWS
from tune_training.pages import BLUE, GRID, INK, ORANGE, render, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOTHING = Markup("\N{EN DASH}")


def write_report(metrics: Metrics, model: str) -> str:
    """The page's text.

    Args:
        metrics: the result of `evaluate`.
        model: the checkpoint's name.
    """
    measured = plain(metrics)
    return render(
        "evaluation.html",
        metrics=measured,
        model=model,
        plots={name: _plots(split) for name, split in measured["splits"].items()},
        labels=LABELS,
        draws=DRAWS,
        fewest=FEWEST_ANSWERS,
        fewest_of_a_label=FEWEST_OF_A_LABEL,
        groups_with_labels=groups_with_labels,
        percent=percent,
        estimate=estimate,
    )


def percent(share: float | None) -> str:
    """To one decimal; `NOTHING` for what could not be measured."""
    return NOTHING if share is None else f"{share:.1%}"


def estimate(found: Mapping[str, float] | None) -> Markup:
    """A share with its interval in small print."""
    if found is None:
        return NOTHING
    ends = f"{100 * found['low']:.1f} to {100 * found['high']:.1f}"
    return Markup('{} <span class="interval">({})</span>').format(percent(found["value"]), ends)


def _plots(split: Mapping[str, Any]) -> dict[str, Markup]:
    """SVG by name; none for a split without answers."""
    if "calibration" not in split:
        return {}
    plots = {
        "reliability": svg((4.4, 3.8), lambda axes: _calibration(axes, split["calibration"])),
        "risk_coverage": svg((4.4, 3.8), lambda axes: _risk_coverage(axes, split["risk_coverage"])),
        "confusion": svg((3.6, 3.2), lambda axes: _confusion(axes, split["confusion"])),
    }
    for framing, found in split["framings"].items():
        line = ("after scaling", found["mean_ece"], found["reliability"], BLUE)
        plots[f"framing {framing}"] = svg((3.6, 3.2), lambda axes, line=line: _reliability(axes, [line]))  # type: ignore[misc]
    for column, compared in split["by"].items():
        groups = compared["groups"]
        plots[f"by {column}"] = svg((7.2, 0.8 + 0.32 * len(groups)), lambda axes, groups=groups: _groups(axes, groups, split))  # type: ignore[misc]
    return plots


def _calibration(axes: "Axes", calibration: Mapping[str, Any]) -> None:
    scaling = (("before", ORANGE), ("after", BLUE))
    _reliability(
        axes, [(f"{name} scaling", calibration[name]["ece"], calibration[name]["reliability"], colour) for name, colour in scaling]
    )


def _reliability(axes: "Axes", lines: Sequence[tuple[str, Mapping[str, float], Sequence[Mapping[str, Any]], str]]) -> None:
    """Lines of a name, a calibration error, the bars and a colour."""
    axes.plot([0.5, 1], [0.5, 1], color=GRID, linestyle="--", label="confidence = accuracy")
    for name, error, bins, colour in lines:
        label = f"{name}: ECE {error['value']:.1%}"
        axes.plot([each["confidence"] for each in bins], [each["accuracy"] for each in bins], color=colour, label=label)
        largest = max(each["answers"] for each in bins)
        sizes = [12 + 60 * each["answers"] / largest for each in bins]
        axes.scatter([each["confidence"] for each in bins], [each["accuracy"] for each in bins], s=sizes, color=colour)
    axes.set(xlabel="confidence", ylabel="share of right answers", xlim=(0.48, 1.02))
    axes.grid(color=GRID, linewidth=0.6)
    axes.legend(fontsize="small", frameon=False, loc="lower right")


def _risk_coverage(axes: "Axes", measured: Mapping[str, Any]) -> None:
    axes.plot([coverage for _, coverage, _ in measured["curve"]], [risk for _, _, risk in measured["curve"]], color=BLUE)
    axes.axhline(measured["error_rate"], color=ORANGE, linestyle="--", label=f"target: {measured['error_rate']:.1%}")
    if measured["risk"] is not None:
        at = f"confidence {measured['threshold']:.3f} and above"
        axes.plot(measured["coverage"]["value"], measured["risk"]["value"], "o", color=ORANGE, label=at)
    axes.set(
        xlabel="coverage: share of all photos that are answered", ylabel="risk: share of wrong answers", ylim=(0, None), xlim=(0, 1.02)
    )
    axes.grid(color=GRID, linewidth=0.6)
    axes.legend(fontsize="small", frameon=False, loc="upper left")


def _confusion(axes: "Axes", confusion: list[list[int]]) -> None:
    shares = [[count / max(1, sum(row)) for count in row] for row in confusion]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for label in range(len(LABELS)):
        for answer in range(len(LABELS)):
            share = shares[label][answer]
            text = f"{confusion[label][answer]}\n{share:.1%}"
            axes.text(answer, label, text, ha="center", va="center", color="white" if share > 0.5 else INK)
    ticks = range(len(LABELS))
    axes.set(xlabel="answer", ylabel="label", xticks=ticks, yticks=ticks, xticklabels=LABELS, yticklabels=LABELS)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _groups(axes: "Axes", groups: Mapping[str, Any], split: Mapping[str, Any]) -> None:
    axes.axvline(split["balanced_accuracy"]["value"], color=GRID, linestyle="--")
    for row, found in enumerate(groups.values()):
        if accuracy := found.get("balanced_accuracy"):
            axes.plot([accuracy["low"], accuracy["high"]], [row, row], color=BLUE, linewidth=2)
            axes.plot(accuracy["value"], row, "o", color=BLUE)
    names = [f"{name}  ({found['photos']})" for name, found in groups.items()]
    axes.set(yticks=range(len(groups)), yticklabels=names, xlabel="balanced accuracy and its 95 % interval; dashed: all photos")
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(color=GRID, linewidth=0.6, axis="x")
