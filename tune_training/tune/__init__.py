"""Ray Tune around that training run: which hyper-parameters are tried, and which model is kept."""
