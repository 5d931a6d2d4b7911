"""Where a model is put and in which dtype, checked before memory is taken."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

DTYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
DEVICE_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
FULL = "out of memory"


@final
@dataclass(frozen=True)
class Placement:
    """The device and the dtype of a model; None leaves either as it is.

    `device_map` spreads a model of transformers over devices, as accelerate does.

    Raises
    ------
    ValueError
        The device is none or not there, the dtype or the map is unknown, or both a device and a
        map are named.
    """

    device: str | torch.device | None = None
    dtype: str | torch.dtype | None = None
    device_map: str | dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.device is not None:
            check_device(self.device)
        if isinstance(self.dtype, str) and self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}.")
        if self.device_map is None:
            return
        if self.device is not None:
            raise ValueError(
                f"device={str(self.device)!r} and device_map={self.device_map!r} both say where "
                f"the model is to be; pass one of them."
            )
        if isinstance(self.device_map, str) and self.device_map not in DEVICE_MAPS:
            raise ValueError(
                f"device_map must be one of {', '.join(DEVICE_MAPS)}, got {self.device_map!r}; to "
                f"put a whole model on one device pass device."
            )

    @property
    def numbers(self) -> torch.dtype | None:
        """The dtype of torch, or None."""
        return DTYPES[self.dtype] if isinstance(self.dtype, str) else self.dtype

    @property
    def options(self) -> dict[str, Any]:
        """What `from_pretrained` of transformers takes of it."""
        named = {"dtype": self.numbers, "device_map": self.device_map}
        return {name: value for name, value in named.items() if value is not None}

    def put(self, model: nn.Module) -> None:
        """Bring a loaded model into the dtype and to the device.

        Raises
        ------
        MemoryError
            There is no room for it on the device.
        """
        if self.device is None and self.numbers is None:
            return
        with room_for("The model", self.device or "its device"):
            nn.Module.to(model, device=self.device, dtype=self.numbers)


def check_device(device: str | torch.device) -> None:
    """Refuse a device that torch does not know or that this machine does not have.

    Raises
    ------
    ValueError
        It is one of these; the message says which devices are there.
    """
    try:
        found = torch.device(device)
    except RuntimeError:
        raise ValueError(
            f"device must be one that torch knows, such as cpu or cuda:0, got {str(device)!r}."
        ) from None
    there = devices()
    if found.type != "meta" and f"{found.type}:{found.index or 0}" not in there:
        named = ", ".join("cpu" if each == "cpu:0" else each for each in there)
        raise ValueError(f"There is no device {str(device)!r} on this machine; there is: {named}.")


def devices() -> tuple[str, ...]:
    """Return the devices of this machine by kind and number."""
    found = ["cpu:0", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps:0")
    for kind in ("xpu",):
        module = getattr(torch, kind, None)
        if module is not None and module.is_available():
            found += [f"{kind}:{number}" for number in range(module.device_count())]
    return tuple(found)


@contextmanager
def room_for(what: str, device: object) -> Iterator[None]:
    """Say in one sentence that the memory of a device ran out.

    Raises
    ------
    MemoryError
        It did.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(_full(what, device, error)) from error
    except RuntimeError as error:
        if FULL not in str(error).lower():
            raise
        raise MemoryError(_full(what, device, error)) from error


def _full(what: str, device: object, error: Exception) -> str:
    asked = str(error).split("Tried to allocate ")[-1].split(". ")[0].rstrip(".")
    detail = f", which was asked for {asked}" if asked != str(error) else ""
    return (
        f"{what} has no room on {device}{detail}; pass a smaller batch_size or length, "
        f"dtype='bfloat16', or another device"
    )
