"""The commands: `python -m benchmarks COMMAND --help`."""

import dataclasses
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from tqdm import tqdm
from transformers.utils import logging as transformers_logging

from benchmarks import cpu_time as cpu
from benchmarks import run as runs
from benchmarks import scaling as over_replicas
from benchmarks import service
from benchmarks import soak as soaking
from benchmarks import worst_clients as worst
from benchmarks.checkpoints import Size, model_set
from benchmarks.peers import peers
from benchmarks.photos import benchmark_photos
from benchmarks.predict import predict
from benchmarks.processes import Clients, show
from benchmarks.report import print_cpu_time, print_report, print_soak, print_worst_clients
from benchmarks.results import SCHEMA, Results, SetResult, this_machine
from benchmarks.training_loop import training_loop
from serve_app.settings import cores

log = logging.getLogger(__name__)
app = typer.Typer(help="Measure the service.", no_args_is_help=True, pretty_exceptions_enable=False)

BUILD = Path("build/bench")
RESULTS = "results.json"
DEFAULT_SECONDS = {Size.EMBEDDED: 15.0, Size.FULL_SIZE: 60.0}  # of each load
WIDTH = 170  # of tables, where there is no terminal

Out = Annotated[Path, typer.Option(help="Folder of the results and plots, and of the full-size models.")]

Settings = Annotated[list[str], typer.Option(help="NAME=VALUE: a setting of the service.")]


