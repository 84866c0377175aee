"""Measures the service: `python -m benchmarks` lists the commands. In the order of a run:

    checkpoints        the models: embedded, and of full size
    photos             the input
    bare_loop          the models alone ...
    bare               ... on all cores, in the fastest configuration
    servers            a server in a process of its own: the service (`service`) or a peer (`peers/`)
    load               the client: closed and open loops
    samples            single requests -> rates and percentiles
    run                runs all of this in order
    results            the measurements as JSON -> report (tables), plot

Besides: `soak` (a long load of good, bad and huge photos), `worst_clients` (a normal photo beside those that cost most), `autoscaling`
(replicas of a `simulated` service under `traffic`, in a `local_cluster`), `scaling` (photos per second over such replicas), `answers`
(compares loop and server) and `research_archives` (photos that cannot be shipped).
"""
