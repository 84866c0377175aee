import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.support.checkpoints import write_tiny_classifier
from tune_training.io.errors import InputError
from tune_training.train.loop import READ_AHEAD, Epoch, LoopConfig, fit, learning_rate_factor, read_ahead, seed_everything, write_checkpoint
from tune_training.train.model import image_processor, two_class_model

CONFIG = LoopConfig(epochs=4, steps_per_epoch=5, warmup_steps=3, seed=7)

Batch = tuple[torch.Tensor, torch.Tensor]


class Interrupted(Exception):
    """Simulates a kill."""


def network() -> nn.Module:
    seed_everything(1)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))


def batches(epoch: int) -> Iterator[Batch]:
    """Drawn from the global random generator, as careless code would; the loop seeds it."""
    for _ in range(CONFIG.steps_per_epoch):
        x = torch.randn(8, 3)
        yield x, x.sum(-1, keepdim=True)


def losses(model: nn.Module, batch: Batch) -> Iterator[torch.Tensor]:
    model.train()
    yield nn.functional.mse_loss(model(batch[0]), batch[1])


def run(folder: Path, config: LoopConfig = CONFIG, model: nn.Module | None = None, **options: object) -> tuple[nn.Module, nn.Module]:
    """The trained model and its moving average."""
    model = model or network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    arguments = {"batches": batches, "losses": losses} | options
    return model, fit(model, optimizer, config=config, run_dir=folder, **arguments)  # type: ignore[arg-type]


def assert_same(first: nn.Module, second: nn.Module) -> None:
    torch.testing.assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=0, atol=0)


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_run_killed_within_an_epoch_ends_like_an_unbroken_one(tmp_path: Path, epoch: int) -> None:
    def broken(now: int) -> Iterator[Batch]:
        for step, batch in enumerate(batches(now)):
            if (now, step) == (epoch, 2):
                raise Interrupted
            yield batch

    with pytest.raises(Interrupted):
        run(tmp_path / "killed", batches=broken)
    for resumed, unbroken in zip(run(tmp_path / "killed"), run(tmp_path / "unbroken"), strict=True):
        assert_same(resumed, unbroken)


@pytest.mark.parametrize("epoch", range(CONFIG.epochs))
def test_a_run_killed_while_an_epoch_is_reported_ends_like_an_unbroken_one_and_reports_it(tmp_path: Path, epoch: int) -> None:
    def interrupted(now: Epoch[nn.Module]) -> dict[str, float]:
        if now.number == epoch + 1:
            raise Interrupted
        return {}

    reported = {}

    def report(now: Epoch[nn.Module]) -> dict[str, float]:
        reported[now.number] = now.loss
        return {"accuracy": 0.5}

    with pytest.raises(Interrupted):
        run(tmp_path / "killed", on_epoch=interrupted)
    for resumed, unbroken in zip(run(tmp_path / "killed", on_epoch=report), run(tmp_path / "unbroken"), strict=True):
        assert_same(resumed, unbroken)
    assert set(reported) == set(range(epoch + 1, CONFIG.epochs + 1))
    assert all(reported.values())


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    _, average = run(tmp_path)

    def must_not_run(epoch: int) -> Iterator[Batch]:
        raise AssertionError("trained again")

    assert_same(run(tmp_path, batches=must_not_run)[1], average)


def test_the_result_depends_on_the_seed(tmp_path: Path) -> None:
    first, second = run(tmp_path / "a")[1], run(tmp_path / "b", replace(CONFIG, seed=8))[1]
    assert not torch.equal(next(first.parameters()), next(second.parameters()))


@pytest.mark.parametrize("changed", [{"epochs": 5}, {"seed": 8}, {"steps_per_epoch": 6}, {"clip_norm": 0.1}])
def test_the_folder_of_a_run_with_other_settings_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    run(tmp_path)
    with pytest.raises(InputError, match=r"training_state.pt belongs to a run with other settings .*'epochs': 4"):
        run(tmp_path, replace(CONFIG, **changed))


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_good_epoch(tmp_path: Path) -> None:
    def poisoned(epoch: int) -> Iterator[Batch]:
        for step, (x, y) in enumerate(batches(epoch)):
            yield x, y * (float("nan") if (epoch, step) == (1, 3) else 1.0)

    with pytest.raises(FloatingPointError, match="the loss is nan in epoch 2, step 4"):
        run(tmp_path, batches=poisoned)
    state = torch.load(tmp_path / "training_state.pt", weights_only=True)
    assert state["epochs_done"] == 1
    assert all(value.isfinite().all() for value in state["model"].values())


def test_it_learns(tmp_path: Path) -> None:
    seed_everything(0)
    model = nn.Linear(3, 1)
    _, average = run(tmp_path, LoopConfig(epochs=80, steps_per_epoch=5, warmup_steps=3, ema_decay=0.9), model)
    torch.testing.assert_close(average.weight, torch.ones(1, 3), atol=0.1, rtol=0)


def test_a_batch_in_parts_is_one_step_of_their_sum(tmp_path: Path) -> None:
    def in_parts(model: nn.Module, batch: Batch) -> Iterator[torch.Tensor]:
        for first in range(0, 8, 3):
            part = slice(first, first + 3)
            yield nn.functional.mse_loss(model(batch[0][part]), batch[1][part], reduction="sum") / 8

    seed_everything(0)
    linear = nn.Linear(3, 1)
    whole, parts = (run(tmp_path / name, model=copy.deepcopy(linear), losses=each)[0] for name, each in (("a", losses), ("b", in_parts)))
    torch.testing.assert_close(dict(parts.state_dict()), dict(whole.state_dict()))


