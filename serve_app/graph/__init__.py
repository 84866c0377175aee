"""The Ray Serve graph: `client` takes a photo through `person_detector` and `gender_classifier`.

Around them: `replicas` and `retry_budget` (calls and retries), `batching`, `model_slot` (exchange of models), `ray_internals`.
"""
