"""The numbers of a fine-tuning run. The defaults suit two CPU cores and about an hour."""

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from typer import Option

from tune_training.data.table import SOURCE

DEFAULT_START = "hf://google/vit-base-patch16-224"


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ClassifierRecipe:
    """Checked numbers, each an option of the command `train`.

    Layer-wise learning rates follow Clark et al. 2020, label smoothing Szegedy et al. 2016, mixup Zhang et al. 2018.
    """

    epochs: Annotated[int, Field(ge=1, le=1000), Option(help="Passes over the photos.")] = 5
    batch_size: Annotated[int, Field(ge=1, le=4096), Option(help="Photos per step.")] = 64
    photos_per_epoch: Annotated[int, Field(ge=0), Option(help="Photos drawn, with repetition, for an epoch; 0: as many as there are.")] = (
        32_000
    )
    source_power: Annotated[
        float, Field(ge=0, le=1), Option(help="1: draw from sources in proportion to their size; 0: from all sources equally.")
    ] = 0.5
    balance: Annotated[
        str,
        Option(
            help='Columns, separated by commas, within whose groups both labels are drawn equally often: "source,age"; "": as they are.'
        ),
    ] = SOURCE
    learning_rate: Annotated[float, Field(gt=0, le=1), Option(help="Peak learning rate of the head.")] = 4e-4
    layer_decay: Annotated[float, Field(gt=0, le=1), Option(help="Factor on the learning rate from each block to the one below it.")] = 0.8
    weight_decay: Annotated[float, Field(ge=0, le=1), Option(help="Of AdamW; not for norms, biases and embeddings.")] = 0.05
    label_smoothing: Annotated[float, Field(ge=0, lt=1), Option(help="Probability mass spread over the labels.")] = 0.1
    teacher_share: Annotated[float, Field(ge=0, le=1), Option(help="Share of a teacher's probability in what is aimed at.")] = 0.3
    feature_weight: Annotated[float, Field(ge=0, le=100), Option(help="Weight of the loss of a teacher's features.")] = 1.0
    augmentation: Annotated[float, Field(ge=0, le=1), Option(help="Strength of augmentation; 0: none.")] = 1.0
    mixup: Annotated[float, Field(ge=0, le=10), Option(help="Alpha of mixup's Beta distribution; 0: no mixup.")] = 0.0
    frozen_layers: Annotated[int, Field(ge=0), Option(help="Blocks, counted from the input, that are not trained, nor the embeddings.")] = 0
    linear_probe: Annotated[bool, Option("--linear-probe", help="Train the head alone: for a few hundred photos, and fast.")] = False
    patience: Annotated[
        int,
        Field(ge=0),
        Option(
            help="Stop after so many epochs without a better one on `val`, and keep the best one's weights; 0: all epochs, and the last."
        ),
    ] = 0
    accumulate: Annotated[
        int,
        Field(ge=1),
        Option(help="Parts of a batch that are computed one after the other, where memory is short; the result is the same."),
    ] = 1
    warmup: Annotated[float, Field(ge=0, lt=1), Option(help="Share of the steps in which the learning rate rises, 100 steps at most.")] = (
        0.1
    )
    seed: Annotated[int, Field(ge=0), Option(help="Seed of everything random.")] = 0

    @property
    def balanced_by(self) -> tuple[str, ...]:
        """The columns of `balance`."""
        return tuple(column.strip() for column in self.balance.split(",") if column.strip())
