"""What is trained: shipped specs at several batch sizes, and networks drawn from a number."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SHIPPED = (
    ("lenet", 64), ("lenet", 256), ("lenet", 2048), ("lenet5", 128), ("lenet5", 2048), ("mlp", 128), ("mlp", 1024), ("mlp", 4096),
    ("unet", 4), ("unet", 32), ("deepmnist", 50), ("deepmnist", 400), ("vae", 128), ("vae", 2000), ("gan", 64), ("gan", 256),
    ("autoencoder", 256), ("autoencoder", 3000), ("fcn", 4), ("fcn", 32), ("dilated", 8), ("siamese", 128), ("multitask", 64), ("maml", 16),
    ("gradient_penalty", 64), ("wide_deep", 128), ("softmax", 1000), ("regression", 100), ("xor", 4),
)  # fmt: skip
SETTINGS = ("", "ema: 0.99", "accumulate: 2", "clip: norm(1)", "ema: 0.9\n  accumulate: 3")
OPTIMIZERS = ("sgd(0.01)", "sgd(0.01, momentum=0.9)", "adam(1e-3)", "rmsprop(1e-3)", "adamw(1e-3)")
TEXT = """dslc 1

{blocks}network Net {{
  input x: [batch, {shape}]
{body}
}}

train {{
  data = npz("data.npz", split=[0.75, 0.25, 0])
  net = Net(data.x)
  loss: cross_entropy(net.logits, data.label)
  metric: accuracy(net.logits, data.label)
  optimizer: {optimizer}
  batch_size: {batch}
  {setting}
}}
"""
ATTENTION = """block attention(x: [batch, time, n], heads: int) {
  q, k, v = x -> dense(3 * n) as qkv -> reshape([batch, time, 3 * heads, n // heads]) -> transpose([0, 2, 1, 3]) -> split(3, axis=1)
  y = softmax(q @ transpose(k) / sqrt(n // heads)) @ v
  return y -> transpose([0, 2, 1, 3]) -> reshape([batch, time, n]) -> dense(n) as out
}

"""


@dataclass(frozen=True)
class Net:
    """A generated network. shape: of one sample; body: the statements that make `logits`."""

    kind: str
    shape: tuple[int, ...]
    body: str
    batch: int
    blocks: str = ""


def dense(draw: random.Random) -> Net:
    width, depth = draw.choice([64, 512, 1024, 2048]), draw.randint(1, 5)
    features = draw.choice([16, 300, 1000])
    body = f"  for turn in 0..{depth} {{\n    x = x -> dense({width}) -> {draw.choice(['relu', 'tanh', 'gelu'])} -> dropout(0.1)\n  }}"
    return Net("dense", (features,), f"{body}\n  output logits = x -> dense(10)", draw.choice([16, 128, 1000, 4000]))


def convolution(draw: random.Random) -> Net:
    channels, size, kernel = draw.choice([8, 16, 32]), draw.choice([16, 24, 32]), draw.choice([1, 3, 5])
    pool = draw.choice([" -> max_pool(2)", " -> avg_pool(2)", ""])
    depth = draw.randint(1, 3)
    lines = [f'  x = x -> conv({channels << turn}, kernel={kernel}, pad="same") -> batch_norm -> relu{pool}' for turn in range(depth)]
    body = "\n".join([*lines, "  output logits = x -> global_avg_pool -> dense(10)"])
    return Net("convolution", (draw.choice([1, 3]), size, size), body, draw.choice([8, 32, 100]))


def depthwise(draw: random.Random) -> Net:
    channels = draw.choice([16, 32])
    body = f"""  x = x -> conv({channels}, kernel=3, stride=2, pad=1) -> relu
  for turn in 0..{draw.randint(1, 4)} {{
    x = x + (x -> depthwise_conv(kernel=3, pad=1) -> batch_norm -> relu -> conv({channels}, kernel=1))
  }}
  output logits = x -> global_avg_pool -> dense(10)"""
    return Net("depthwise convolution", (3, 32, 32), body, draw.choice([16, 64, 128]))


def recurrent(draw: random.Random) -> Net:
    time, features, units = draw.choice([6, 12]), draw.choice([16, 64]), draw.choice([64, 256])
    body = f"""  layer cell = dense({units})
  h = x[:, 0, :] -> dense({units}) -> tanh
  for t in 1..{time} {{
    h = concat(x[:, t, :], h) -> cell -> tanh
  }}
  output logits = h -> dense(10)"""
    return Net("recurrent", (time, features), body, draw.choice([32, 256, 1000]))


def attention(draw: random.Random) -> Net:
    time, width, heads = draw.choice([16, 40]), draw.choice([32, 64]), draw.choice([2, 4])
    body = f"""  for turn in 0..{draw.randint(1, 3)} {{
    x = x + (x -> layer_norm -> attention({heads}))
    x = x + (x -> layer_norm -> dense({4 * width}) -> gelu -> dense({width}))
  }}
  output logits = mean(x, axis=1) -> dense(10)"""
    return Net("attention", (time, width), body, draw.choice([16, 64, 128]), ATTENTION)


KINDS = (dense, convolution, depthwise, recurrent, attention)


def write_network(number: int, folder: Path) -> tuple[str, Path]:
    """A drawn network with its data in a folder: its kind, and the path of the spec. Three updates are an epoch, the last one smaller."""
    import numpy as np

    draw = random.Random(number)
    net = KINDS[number % len(KINDS)](draw)
    setting = draw.choice(SETTINGS)
    values: Mapping[str, object] = {
        "shape": ", ".join(map(str, net.shape)),
        "optimizer": draw.choice(OPTIMIZERS),
        "setting": setting,
        "body": net.body,
        "batch": net.batch,
        "blocks": net.blocks,
    }
    (folder / "net.nn").write_text(TEXT.format(**values))
    taken = net.batch * (3 if "3" in setting else 2 if "accumulate" in setting else 1)
    count = 4 * taken - net.batch // 2
    numbers = np.random.default_rng(number)
    label = numbers.integers(0, 10, count).astype(np.int64)
    np.savez(folder / "data.npz", x=numbers.standard_normal((count, *net.shape), np.float32), label=label)
    return net.kind, folder / "net.nn"