@app.callback()
def setup() -> None:
    """Measure the service."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    transformers_logging.disable_progress_bar()


@app.command()
def run(
    models: Annotated[list[Size], typer.Option(help="Which pairs of models.")] = [Size.EMBEDDED, Size.FULL_SIZE],  # noqa: B006 - typer copies it
    seconds: Annotated[float, typer.Option(help="Of each load; 0: 15 for embedded models, 60 for full-size ones.")] = 0,
    warm_up: Annotated[float, typer.Option(help="Seconds before each load; negative: a third of it.")] = -1,
    scale_up: Annotated[float, typer.Option(help="Seconds of load before the first that is for several replicas.")] = 45,
    clients: Annotated[list[int], typer.Option(help="Clients of the closed loops.")] = [1, 4, 16, 64],  # noqa: B006
    overload: Annotated[list[float], typer.Option(help="Rates of the open loops, times the most in a closed one.")] = [0.5, 1, 2, 4],  # noqa: B006
    rounds: Annotated[int, typer.Option(help="How often each server and the bare loops are measured in turn.")] = 3,
    batch_size: Annotated[list[int], typer.Option(help="Batch sizes that the bare loop tries.")] = [1, 2, 4, 8, 16],  # noqa: B006
    raw: Annotated[bool, typer.Option(help="Send the service photos as the body instead of in a form.")] = False,
    with_peers: Annotated[bool, typer.Option("--peers", help="Measure the peers too.")] = False,
    setting: Settings = [],  # noqa: B006
    out: Out = BUILD,
) -> None:
    """Measure the service against the bare models: a table, results.json, and plots."""
    photos = benchmark_photos()
    description = f"{len(photos.photos)} photos of {photos.source}, {photos.mean_kilobytes:.0f} kB on average"
    results = Results(SCHEMA, this_machine(), description)

    def save(result: SetResult) -> None:
        if not any(result is known for known in results.sets):
            results.sets.append(result)
        results.write(out / RESULTS)

    for size in models:
        length = seconds or DEFAULT_SECONDS[size]
        plan = runs.Plan(
            seconds=length,
            try_seconds=length / 3,
            warm_up=length / 3 if warm_up < 0 else warm_up,
            scale_up=scale_up,
            clients=clients,
            overloads=overload,
            rounds=rounds,
            batch_sizes=batch_size,
            raw=raw,
            settings=_settings(setting),
        )
        pair = model_set(size, out)
        others, missing = peers(pair, cores()) if with_peers else ([], [])
        for reason in missing:
            log.warning("not measured: %s", reason)
        runs.measure_set(pair, photos.photos, others, plan, save)
    _report(results, out)


@app.command()
def soak(
    seconds: Annotated[float, typer.Option(help="How long.")] = 600,
    setting: Settings = [],  # noqa: B006
) -> None:
    """Load the service for long with good, bad and huge photos; fails when an answer is a fault, or there is none."""
    server = service.service(model_set(Size.EMBEDDED, BUILD), _settings(setting))
    with tqdm(total=seconds, unit="s", desc="soak", bar_format="{desc} {percentage:3.0f}% {bar} {elapsed}<{remaining}{postfix}") as bar:

        def progress(at: float, megabytes: float) -> None:
            bar.update(min(at, seconds) - bar.n)
            bar.set_postfix_str(f"{megabytes:.0f} MB")

        result = soaking.soak(server, seconds, progress)
    print_soak(result, Console())
    raise typer.Exit(1 if result.unexpected else 0)


@app.command("worst-clients")
def worst_clients(
    seconds: Annotated[float, typer.Option(help="Of each measurement: alone, and beside the others.")] = 120,
    warm_up: Annotated[float, typer.Option(help="Seconds before each measurement.")] = 10,
    clients: Annotated[int, typer.Option(help="Clients that post the worst files.")] = 8,
    rate: Annotated[float, typer.Option(help="Normal photos per second.")] = 4,
    impatient: Annotated[bool, typer.Option("--impatient", help="Refused clients do not wait as long as they are asked to.")] = False,
    setting: Settings = [],  # noqa: B006
) -> None:
    """Measure a normal photo alone, and beside clients that post the worst files; fails when an answer is a fault, or there is none."""
    server = service.service(model_set(Size.EMBEDDED, BUILD), _settings(setting))
    result = worst.measure(server, clients, rate, seconds, warm_up, patient=not impatient)
    print_worst_clients(result, Console(width=None if sys.stdout.isatty() else WIDTH))
    raise typer.Exit(1 if result.unexpected else 0)


@app.command("cpu-time")
def cpu_time(
    seconds: Annotated[float, typer.Option(help="Of the load.")] = 20,
    warm_up: Annotated[float, typer.Option(help="Seconds of load before it.")] = 20,
    clients: Annotated[int, typer.Option(help="Clients of the load.")] = 16,
    setting: Settings = [],  # noqa: B006
) -> None:
    """Measure the CPU time that each process and thread spends on a photo."""
    server = service.service(model_set(Size.EMBEDDED, BUILD), _settings(setting))
    result = cpu.measure(server, benchmark_photos().photos, clients, seconds, warm_up)
    print_cpu_time(result, Console(width=None if sys.stdout.isatty() else WIDTH))


@app.command()
def processes(
    clients: Annotated[list[Clients], typer.Option(help="In turn, on one service.")] = list(Clients),  # noqa: B006
    seconds: Annotated[float, typer.Option(help="Of each.")] = 60,
    setting: Settings = [],  # noqa: B006
) -> None:
    """Measure the memory and the CPU time of each process of the service: without clients, with one, and beside the worst ones."""
    server = service.service(model_set(Size.EMBEDDED, BUILD), _settings(setting))
    show(server, clients, seconds, Console(width=None if sys.stdout.isatty() else WIDTH))


@app.command()
def scaling(
    detectors: Annotated[list[int], typer.Option(help="Replicas, in turn.")] = [1, 4, 8, 16],  # noqa: B006
    ingresses: Annotated[list[int], typer.Option(help="Replicas, in turn with each of those.")] = [1, 2],  # noqa: B006
    warm_up: Annotated[float, typer.Option(help="Seconds of load before each measurement.")] = 5,
    seconds: Annotated[float, typer.Option(help="Of each measurement.")] = 10,
    out: Out = BUILD,
) -> None:
    """Measure photos per second by replicas of ingress and detector, with simulated models."""
    from benchmarks.plot import write_scaling  # matplotlib is slow to import

    replicas = [over_replicas.Replicas(ingresses=some, detectors=others) for some in ingresses for others in detectors]
    points = list(over_replicas.measure(service.service(model_set(Size.EMBEDDED, BUILD)), replicas, warm_up, seconds))
    out.mkdir(parents=True, exist_ok=True)
    (out / "scaling.json").write_text(json.dumps([dataclasses.asdict(point) for point in points], indent=1) + "\n")
    write_scaling(points, out / "scaling.png")
    Console(width=None if sys.stdout.isatty() else WIDTH).print(over_replicas.table(points))


app.command()(training_loop)
app.command()(predict)


@app.command()
def report(out: Out = BUILD) -> None:
    """Print and plot earlier results again."""
    _report(Results.read(out / RESULTS), out)


def _report(results: Results, out: Path) -> None:
    from benchmarks.plot import write_plots  # matplotlib is slow to import

    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    print_report(results, console)
    for file in [out / RESULTS, *write_plots(results, out)]:
        console.print(f"Written: {file}", highlight=False)


def _settings(options: list[str]) -> dict[str, str]:
    for option in options:
        if "=" not in option:
            raise typer.BadParameter(f"{option!r} is not NAME=VALUE")
    return dict(option.split("=", 1) for option in options)


def main() -> None:
    """Runs a command. Told to end, it still stops the servers that it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app()
