"""The tables on the terminal."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from benchmarks.cost import INSTANCES, PRICED, usd_per_1000
from benchmarks.cpu_time import CpuTime
from benchmarks.other_work import QUIET_CORES
from benchmarks.results import Machine, Point, Ratio, Results, ServerResult, SetResult
from benchmarks.soak import SoakResult
from benchmarks.worst_clients import WorstClients


def print_report(results: Results, console: Console) -> None:
    """Prints everything."""
    machine = results.machine
    console.print(f"\n{machine.cores} cores of {machine.processor}; {results.photos}; revision {machine.revision}, {machine.date}")
    for each in results.sets:
        console.print(_bare_table(each), _load_table(each), _figures_table(each), _cost_table(each, machine))
        if (cores := each.other_cores()) > QUIET_CORES:
            console.print(f"[red]The machine was not quiet:[/red] other programs kept up to {cores:.2f} cores busy in the rounds")
        for error in each.errors:
            console.print(f"[red]failed:[/red] {error}", highlight=False)


def print_soak(result: SoakResult, console: Console) -> None:
    """Prints the results of a soak."""
    table = _table(f"{sum(result.outcomes.values())} requests in {result.seconds:.0f} s", "outcome", "requests", "")
    for outcome, count in result.outcomes.most_common():
        table.add_row(outcome, str(count), "[red]unexpected[/red]" if outcome in result.unexpected else "")
    console.print(table)
    growth = result.growth_mb_per_hour()
    last = result.memory[-1].megabytes if result.memory else None
    console.print(f"memory: {_number(last)} MB at the end, growing by {'?' if growth is None else f'{growth:+.0f}'} MB/h")
    console.print(f"errors: {sum(result.unexpected.values())}")


def print_worst_clients(result: WorstClients, console: Console) -> None:
    """Prints how long a normal photo waited, the memory, and what the worst files got."""
    table = _table("a normal photo", "", "p50 ms", "p99 ms", "answers")
    for name, waiting in (("alone", result.alone), ("beside the others", result.beside)):
        table.add_row(name, _number(waiting.p50_ms), _number(waiting.p99_ms), _outcomes(waiting.outcomes))
    console.print(table)
    table = _table("the worst files", "kind", "answers")
    for kind, outcomes in result.outcomes.items():
        table.add_row(kind, _outcomes(outcomes))
    console.print(table)
    console.print(f"p99 beside the others: {_number(result.ratio, 2)} times that alone")
    console.print(f"memory (PSS): {_number(result.resting_mb)} MB at rest, {_number(result.most_mb)} MB at most")
    console.print(f"errors: {sum(result.unexpected.values())}")


def _outcomes(counts: Counter[str]) -> str:
    return ", ".join(f"{outcome}: {count}" for outcome, count in counts.most_common())


def _bare_table(each: SetResult) -> Table:
    table = _table(f"{each.models}: bare loop", "runtime", "best way", "photos/s", "lowest", "highest", "one photo, ms", "other answers")
    for bare in each.bare:
        rates = [speed.photos_per_s for speed in bare.best]
        lowest, highest = _number(min(rates, default=None), 2), _number(max(rates, default=None), 2)
        way = str(bare.best[0].way) if bare.best else ""
        total, alone = _number(bare.photos_per_s(), 2), _number(bare.one_by_one_p50_ms, 1)
        table.add_row(bare.runtime, way, total, lowest, highest, alone, str(len(bare.disagreements)))
    return table


def print_cpu_time(result: CpuTime, console: Console) -> None:
    """The table of a photo's CPU time."""
    console.print(f"{result.photos} photos, {result.photos_per_s:.1f}/s")
    table = _table("CPU time of a photo, ms", "process", "thread", "ms")
    for process, milliseconds in result.by_process.items():
        table.add_row(process, "", _number(milliseconds, 2))
        threads = {place.thread: spent for place, spent in result.milliseconds.items() if place.process == process}
        if len(threads) > 1:
            for thread, spent in sorted(threads.items(), key=lambda item: -item[1]):
                table.add_row("", thread, _number(spent, 2))
    table.add_row("all", "", _number(sum(result.milliseconds.values()), 2))
    console.print(table)


def _load_table(each: SetResult) -> Table:
    columns = ("answers/s", "p50 ms", "p99 ms", "refused/s", "p99 ms", "others", "wrong", "batch", "cores", "client cores", "MB")
    table = _table(f"{each.models}: loads", "server", "load", *columns)
    for server in each.servers:
        for point in server.points:
            table.add_row(server.name, point.load, *_load_row(point))
        table.add_section()
    return table


def _load_row(point: Point) -> Iterator[str]:
    summary = point.summary
    yield _number(summary.answers_per_s, 2)
    yield _number(summary.p50_ms)
    yield _number(summary.p99_ms)
    yield _number(summary.refusals_per_s, 1)
    yield _number(summary.refusal_p99_ms)
    yield ", ".join(f"{outcome}: {count}" for outcome, count in summary.others.items())
    yield str(summary.wrong)
    yield " ".join(f"{size:.1f}" for _, size in sorted(point.mean_batch.items(), reverse=True))
    yield _number(point.server_cpu_s / point.wall_s, 2)
    yield _number(point.client_cpu_s / summary.seconds, 2)
    yield _number(point.memory_mb)


def _cost_table(each: SetResult, machine: Machine) -> Table:
    """What the service costs at each load; the other servers' costs are to it as their answers per second are."""
    points = each.servers[0].points if each.servers else []
    table = _table(f"{each.models}: USD per 1,000 photos (list prices of {PRICED})", "instance", *(point.load for point in points))
    for instance in INSTANCES:
        table.add_row(instance.name, *(_number(usd_per_1000(instance, point, machine), 5) for point in points))
    return table


def _figures_table(each: SetResult) -> Table:
    table = _table(f"{each.models}: figures", "", *(server.name for server in each.servers))
    figures = [_figures(each, server) for server in each.servers]
    for name in figures[0] if figures else []:
        table.add_row(name, *(column[name] for column in figures))
    return table


def _figures(each: SetResult, server: ServerResult) -> dict[str, str]:
    overload, peak = server.overload(), server.peak()
    return {
        "first right answer, s": _number(server.first_answer_s, 1),
        "most answers/s in a closed loop": _number(server.saturated(), 2),
        **{f"share of the bare loop, {bare.runtime} (lowest to highest)": _ratio(each.ratio(server, bare)) for bare in each.bare},
        **{f"added latency at one client, {bare.runtime}, ms": _number(each.added_latency_ms(server, bare), 1) for bare in each.bare},
        "goodput at the highest open load, of the most": _number(overload.summary.answers_per_s / peak, 2) if overload and peak else "",
        "p99 of refusals there, ms": _number(overload.summary.refusal_p99_ms) if overload else "",
        "most memory (PSS), MB": _number(server.memory_mb()),
        "answers unlike the bare loop's": str(len(server.disagreements)),
    }


def _ratio(ratio: Ratio | None) -> str:
    return f"{ratio.median:.3f} ({ratio.low:.3f} to {ratio.high:.3f})" if ratio else ""


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
