"""The online system: `http` takes a photo in, `graph` carries it between replicas, `vision` reads it.

`runtimes` runs the networks, and `checkpoints` brings their weights and what belongs to them. Imports go in this order only.
Codes are in `codes`, limits in `settings`, the person rule in `vision.people`, the crop in `vision.cropping`.
"""

__version__ = "1.0.0"
