"""What users of Keras, PyTorch and Caffe would write for a word of the language."""

from __future__ import annotations

import random

from tests.reliability.typos.names import role
from tests.reliability.typos.typo import Page, Typo

CALLED: dict[str, tuple[str, ...]] = {
    "dense": ("Dense", "Linear", "linear", "InnerProduct", "fc"),
    "conv": ("Conv2D", "Conv2d", "conv2d", "Convolution", "Convolution2D"),
    "conv_transpose": ("Conv2DTranspose", "ConvTranspose2d", "Deconvolution"),
    "depthwise_conv": ("DepthwiseConv2D",), "separable_conv": ("SeparableConv2D",),
    "max_pool": ("MaxPooling2D", "MaxPool2d", "MaxPool2D", "maxpool", "max_pool2d"),
    "avg_pool": ("AveragePooling2D", "AvgPool2d", "avgpool", "avg_pool2d"),
    "global_avg_pool": ("GlobalAveragePooling2D", "GlobalAvgPool2D"), "global_max_pool": ("GlobalMaxPooling2D",),
    "batch_norm": ("BatchNormalization", "BatchNorm2d", "BatchNorm", "batchnorm", "batch_normalization"),
    "layer_norm": ("LayerNormalization", "LayerNorm"), "group_norm": ("GroupNorm", "GroupNormalization"),
    "dropout": ("Dropout",), "flatten": ("Flatten",), "relu": ("ReLU", "Relu", "RELU"), "leaky_relu": ("LeakyReLU", "LeakyRelu"),
    "gelu": ("GELU",), "sigmoid": ("Sigmoid",), "tanh": ("Tanh", "TanH"), "softmax": ("Softmax",), "log_softmax": ("LogSoftmax",),
    "embedding": ("Embedding",), "lstm_cell": ("LSTMCell",), "upsample": ("UpSampling2D", "Upsample"), "lrn": ("LRN", "LocalResponseNorm"),
    "concat": ("Concatenate", "concatenate", "cat", "Concat"), "reshape": ("Reshape", "view"), "transpose": ("permute", "Permute"),
    "mean": ("reduce_mean", "Mean"), "sum": ("reduce_sum",), "where": ("Where",),
    "cross_entropy": ("CrossEntropyLoss", "categorical_crossentropy", "sparse_categorical_crossentropy", "SoftmaxWithLoss", "crossentropy"),
    "binary_cross_entropy": ("BCEWithLogitsLoss", "binary_crossentropy", "SigmoidCrossEntropyLoss"),
    "mse": ("MSELoss", "mean_squared_error", "EuclideanLoss", "mse_loss"), "mae": ("L1Loss", "mean_absolute_error"),
    "accuracy": ("Accuracy", "categorical_accuracy"), "binary_accuracy": ("BinaryAccuracy",), "roc_auc": ("AUC", "auc"),
    "sgd": ("SGD",), "adam": ("Adam",), "adamw": ("AdamW",), "rmsprop": ("RMSprop", "RMSProp"),
    "cosine": ("CosineAnnealingLR", "CosineDecay"),
    "multistep": ("MultiStepLR",), "xavier": ("glorot_uniform", "xavier_uniform", "GlorotUniform"),
    "he": ("he_normal", "kaiming_normal", "HeNormal"), "normal": ("RandomNormal", "gaussian"), "zeros": ("Zeros",), "ones": ("Ones",),
    "constant": ("Constant",), "truncated_normal": ("TruncatedNormal", "trunc_normal"), "dataset": ("Dataset", "load_dataset"),
}  # fmt: skip
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "kernel": ("kernel_size", "filter_size"), "stride": ("strides",), "pad": ("padding",), "bias": ("use_bias", "bias_term"),
    "dilation": ("dilation_rate", "dilations"), "groups": ("group", "num_groups"),
    "init": ("kernel_initializer", "weight_filler", "initializer"),
    "beta1": ("beta_1", "b1"), "beta2": ("beta_2", "b2"), "axis": ("dim", "axes"), "eps": ("epsilon",), "weight_decay": ("l2",),
    "std": ("stddev",), "rate": ("lr", "learning_rate"), "momentum": ("mu",), "channels": ("filters", "out_channels"),
    "warmup": ("warmup_epochs", "warmup_steps"), "factor": ("gamma",), "at": ("milestones",),
    "every": ("step_size",), "slope": ("alpha", "negative_slope"), "smoothing": ("label_smoothing",), "decay": ("gamma",),
}  # fmt: skip
SETTINGS: dict[str, tuple[str, ...]] = {
    "epochs": ("num_epochs", "max_epochs", "n_epochs", "epoch"), "batch_size": ("batchsize", "batch", "BatchSize", "minibatch"),
    "optimizer": ("optim", "optimiser", "solver", "solver_type"), "schedule": ("scheduler", "lr_scheduler", "lr_policy", "lr_schedule"),
    "loss": ("criterion", "objective", "loss_fn"), "metric": ("metrics",), "clip": ("clip_grad", "grad_clip", "clip_gradients", "clipnorm"),
    "steps": ("max_iter", "max_steps", "iterations"), "trains": ("trainable", "var_list"), "init": ("initializer",),
    "frozen": ("freeze",), "ema": ("moving_average", "use_ema"),
}  # fmt: skip
TYPES: dict[str, tuple[str, ...]] = {
    "i64": ("int64", "long", "LongTensor"), "f32": ("float32", "FloatTensor"), "u8": ("uint8", "byte"), "bool": ("boolean",),
    "int": ("Int", "integer"), "float": ("double", "Float", "number"), "string": ("str", "String"), "init": ("initializer",),
}  # fmt: skip
KEYWORDS: dict[str, tuple[str, ...]] = {
    "network": ("model", "class", "net"), "block": ("def", "function", "module"), "param": ("const", "parameter"),
    "for": ("foreach",), "input": ("Input", "data"), "output": ("out", "Output"), "train": ("fit", "training"), "return": ("ret",),
    "true": ("True", "yes"), "false": ("False", "no"), "weight": ("variable", "parameter"), "import": ("include", "from"),
}  # fmt: skip
TABLES = {
    "called": CALLED, "name in an expression": CALLED, "argument": ARGUMENTS, "setting": SETTINGS, "type": TYPES, "keyword": KEYWORDS,
    "true or false": KEYWORDS,
}  # fmt: skip


def translated(page: Page, chance: random.Random) -> Typo | None:
    at = chance.choice([at for at, token in enumerate(page.tokens) if token.text[0].isalpha()])
    token, kind = page.tokens[at], role(page, at)
    others = TABLES.get(kind, {}).get(token.text, ())
    if not others:
        return None
    new = chance.choice(others)
    if any(other.text == new for other in page.tokens):
        return None
    text = page.change(token.start, token.end, new)
    return Typo("foreign", f"{kind} of another library", kind, text, token.start, token.text, new, fixable=False)