@pytest.mark.parametrize("last", [1, 3])
def test_training_ends_early_when_it_is_enough_and_stays_ended(tmp_path: Path, last: int) -> None:
    reported: list[int] = []

    def report(now: Epoch[nn.Module]) -> dict[str, float]:
        reported.append(now.number)
        return {}

    for _ in range(2):
        run(tmp_path, on_epoch=report, is_enough=lambda: reported[-1] >= last)
    assert reported == [*range(1, last + 1), last]


def test_a_run_that_ends_early_on_the_schedule_of_a_longer_one_is_the_beginning_of_it(tmp_path: Path) -> None:
    epochs: dict[int, dict[str, torch.Tensor]] = {}

    def keep(now: Epoch[nn.Module]) -> dict[str, float]:
        epochs[now.number] = copy.deepcopy(now.average.state_dict())
        return {}

    _, whole = run(tmp_path / "whole", on_epoch=keep)
    _, begun = run(tmp_path / "begun", last_epoch=2)
    torch.testing.assert_close(dict(begun.state_dict()), epochs[2], rtol=0, atol=0)
    assert_same(run(tmp_path / "begun", last_epoch=2)[1], begun)
    assert_same(run(tmp_path / "begun")[1], whole)


class TestScaledGradients:
    """As of a GPU that trains in float16; a processor scales the same way."""

    def test_they_lead_where_unscaled_ones_do(self, tmp_path: Path) -> None:
        scaled = run(tmp_path / "scaled", scaler=torch.amp.GradScaler("cpu"))
        for one, other in zip(scaled, run(tmp_path / "plain"), strict=True):
            torch.testing.assert_close(dict(one.state_dict()), dict(other.state_dict()))

    def test_one_that_is_too_large_is_skipped_and_lowers_the_scale(self, tmp_path: Path) -> None:
        def overflows(model: nn.Module, batch: Batch) -> Iterator[torch.Tensor]:
            yield from (value * 1e30 for value in losses(model, batch))

        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
        model, _ = run(tmp_path, replace(CONFIG, epochs=1), losses=overflows, scaler=scaler)
        assert scaler.get_scale() < 2.0**40
        assert all(value.isfinite().all() for value in model.state_dict().values())

    def test_a_resumed_run_goes_on_with_its_scale(self, tmp_path: Path) -> None:
        def interrupted(now: Epoch[nn.Module]) -> dict[str, float]:
            raise Interrupted

        with pytest.raises(Interrupted):
            run(tmp_path, scaler=torch.amp.GradScaler("cpu", init_scale=8.0), on_epoch=interrupted)
        scaler = torch.amp.GradScaler("cpu")
        run(tmp_path, scaler=scaler)
        assert scaler.get_scale() == 8.0


def test_the_learning_rate_warms_up_and_follows_a_cosine_to_zero() -> None:
    config = LoopConfig(epochs=10, steps_per_epoch=20, warmup_steps=40)
    factors = [learning_rate_factor(step, config) for step in range(200)]
    assert factors[0] == pytest.approx(1 / 40)
    assert factors[19] == pytest.approx(0.5)
    assert max(factors) == factors[39] == pytest.approx(1.0)
    assert factors[120] == pytest.approx(0.5)
    assert factors[40:] == sorted(factors[40:], reverse=True)
    assert 0 < factors[-1] < 1e-3
    assert learning_rate_factor(300, config) == pytest.approx(0.0)


def test_without_warm_up_it_starts_at_the_full_rate() -> None:
    assert learning_rate_factor(0, LoopConfig(epochs=1, steps_per_epoch=10, warmup_steps=0)) == 1.0


def test_the_average_trails_the_weights_and_takes_over_the_buffers(tmp_path: Path) -> None:
    """One step: the first decay is (1 + 0) / (10 + 0), however large the configured one is."""
    start = network()
    before = [parameter.detach().clone() for parameter in start.parameters()]

    def one(epoch: int) -> Iterator[Batch]:
        yield next(batches(epoch))

    model, average = run(tmp_path, LoopConfig(epochs=1, steps_per_epoch=1, warmup_steps=1), start, batches=one)
    for old, new, mean in zip(before, model.parameters(), average.parameters(), strict=True):
        torch.testing.assert_close(mean, 0.1 * old + 0.9 * new)
    for theirs, kept in zip(model.buffers(), average.buffers(), strict=True):
        assert torch.equal(theirs, kept)
    assert not average.training


def test_a_decay_of_nothing_makes_the_average_the_weights(tmp_path: Path) -> None:
    model, average = run(tmp_path, replace(CONFIG, ema_decay=0.0))
    assert_same(model, average)


def test_it_is_quiet_without_a_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    assert tuple(capfd.readouterr()) == ("", "")


def test_checkpoints_are_written_in_half_precision_and_the_model_stays_as_it_is(tmp_path: Path) -> None:
    model = two_class_model(str(write_tiny_classifier(tmp_path / "start")), 32)
    write_checkpoint(model, image_processor(str(tmp_path / "start"), 32), tmp_path / "checkpoint")
    assert {file.name for file in (tmp_path / "checkpoint").iterdir()} == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert model.dtype == torch.float32
    assert type(model).from_pretrained(tmp_path / "checkpoint").dtype == torch.float16


def test_batches_that_are_read_ahead_come_in_order() -> None:
    assert list(read_ahead(str, range(7))) == list("0123456")


def test_no_more_batches_are_read_ahead_than_it_says() -> None:
    read: list[int] = []
    batches = read_ahead(read.append, range(9))
    next(batches)
    assert len(read) <= READ_AHEAD + 1
    list(batches)
    assert read == list(range(9))


def test_an_error_of_reading_ahead_comes_when_its_turn_does() -> None:
    ahead = read_ahead(lambda value: 1 // value, [1, 0])
    assert next(ahead) == 1
    with pytest.raises(ZeroDivisionError):
        next(ahead)
