"""CPU time is counted by process and by thread."""

import subprocess
import threading

import psutil

from benchmarks.cpu_time import CpuTime, Place, cpu_seconds


def test_the_time_of_all_threads_is_that_of_the_process_though_some_have_ended() -> None:
    me = psutil.Process()
    worker = threading.Thread(target=lambda: sum(range(5_000_000)))
    worker.start()
    worker.join()
    before = sum(me.cpu_times()[:2])
    counted = sum(cpu_seconds([me]).values())
    assert before - 1 < counted < sum(me.cpu_times()[:2]) + 1  # the clocks tick a hundred times a second, for each thread


def test_the_time_of_a_process_is_that_of_its_threads_and_the_most_comes_first() -> None:
    result = CpuTime(10, 5.0, {Place("HAProxy", "a"): 1.0, Place("Ingress", "a"): 0.75, Place("Ingress", "b"): 0.5})
    assert list(result.by_process.items()) == [("Ingress", 1.25), ("HAProxy", 1.0)]


def test_processes_are_named_after_what_they_run() -> None:
    titles = {
        "ray::ServeReplica:gender:PersonDetector": "PersonDetector (replica)",
        "ray::ServeController.run_control_loop": "Serve: controller",
        "another": "another",
    }
    for title, name in titles.items():
        with subprocess.Popen(["bash", "-c", f"exec -a {title!r} sleep 60"]) as process:
            try:
                while title not in psutil.Process(process.pid).cmdline():
                    pass  # until it has become `sleep`
                assert {place.process for place in cpu_seconds([psutil.Process(process.pid)])} == {name}
            finally:
                process.kill()


def test_a_process_that_has_ended_counts_for_nothing() -> None:
    with subprocess.Popen(["true"]) as ended:
        process = psutil.Process(ended.pid)
    assert not cpu_seconds([process])
