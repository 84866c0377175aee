"""From photos to a tuned, judged, published model. The commands are in `cli`; `python -m tune_training` lists them.

    prepare    a folder or bucket of photos           -> `manifest`: the checked photos, split
    tune       a manifest, a `search_space`           -> the best of many `trial`s: a checkpoint
    evaluate   a checkpoint and a manifest            -> metrics.json, report.html, the card, the temperature in decision.json
    publish    a judged checkpoint                    -> s3://bucket/prefix/, where serving loads it
    predict    a folder or bucket, the whole pipeline -> a table
    run        the first four in one

What prepare is made of: `labelling` says what is known of each file, also by a `photo_table`, `examine` looks inside, `near_duplicates`
and `splitting` divide, `data_report` shows. It and predict work in the processes of `workers` and keep what they have in `parts`.

What tune is made of: `search_space` and `schedulers` say what is tried, `trial` runs the one training function (`train_classifier`, in
`loop`) on a worker of the `cluster`, on `crops` that `augmentation` varies; `trials_plot` shows. After a kill, `stored_epochs` and
`time_budget` say what is done.

What evaluate is made of: `labelled_photos` in, `answers` of the pipeline, their `scores`, `calibration`, `risk_coverage` and `groups`;
`metrics_file`, `evaluation_report` and `model_card` out. `gated_photos` and `crop_choice` come before. The embedded detector:
`train_detector`, `evaluate_detector`.

`storage` reads and writes folders and S3 alike; `errors` has the one error that a user can mend.
"""
