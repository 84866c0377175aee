"""The person detector: its data, training and evaluation."""
