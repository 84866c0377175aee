"""One training run: from a manifest to a fine-tuned checkpoint."""
