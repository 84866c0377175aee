"""The online system. A photo meets the files in this order:

    app              builds the graph from serve_config.yaml
    http_api         the HTTP contract: uploads -> answers
    uploads          takes a body apart, within limits
    ingress          deployment: admission, deadline, retries, the way through the graph
    person_detector  deployment: decodes, detects, counts, crops
      decoding         bytes -> upright RGB photo
      detector         RGB photos -> people
      gate             the person rule: exactly one, or a refusal
      cropping         photo and box -> the classifier's input
    gender_classifier deployment: batches
      classifier       crops -> calibrated probabilities

and beside the way: `codes` and `answers` (what can come out), `batching` (one worker that drains its queue), `checkpoints` and
`decision` (model URIs and what belongs to a checkpoint), `settings`, `telemetry`, `weights/` (the embedded models).
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("gender-presentation")
except PackageNotFoundError:  # run from a checkout that was not installed
    __version__ = "0.0.0"
