"""In which precision a network is trained: half, where the device computes it faster than float32."""

import torch


def training_dtype(device: torch.device) -> torch.dtype | None:
    """The type that products are computed in; None: float32.

    Bfloat16 has the range of float32 and needs no care. GPUs that only emulate it (before Ampere: T4, V100) compute float16 instead, whose
    small gradients have to be scaled up: see `gradient_scaler`. A processor that emulates either is slower with it than with float32.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    able = any(torch.cpu.get_capabilities().get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if able else None


def autocast(device: torch.device) -> torch.autocast:
    """Computes in `training_dtype` what bears it."""
    dtype = training_dtype(device)
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def gradient_scaler(device: torch.device) -> torch.amp.GradScaler:
    """Scales losses, so that gradients in float16 do not vanish (Micikevicius et al. 2018); does nothing for other types."""
    return torch.amp.GradScaler(device.type, enabled=training_dtype(device) is torch.float16)
