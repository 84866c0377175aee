"""The metrics of `metrics.json` as Markdown: the tables of cards and README."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from serve_app.checkpoints.decision import DECISION_FILE
from serve_app.runtimes.base import LABELS
from tune_training.data.table import SOURCE
from tune_training.evaluate.metrics_file import INT8, Metrics
from tune_training.evaluate.scores import Estimate
from tune_training.evaluate.weighting import FRAMING


def metrics_table(metrics: Metrics) -> str:
    """A Markdown table of the metrics of a detector or a classifier, by source; shares in percent, to one decimal."""
    if "person_count" in metrics:
        return _table(["people counted rightly", "split", "photos", "accuracy"], _count_rows(metrics["person_count"]), named=2)
    header = ["photos of one person each", "split", "photos", "answered", "balanced accuracy", "recall female", "recall male", "ECE"]
    return _table(header, _answer_rows(metrics["splits"]), named=2)


def _count_rows(splits: Metrics) -> Iterator[list[str]]:
    for split, metrics in splits.items():
        yield ["all", split, str(metrics["photos"]), _percent(metrics["accuracy"])]
        for name, accuracy in metrics["accuracy_by_count"].items():
            yield [f"people: {name}", split, str(sum(metrics["confusion_true_by_counted"][name])), _percent(accuracy)]
        for source, accuracy in metrics["accuracy_by_source"].items():
            yield [source, split, "", _percent(accuracy)]


def _answer_rows(splits: Metrics) -> Iterator[list[str]]:
    for split, metrics in splits.items():
        sources = metrics["by"].get(SOURCE, {}).get("groups") or {"all": metrics}
        for source, found in sources.items():
            yield [source, split, str(found["photos"]), *(_percent(each and each["value"]) for each in _figures(found))]


def split_details(name: str, split: Metrics) -> Iterator[str]:
    """Paragraphs and tables for one split of a classifier: calibration, risk and coverage, means over sources, and groups.

    What metrics.json of an earlier version lacks is left out.
    """
    if "calibration" not in split:
        return
    before, after = split["calibration"]["before"], split["calibration"]["after"]
    yield (
        f"**{name}**: {split['photos']} photos, accuracy {percent_of(split['accuracy'])}. ECE {percent_of(before['ece'])} as trained, "
        f"{percent_of(after['ece'])} with the temperature {after['temperature']:.3f}."
    )
    yield _threshold(split["risk_coverage"])
    yield from _means(name, split)
    if "errors_when_sure" in split:
        yield _by_label(name, split)
    for column, compared in split["by"].items():
        if column == SOURCE and len(compared["groups"]) == 1:
            continue
        header = [f"{column} ({name})", "photos", "answered", "balanced accuracy", "recall female", "recall male", "ECE"]
        selects = any("selection" in found for found in compared["groups"].values())
        yield _table([*header, *(["coverage", "risk"] if selects else [])], _group_rows(compared["groups"]), named=1)
        if "gap" in compared:
            yield f"Lowest balanced accuracy: {compared['worst']}, {percent_of(compared['gap'])} below the highest, {compared['best']}."
        if recalls := compared.get("recalls"):
            rows = ([each["label"], each["group"], str(each["answers"]), percent_of(each["recall"])] for each in recalls)
            yield _table([f"label ({name})", column, "answers", "recall"], rows, named=2)
            yield f"Lowest recall: {recalls[0]['label']}, {column} {recalls[0]['group']}, {percent_of(recalls[0]['recall'])}."


def int8_details(metrics: Metrics) -> Iterator[str]:
    """A paragraph about the int8 network, for a classifier that has one."""
    if found := metrics.get(INT8):
        (accuracy, of_int8), (error, error_of_int8) = found["balanced_accuracy"], found["ece"]
        yield (
            f"On processors with VNNI the service runs an int8 network of these weights. Of {found['photos']} photos of {found['split']},"
            f" {_percent(found['other_label'])} get the other label from it, and"
            f" {_percent(found['other_outcome'])} another outcome (a label, or unsure). Balanced accuracy is {_percent(of_int8)} instead of"
            f" {_percent(accuracy)}, ECE {_percent(error_of_int8)} instead of {_percent(error)}. All tables are of the weights themselves."
        )


def folds_details(metrics: Metrics) -> Iterator[str]:
    """A paragraph and a table of the folds, for a classifier that was trained with them."""
    if not (found := metrics.get("folds")):
        return
    estimate = found["estimate"]
    yield (
        f"**{found['folds']} folds**: {estimate['photos']} photos, each answered by a model that was trained on the other folds: balanced "
        f"accuracy {percent_of(estimate['balanced_accuracy'])}, accuracy {percent_of(estimate['accuracy'])}. This model is of the same "
        f"recipe, and was trained on all of them for {found['epochs']} of {found['epochs_planned']} epochs. Unlike above, the person in "
        "each photo was found beforehand."
    )
    rows = (
        [str(each["fold"]), str(each["photos"]), str(each["epochs"]), *(_percent(each[name]) for name in ("balanced_accuracy", "accuracy"))]
        for each in found["by_fold"]
    )
    yield _table(["fold", "photos", "epochs", "balanced accuracy", "accuracy"], rows, named=1)


def _threshold(chosen: Metrics) -> str:
    if chosen["chosen_on"] == DECISION_FILE:
        answered = f"{percent_of(chosen['coverage'])} of the photos are answered"
        wrong = f", and {percent_of(chosen['risk'])} of the answers are wrong" if chosen["risk"] else ""
        return f"Answers with a confidence below {chosen['threshold']:.3f} (`min_confidence`) are withheld as `unsure`: {answered}{wrong}."
    wanted, on = _percent(chosen["error_rate"]), chosen["chosen_on"]
    if chosen["risk"] is None:
        return f"No threshold on confidence, chosen on {on}, brings the wrong answers down to {wanted}."
    return (
        f"With a confidence of at least {chosen['threshold']:.3f}, chosen on {on} for {wanted} of wrong answers, "
        f"{percent_of(chosen['coverage'])} of the photos are answered, and {percent_of(chosen['risk'])} of the answers are wrong."
    )


def _means(name: str, split: Metrics) -> Iterator[str]:
    if "mean_balanced_accuracy" not in split:
        return
    yield (
        "Mean over the framings of the means over their sources: balanced accuracy "
        f"{percent_of(split['mean_balanced_accuracy'])}, ECE {percent_of(split['mean_ece'])}."
    )
    if len(split["framings"]) > 1:
        rows = (
            [framing, str(found["answers"]), percent_of(found["mean_balanced_accuracy"]), percent_of(found["mean_ece"])]
            for framing, found in split["framings"].items()
        )
        yield _table([f"mean over the sources ({name})", "answers", "balanced accuracy", "ECE"], rows, named=1)


def _by_label(name: str, split: Metrics) -> str:
    """Of all photos, each source and each framing: coverage and risk, and the errors of the surest answers, for each label."""
    sure = f"{split['errors_when_sure']['confidence']:g}"
    header = [f"photos ({name})", "label", "coverage", "risk", f"answers with {sure} or more", "errors promised", "observed"]
    return _table(header, _label_rows(split), named=2)


def _label_rows(split: Metrics) -> Iterator[list[str]]:
    for group, found in groups_with_labels(split):
        selected = found.get("selection", {}).get("by_label", {})
        sure = found["errors_when_sure"]["by_label"]
        for label in LABELS:
            if label in selected or label in sure:
                given, errors = selected.get(label, {}), sure.get(label, {})
                yield [
                    group,
                    label,
                    percent_of(given.get("coverage")),
                    percent_of(given.get("risk")),
                    str(errors.get("answers", 0)),
                    _percent(errors.get("promised")),
                    percent_of(errors.get("observed")),
                ]


def groups_with_labels(split: Metrics) -> Iterator[tuple[str, Metrics]]:
    """All photos, and the sources and framings if there are several: the groups in which women and men are compared."""
    yield "all", split | {"selection": split["risk_coverage"]}
    for column in (SOURCE, FRAMING):
        groups = split["by"].get(column, {}).get("groups", {})
        if len(groups) > 1:
            yield from ((f"{column} {name}", found) for name, found in groups.items())


def _group_rows(groups: Metrics) -> Iterator[list[str]]:
    for name, found in groups.items():
        selected = [found["selection"]["coverage"], found["selection"]["risk"]] if "selection" in found else []
        yield [name, str(found["photos"]), *map(percent_of, [*_figures(found), *selected])]


def _figures(found: Metrics) -> list[Any]:
    """The metrics in a row of a table; None for those that could not be measured."""
    recall = found.get("recall", {})
    return [found["answered"], found.get("balanced_accuracy"), *(recall.get(label) for label in LABELS), found.get("ece")]


def percent_of(found: Mapping[str, float] | Estimate | None) -> str:
    """A share and its interval in percent; empty for what could not be measured."""
    if found is None:
        return ""
    value, low, high = found if isinstance(found, Estimate) else (found["value"], found["low"], found["high"])
    return f"{value:.1%} ({100 * low:.1f} to {100 * high:.1f})"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _table(header: Sequence[str], rows: Iterator[list[str]], named: int) -> str:
    """Markdown; the first `named` columns are words, the others numbers."""
    lines = [header, [*["---"] * named, *["---:"] * (len(header) - named)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
