"""The plots: of a pair of models, latency and goodput over the offered load of open loops; of simulated ones, throughput over replicas."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.results import Results, ServerResult, SetResult
from benchmarks.scaling import PACE, Point


def write_plots(results: Results, folder: Path) -> list[Path]:
    """Writes one PNG for each pair of models with open loops; returns the files."""
    files = []
    for each in results.sets:
        if any(server.overload() for server in each.servers):
            files.append(folder / f"{each.models}.png")
            _write_plot(each, files[-1])
    return files


def write_scaling(points: Sequence[Point], path: Path) -> None:
    """Writes a PNG: throughput by replicas beside a straight line."""
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    counts = sorted({point.detectors for point in points})
    axes.plot(counts, [PACE.photos_per_s * count for count in counts], ":", color="grey", label="what the detectors can do")
    for ingresses in sorted({point.ingresses for point in points}):
        these = [point for point in points if point.ingresses == ingresses]
        label = f"{ingresses} ingress{'es' if ingresses > 1 else ''}"
        axes.plot([point.detectors for point in these], [point.photos_per_s for point in these], "o-", label=label)
    axes.set(xlabel="detectors, with models that wait", ylabel="photos per second", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=90)


def _write_plot(each: SetResult, path: Path) -> None:
    figure = Figure(figsize=(8, 8), layout="constrained")
    latency, rates = figure.subplots(2, 1, sharex=True)
    for number, server in enumerate(each.servers):
        _draw(server, f"C{number}", latency, rates)
    for bare, style in zip(each.bare, (":", "-."), strict=False):
        if speed := bare.photos_per_s():
            rates.axhline(speed, color="black", linestyle=style, label=f"bare loop, {bare.runtime}")
    latency.set(title=f"{each.models} models", ylabel="latency, ms", yscale="log")
    rates.set(xlabel="offered, photos per second", ylabel="per second", xlim=(0, None), ylim=(0, None))
    for axes in (latency, rates):
        axes.legend(fontsize="small")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def _draw(server: ServerResult, colour: str, latency: Axes, rates: Axes) -> None:
    points = sorted((point.rate, point.summary) for point in server.points if point.rate)
    offered = [rate for rate, _ in points]
    latency.plot(offered, [_or_nan(summary.p50_ms) for _, summary in points], f"{colour}o-", label=f"{server.name}: p50")
    latency.plot(offered, [_or_nan(summary.p99_ms) for _, summary in points], f"{colour}o--", label=f"{server.name}: p99")
    rates.plot(offered, [summary.answers_per_s for _, summary in points], f"{colour}o-", label=f"{server.name}: answers")
    rates.plot(offered, [summary.refusals_per_s for _, summary in points], f"{colour}x:", label=f"{server.name}: refusals")


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
