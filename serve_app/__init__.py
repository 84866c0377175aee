"""The online system. A photo meets the files in this order:

    app                builds the graph from serve_config.yaml
    ingress            deployment: HTTP in front of the graph
      request_ids        an id for each request
      http_api           the contract: uploads -> answers
      admission          how much is let in at a time, at the models' pace
      uploads            takes a body apart, within limits
      graph_client       deadline, retries, the way through the graph
      replicas           calls, deaths, and whether anybody is there
    person_detector    deployment: decodes, detects, counts, crops
      decoding           bytes -> upright RGB photo
      image_headers      what a file declares, before anything is spent on it
      resizing           as the detector's image processor does it
      detector           RGB photos -> people
      gate               the person rule: exactly one, or a refusal
      cropping           photo and box -> the classifier's input
    gender_classifier  deployment: batches
      classifier         crops -> calibrated probabilities

Beside the way: `codes`, `answers` and `faults` (what can come out), `openapi`, `docs_page`, `page`, `security_headers` and
`unread_bodies` (the rest of HTTP), `pace` (of the models), `graph` (what travels between the deployments), `retry_budget`, `lanes` and
`quarantine` (photos whose replica died), `batching` (one worker that drains its queue), `model_slot` (exchanging a model under load),
`checkpoints` and `decision` (model URIs, and what belongs to a checkpoint), `runtimes` with `openvino_runtime`, `openvino_export`,
`torch_runtime` and `networks` (what runs a model, and how it gets there), `draining` (stopping without losing anything), `sleep` (models
that were scaled to zero), `serve_environment` (what Ray's processes are told), `settings`, `telemetry`, `pipeline` (the same way in one
process), `prepare_models` (before the first start), `smoke` (tries a running service), `weights/` (the embedded models).
"""

__version__ = "1.0.0"
