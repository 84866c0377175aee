"""Measures the service: `python -m benchmarks` lists the commands. In the order of a run:

    checkpoints        the models: embedded, and of full size
    photos             what is sent
    bare_loop          the models with nothing around them ...
    bare               ... on all cores, in the best of the ways tried
    servers            a server in a process of its own: the service (`service`) or a peer (`peers/`)
    load               the client: closed and open loops
    samples            single requests -> rates and percentiles
    run                the order of all this
    results            what was measured, as JSON -> report (tables), plot

Beside it: `soak` (a long load of good, bad and huge photos), `autoscaling` and `scaling` (replicas of a `simulated` service under
`traffic`, in a `local_cluster`), `answers` (what is compared between loop and server) and
`research_archives` (photos that cannot be shipped).
"""
