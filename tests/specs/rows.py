"""The specs of published networks: their counts with the place of publication, and settings that make them small enough for gradients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TORCHVISION = "torchvision's model table"
VGG = {"size": 32, "width": 2, "hidden": 6, "classes": 10}


@dataclass(frozen=True)
class Row:
    """`counts`: network -> trained parameters; `states`: numbers kept beside them (running moments), None: not published;
    `layers`: address, or the start of addresses, -> trained parameters; `reduced`: params of the small version."""

    name: str
    counts: Mapping[str, int]
    source: str
    reduced: Mapping[str, Any] = field(default_factory=dict)
    states: int | None = None
    layers: Mapping[str, int] = field(default_factory=dict)


ROWS = (
    Row("vgg16", {"Vgg": 138_357_544}, TORCHVISION, VGG, 0, {"Vgg.stage0": 1_792 + 36_928, "Vgg.dense0": 102_764_544}),
    Row("vgg19", {"Vgg": 143_667_240}, TORCHVISION, {key: VGG[key] for key in ("size", "width", "hidden")}, 0),
    Row("resnet18", {"ResNet18": 11_689_512}, TORCHVISION, {"size": 48, "width": 2, "classes": 10}),
    Row("resnet50", {"ResNet": 25_557_032}, TORCHVISION, {"size": 48, "width": 1, "classes": 10, "depths": (1, 2, 1, 1)}),
    Row("resnet152", {"ResNet": 60_192_808}, TORCHVISION, {"size": 48, "width": 1, "depths": (1, 1, 2, 1)}),
    Row("densenet121", {"DenseNet121": 7_978_856}, TORCHVISION, {"size": 64, "growth": 2, "classes": 10, "depths": (2, 2, 1, 1)}),
    Row(
        "squeezenet", {"SqueezeNet": 1_248_424}, "Iandola et al. 2016, table 1", {"size": 64, "width": 1, "classes": 10}, 0,
        # Table 1, before pruning: fire2 … fire9
        {
            "SqueezeNet.conv0": 14_208, "SqueezeNet.fire0": 11_920, "SqueezeNet.fire1": 12_432, "SqueezeNet.fire2": 45_344,
            "SqueezeNet.fire3": 49_440, "SqueezeNet.fire4": 104_880, "SqueezeNet.fire5": 111_024, "SqueezeNet.fire6": 188_992,
            "SqueezeNet.fire7": 197_184, "SqueezeNet.conv1": 513_000,
        },
    ),
    # Keras counts 4,253,864, of which 21,888 are the running moments of the norms.
    Row("mobilenet1", {"MobileNet1": 4_231_976}, "Keras' MobileNet", {"size": 64, "width": 1, "classes": 10}, 21_888),
    Row("mobilenet2", {"MobileNet2": 3_504_872}, TORCHVISION, {"size": 64, "width": 1, "classes": 10}),
)  # fmt: skip
NAMES = tuple(row.name for row in ROWS)
