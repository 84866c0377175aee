"""From bytes to people to probabilities, on plain arrays: the same code answers over HTTP, in folders and in the evaluation."""
