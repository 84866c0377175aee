"""Ray Tune around the training run: which hyper-parameters are tried, and which model is kept."""
