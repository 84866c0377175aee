"""The trials of a search as a table, and as a picture of the validation metric over epochs and over each hyper-parameter."""

import io
import math
from collections.abc import Mapping

import matplotlib as mpl

mpl.use("Agg")  # draws to files, also where there is no display

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from tune_training.io import storage
from tune_training.train.fine_tune import EPOCH
from tune_training.train.metric import METRICS
from tune_training.tune.space import SearchSpace
from tune_training.tune.trial_folder import TrialRecord

COLUMNS = 4
ORIGINAL, OTHERS, BEST = "tab:orange", "tab:gray", "tab:blue"


def write_trials(records: Mapping[str, TrialRecord], space: SearchSpace, metric: str, run_dir: str) -> None:
    """Writes `trials.csv`, a row per epoch of each trial, and `trials.png`."""
    frames = []
    for number, (name, record) in enumerate(records.items()):
        about = {each: record.config[each] for each in space.ranges}
        frames.append(pd.DataFrame(record.history).assign(trial=number, name=name, original=space.is_original(record.config), **about))
    table = pd.concat(frames, ignore_index=True)
    storage.write_bytes(storage.join(run_dir, "trials.csv"), table.to_csv(index=False).encode())
    storage.write_bytes(storage.join(run_dir, "trials.png"), _picture(table, list(space.ranges), metric))


def _picture(table: pd.DataFrame, names: list[str], metric: str) -> bytes:
    rows = 1 + math.ceil(len(names) / COLUMNS)
    figure = plt.figure(figsize=(14, 3.6 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, COLUMNS)
    best = table.sort_values([metric, "loss"], ascending=[METRICS[metric] == "min", True])["trial"].iloc[0]
    _over_epochs(figure.add_subplot(grid[0, :]), table, metric, int(best))
    final = table.groupby("trial").last()
    for number, name in enumerate(names):
        axes = figure.add_subplot(grid[1 + number // COLUMNS, number % COLUMNS])
        words = pd.api.types.is_string_dtype(final[name])
        places = final[name].replace("", "none") if words else final[name]
        axes.scatter(places, final[metric], c=[_colour(row.original, index == best) for index, row in final.iterrows()])
        if not words and final[name].min() > 0 and final[name].max() > 20 * final[name].min():
            axes.set_xscale("log")
        axes.set(xlabel=name.replace("_", " "), ylabel=f"{metric.replace('_', ' ')}, last epoch" if number % COLUMNS == 0 else "")
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    return buffer.getvalue()


def _over_epochs(axes: Axes, table: pd.DataFrame, metric: str, best: int) -> None:
    for number, trial in table.groupby("trial"):
        original = bool(trial["original"].iloc[0])
        label = "the original's hyper-parameters" if original else "best trial" if number == best else None
        emphasised = original or number == best
        axes.plot(
            trial[EPOCH],
            trial[metric],
            marker="o",
            color=_colour(original, number == best),
            label=label,
            alpha=1.0 if emphasised else 0.6,
            linewidth=2.2 if emphasised else 1.0,
            zorder=3 if emphasised else 2,
        )
    axes.set(xlabel="epoch", ylabel=f"{metric.replace('_', ' ')} on the validation split", title=f"{table['trial'].nunique()} trials")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()


def _colour(original: bool, best: bool) -> str:
    return ORIGINAL if original else BEST if best else OTHERS
