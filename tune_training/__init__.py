"""Trains and judges the two models that the service runs. The commands are in `cli`; `python -m tune_training` lists them.

    detection_data       photos with boxes of people        -> train_detector   -> a checkpoint
    classification_data  photos of one labelled person each -> train_classifier -> a checkpoint
    evaluate             both checkpoints, through the pipeline as served -> decision.json, metrics.json
    model_card           metrics.json -> the tables of the model cards and the README

Both trainings run in `loop`; `errors` has the one error that a user can mend.
"""
