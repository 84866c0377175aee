"""The table of scaling: every millisecond of a photo is in it, under a name or among the others."""

from io import StringIO

import pytest
from rich.console import Console

from benchmarks.scaling import PACE, Point, Replicas, application, table


def rows_of(*points: Point) -> dict[str, list[str]]:
    console = Console(file=StringIO(), width=200)
    console.print(table(points))
    assert isinstance(console.file, StringIO)
    lines = [line.strip("│┃ ").replace("┃", "│").split("│") for line in console.file.getvalue().splitlines() if line[:1] in "│┃"]
    return {first.strip(): [cell.strip() for cell in others] for first, *others in lines}


def test_every_millisecond_is_in_the_table() -> None:
    one = Point(1, 1, PACE.photos_per_s / 2, {"Ingress (replica)": 2.0, "HAProxy": 0.5, "Ray: raylet": 0.03})
    two = Point(2, 4, 4 * PACE.photos_per_s, {"Ingress (replica)": 3.0, "Ray: raylet": 0.02})
    rows = rows_of(one, two)
    assert rows["ingresses, detectors"] == ["1, 1", "2, 4"]
    assert rows["... of what the detectors can do"] == ["50%", "100%"]
    assert rows["cores in use"] == ["0.06", "0.60"]
    assert rows["HAProxy"] == ["0.50", "0.00"]
    assert rows["others"] == ["0.03", "0.02"]
    assert rows["all"] == ["2.53", "3.02"]


@pytest.mark.parametrize(("ingresses", "detectors"), [(1, 4), (2, 16)])
def test_the_application_has_the_replicas_asked_for(ingresses: int, detectors: int) -> None:
    ingress = application(Replicas(ingresses=ingresses, detectors=detectors))._bound_deployment
    assert ingress.num_replicas == ingresses
    assert ingress.init_args[0]._bound_deployment.num_replicas == detectors
