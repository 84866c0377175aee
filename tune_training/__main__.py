"""`python -m tune_training`."""

from tune_training.cli import main

main()
