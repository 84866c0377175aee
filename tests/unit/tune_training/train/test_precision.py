"""Which precision is chosen for a device; what a GPU says of itself is simulated."""

import pytest
import torch

from tune_training.train.precision import autocast, gradient_scaler, training_dtype

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("native", "dtype"), [(True, torch.bfloat16), (False, torch.float16)], ids=["from Ampere on", "before Ampere, as a T4"]
)
def test_a_gpu_trains_in_the_half_precision_that_it_computes(native: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the argument, a T4 says that it can: slowly, in float32.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training_dtype(CUDA) is dtype
    assert gradient_scaler(CUDA).is_enabled() == (dtype is torch.float16)


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [({"avx512_bf16": True, "avx2": True}, torch.bfloat16), ({"bf16": True}, torch.bfloat16), ({"avx512_bf16": False, "avx2": True}, None)],
    ids=str,
)
def test_a_processor_trains_in_bfloat16_if_it_has_instructions_for_it(
    capabilities: dict[str, bool], dtype: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert training_dtype(CPU) is dtype
    assert not gradient_scaler(CPU).is_enabled()
    with autocast(CPU):
        assert torch.is_autocast_enabled("cpu") == (dtype is not None)
