"""How good a classifier is, through the pipeline as served."""
