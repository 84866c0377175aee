"""From bytes to people to probabilities, on plain arrays. The service, `predict` and `evaluate` share this code."""
