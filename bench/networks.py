"""The networks of the bench, written once more for PyTorch, and the batches that both sides get."""

from __future__ import annotations

from typing import Any

import numpy as np

BATCHES = {"mlp": 128, "lenet": 64, "resnet20": 64, "vgg8": 32}
RATE, MOMENTUM = 1e-3, 0.9


def batch_of(name: str) -> dict[str, np.ndarray[Any, Any]]:
    """Random images and labels as the network's training takes them."""
    rng = np.random.default_rng(0)
    count = BATCHES[name]
    label = rng.integers(0, 10, count)
    if name in ("mlp", "lenet"):
        return {"image": rng.integers(0, 256, (count, 1, 28, 28)).astype(np.uint8), "label": label.astype(np.uint8)}
    return {"image": rng.normal(size=(count, 3, 32, 32)).astype(np.float32), "label": label}


def torch_network(name: str) -> Any:
    """The same layers as `specs/NAME.nn` in PyTorch."""
    from torch import nn

    def residual(channels: int, out: int, stride: int) -> Any:
        class Residual(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.body = nn.Sequential(
                    nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
                    nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
                )  # fmt: skip
                same = stride == 1 and channels == out
                self.short = nn.Identity() if same else nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

            def forward(self, x: Any) -> Any:
                return (self.body(x) + self.short(x)).relu()

        return Residual()

    def resnet20() -> Any:
        layers: list[Any] = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
        channels = 16
        for stage in range(3):
            for unit in range(3):
                layers.append(residual(channels, 16 * 2**stage, 2 if stage and not unit else 1))
                channels = 16 * 2**stage
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))

    def vgg8() -> Any:
        layers: list[Any] = []
        channels = 3
        for out in (64, 128, 256):
            layers += [nn.Conv2d(channels, out, 3, padding=1), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            channels = out
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(4096, 256), nn.ReLU(), nn.Linear(256, 10))

    def lenet() -> Any:
        convolutions = [nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2)]
        return nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10))

    def mlp() -> Any:
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))

    return {"mlp": mlp, "lenet": lenet, "resnet20": resnet20, "vgg8": vgg8}[name]()
