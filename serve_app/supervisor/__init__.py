"""`make serve` around Ray: `driver` starts Ray and the service, `watchdog` ends them when `make serve` dies, `processes` finds all of them.

`stop` ends them without losing requests, `cluster` and `health` say how they are, and `environment` has their variables.
"""
