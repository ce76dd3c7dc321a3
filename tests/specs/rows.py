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
    published: Mapping[str, Any] = field(
        default_factory=dict
    )  # params of the network that the source counts, where they are not the shipped ones


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
    # Section II.B of the paper gives every layer; the output is fixed.
    Row(
        "lenet5", {"LeNet5": 60_000}, "LeCun et al. 1998, section II.B", {}, 0,
        {"LeNet5.c1": 156, "LeNet5.s2": 12, "LeNet5.c3": 1_516, "LeNet5.s4": 32, "LeNet5.c5": 48_120, "LeNet5.f6": 10_164},
    ),
    Row("deepmnist", {"DeepMnist": 123_552}, "the sum over its layers", {}, 0, {"DeepMnist.channels0": 160 + 2_320}),
    Row(
        "alexnet", {"AlexNet": 60_965_224}, "the reference CaffeNet and AlexNet weight files of Caffe",
        {"size": 67, "width": 2, "hidden": 6, "classes": 10}, 0,
        {"AlexNet.conv0": 34_944, "AlexNet.conv1": 307_456, "AlexNet.conv2": 885_120, "AlexNet.conv3": 663_936, "AlexNet.conv4": 442_624,
         "AlexNet.dense0": 37_752_832, "AlexNet.dense1": 16_781_312, "AlexNet.dense2": 4_097_000},
    ),
    # 13,378,280 with the heads that the training has, 6,998,552 without.
    Row("googlenet", {"GoogLeNet": 6_998_552, "Heads": 13_378_280 - 6_998_552}, "Caffe's bvlc_googlenet",
        {"size": 80, "scale": 16, "classes": 10}, 0),
    # 27,161,264 with the head.
    Row("inception3", {"Inception3": 27_161_264 - 3_326_696, "Head": 3_326_696}, TORCHVISION, {"size": 299, "scale": 32, "classes": 10}),
    Row("unet", {"UNet": 485_718}, "the sum over its layers; the paper's own widths: test_counts.py", {"width": 1}, 0),
    Row("fcn", {"Fcn": 294_196}, "the sum over its layers", {"width": 2}),
    # 64 C² weights and 8 C biases for C = 21 maps of scores.
    Row("dilated", {"Front": 160 + 2_320 + 357, "Context": 64 * 21**2 + 8 * 21}, "Yu and Koltun 2016, table 1", {"width": 2}, 0,
        published={"classes": 21}),
    Row("autoencoder", {"Encoder": 209_184, "Decoder": 209_936}, "the sum over its layers", {"length": 4}, 0),
    Row("vae", {"Encoder": 200_960 + 2 * 4_112, "Decoder": 256 * 16 + 256 + 257 * 784}, "the sum over its layers", {"length": 4}, 0),
    Row("gan", {"Generator": 234_177, "Critic": 36_513}, "the sum over its layers", {"width": 2, "code": 4}),
    Row("siamese", {"Embed": 46_600}, "the sum over its layers", {}, 0),
    Row("multitask", {"Multitask": 80_331}, "the sum over its layers", {}, 0),
    Row("wide_deep", {"WideDeep": 649}, "the sum over its layers"),
    Row("regression", {"Regression": 213}, "the sum over its layers"),
)  # fmt: skip
NAMES = tuple(row.name for row in ROWS)
