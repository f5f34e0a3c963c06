"""Where and how to compute: device, threads, precision, allocator, and no compiler."""

from __future__ import annotations

import ctypes
import sys

import torch

from slow_features.config.schema import Experiment
from slow_features.errors import MachineError

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # glibc's malloc.h
_NEVER = 2**31 - 1


def prepare_machine(config: Experiment) -> torch.device:
    """Set up threads, allocator and torch for this process; return the device to compute on.

    Raises MachineError when the device that the settings name is not there.
    """
    torch.set_num_threads(config.threads)
    keep_freed_memory()
    leave_compiler_out()
    return choose_device(config.device)


def choose_device(name: str) -> torch.device:
    """Return the device of this name; 'auto' takes CUDA, then MPS, then the CPU."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(candidate for candidate, found in there.items() if found)
    if not there[name]:
        usable = ", ".join(candidate for candidate, found in there.items() if found)
        raise MachineError(f"device = {name}: not on this machine; allowed here: auto, {usable}")
    return torch.device(name)


def product_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the type that a model's convolutions and products compute in, None for float32.

    'auto' takes bfloat16 where the processor multiplies it in hardware.
    """
    if precision == "float32":
        return None
    if precision == "bfloat16" or has_bfloat16(device):
        return torch.bfloat16
    return None


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next step instead of returning it to the kernel.

    A step frees and asks again for the same large blocks; each time the kernel would hand out
    zeroed pages. Changes no result. Other C libraries are left alone.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)


def leave_compiler_out() -> None:
    """Keep LARS from importing torch's compiler, which nothing here uses.

    Methods of torch's optimisers import the compiler at their first call, 800 modules, only to have
    themselves excluded from it: the wrapper around each looks for the form that is excluded, and
    where nothing is compiled that is the method itself. Changes no result. Adam's own step imports
    the compiler all the same.
    """
    for method in vars(torch.optim.Optimizer).values():
        wrapped = getattr(method, "__wrapped__", None)
        if wrapped is not None:
            vars(wrapped).setdefault("__dynamo_disable", wrapped)
