"""From photos to a tuned, evaluated, published model. `python -m tune_training` lists the commands.

data        prepare: a folder or bucket of photos -> the manifest: checked photos, split
train       train: a manifest -> a fine-tuned checkpoint
tune        tune: a manifest and a search space   -> the best checkpoint of many trials, each of which runs `train`
evaluate    evaluate, model-card: a checkpoint and labelled photos -> metrics, report, card, calibration
publish     an evaluated checkpoint -> s3://bucket/prefix/, where serving loads it
predict     a folder or bucket through the whole pipeline -> a table
run         prepare, tune, evaluate and publish in one
detector    train-detector, evaluate-detector: the person detector
io          files in folders and S3 alike, worker processes, the Ray cluster, options of commands
"""
