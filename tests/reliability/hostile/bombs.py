"""Hostile inputs 46-61: small texts that ask for very much."""

from __future__ import annotations

from typing import Any

from tests.reliability.hostile.lexer import HEAD, body
from tests.reliability.hostile.names import CSV, SMALL, TO_RUN, TRAIN, text
from tests.reliability.hostile.row import Place, Row


def doubled(levels: int) -> str:
    """Each block calls the one before it twice."""
    blocks = ["block b0(x: [batch, n]) {\n  return x + 1\n}"]
    blocks += [f"block b{k}(x: [batch, n]) {{\n  return x -> b{k - 1} -> b{k - 1}\n}}" for k in range(1, levels + 1)]
    return body(f"  output y = x -> b{levels}") + "\n".join(blocks) + "\n"


def loops(*counts: str) -> str:
    head = "".join(f"  for i{k} in 0..{count} {{\n" for k, count in enumerate(counts))
    return body("  y = x\n" + head + "  y = y + 1\n" + "  }\n" * len(counts) + "  output y")


def diamonds(place: Place) -> None:
    """Each of 30 files imports the one before it twice."""
    text("f0.nn", HEAD + "block p0(x: [batch, n]) {\n  return x\n}\nblock q0(x: [batch, n]) {\n  return x\n}\n")(place)
    for k in range(1, 8):
        lines = f'import p{k - 1} from "f{k - 1}.nn"\nimport q{k - 1} from "f{k - 1}.nn"\n'
        uses = "".join(f"block {a}{k}(x: [batch, n]) {{\n  return x -> p{k - 1} -> q{k - 1}\n}}\n" for a in "pq")
        text(f"f{k}.nn", HEAD + lines + uses)(place)


def training(settings: str, base: str = SMALL) -> str:
    """The small training with these settings in place of its own."""
    names = {line.split(":")[0].strip() for line in settings.splitlines()}
    kept = [line for line in base.splitlines() if line.split(":")[0].strip() not in names or not line.startswith("  ")]
    return "\n".join(kept).rstrip().removesuffix("}") + settings + "\n}\n"


def chain(length: int) -> str:
    return HEAD + f"\nnetwork N {{\n  input x: [batch, 4]\n  y = x\n  for i in 0..{length} {{\n    y = tanh(y)\n  }}\n  output y\n}}\n"


DEEP = (
    HEAD
    + """
network N {
  input x: [batch, 2]
  y = x -> dense(1)
  for i in 0..COUNT {
    y = tanh(y)
  }
  output y
}
"""
    + TRAIN
)


def deep(count: int) -> str:
    return DEEP.replace("COUNT", str(count))


def pattern(statement: str) -> str:
    """10,000 times something that the optimiser rewrites."""
    return body(f"  y = x\n  for i in 0..10000 {{\n    {statement}\n  }}\n  output y")


PATTERNS = {
    "reshapes": "y = reshape(reshape(y, [batch, 2, 2]), [batch, 4])",
    "double transposes": "y = transpose(transpose(y))",
    "additions of 0": "y = y + 0",
    "factors": "y = y * 2",
}


def net(input: str, output: str = "x") -> str:
    return f"{HEAD}network N {{\n  input x: {input}\n  output y = {output}\n}}\n"


def trained(settings: str, *flags: str) -> dict[str, Any]:
    """The small training with other settings, started."""
    spec = training(settings) if settings else SMALL
    return {"spec": spec, "build": text("d.csv", CSV), "command": (*TO_RUN, *flags)}


HUGE = "1" + "0" * 30
WIDE = SMALL.replace("x -> dense(1)", "x -> dense(1048576) -> dense(1048575) -> dense(1)")
ROWS = (
    Row(46, "40 blocks, each of which calls the one before it twice", spec=lambda: doubled(39), says=("too-many-steps", "expanded")),
    Row(46, "46 of them", spec=lambda: doubled(45), says=("expansion-too-deep",)),
    Row(47, "a loop of 10^9 turns", spec=loops("10^9"), says=("too-many-",)),
    Row(47, "a loop of 10^9 turns without a body", spec=body("  for i in 0..1000000000 {\n  }\n  output y = x"), says=("too-many-steps",)),
    Row(48, "four loops of 1,000 in each other", spec=loops("1000", "1000", "1000", "1000"), says=("too-many-",)),
    Row(
        49, "diamonds of imports", spec=HEAD + 'import p7 from "f7.nn"\n' + net("[batch, 2]", "p7(x)")[len(HEAD) :], build=diamonds, exit=0
    ),
    Row(
        50, "a dense layer of 2^31 by 2^31", spec=body("  output y = x -> dense(2147483648) -> dense(2147483648)"), says=("size-too-large",)
    ),
    Row(50, "a dense layer of 2^20 by 2^20 + 1", spec=body("  output y = x -> dense(1048576) -> dense(1048577)"), says=("size-too-large",)),
    Row(50, "a dense layer of 4 TiB: checked", spec=WIDE, build=text("d.csv", CSV), exit=0),
    Row(50, "a dense layer of 4 TiB: trained", spec=WIDE, build=text("d.csv", CSV), command=TO_RUN, exit=3, says=("memory-space", "GiB")),
    Row(51, "sizes of 2^16 whose product is 0 modulo 2^64", spec=net("[65536, 65536, 65536, 65536]"), says=("size-too-large",)),
    Row(51, "sizes of 2^32", spec=net("[4294967296, 4294967296]"), says=("size-too-large",)),
    Row(
        51,
        "a reshape whose sizes are those modulo 2^64",
        spec=net("[batch, 1]", "reshape(x, [4294967296, 4294967296, batch, 1])"),
        says=("bad-setting",),
    ),
    Row(52, "[4194305, 4194305, 211106198978564]", spec=net("[4194305, 4194305, 211106198978564]"), says=("size-too-large",)),
    Row(
        53,
        "a transposed convolution whose output has 2^41 numbers",
        spec=net("[1, 1, 2, 2]", "x -> conv_transpose(1, kernel=1, stride=1048576)"),
        says=("size-too-large",),
    ),
    Row(
        53,
        "a transposed convolution with a stride of 2^40",
        spec=net("[batch, 1, 2, 2]", "x -> conv_transpose(1, kernel=1, stride=1099511627776)"),
        says=("bad-setting", "at most 2147483648"),
    ),
    Row(54, "one-hot of 10^12 classes", spec=net("i64[batch]", "one_hot(x, 1000000000000)"), says=("size-too-large",)),
    Row(54, "an embedding of 10^12 rows", spec=net("i64[batch]", "x -> embedding(1000000000000, 4)"), says=("size-too-large",)),
    Row(
        55,
        "a value that is used 100,000 times",
        spec=lambda: body("  y = x\n  for i in 0..100000 {\n    y = y + x\n  }\n  output y"),
        says=("too-many-",),
    ),
    Row(
        55, "a value that is used 15,000 times", spec=lambda: body("  y = x\n  for i in 0..15000 {\n    y = y + x\n  }\n  output y"), exit=0
    ),
    Row(
        55,
        "a join of 65,536 times one value",
        spec=lambda: body("  y = [x]\n  for i in 0..16 {\n    y = y + y\n  }\n  output z = concat(y)"),
        exit=0,
    ),
    Row(56, "a chain of 100,000 layers", spec=lambda: chain(100_000), says=("too-many-",)),
    Row(56, "a chain of 15,000 layers: checked", spec=lambda: chain(15_000), exit=0),
    Row(
        56,
        "a chain of 1,200 layers: its plan",
        spec=lambda: deep(1200),
        build=text("d.csv", CSV),
        command=("show", "spec.nn", "--plan"),
        exit=0,
        says=("live at step 1",),
    ),
    Row(56, "a chain of 1,200 layers: trained", spec=lambda: deep(1200), build=text("d.csv", CSV), command=TO_RUN, exit=0),
    Row(
        56,
        "a chain of 1,200 layers: its step exported",
        spec=lambda: deep(1200),
        build=text("d.csv", CSV),
        command=("export", "spec.nn", "--train-step", "--output", "@out/step.onnx"),
        exit=0,
    ),
    *(
        Row(57, f"`{name}: {value}`", spec=training(f"  {name}: {value}"), build=text("d.csv", CSV), says=(code,))
        for name, value, code in (
            ("epochs", HUGE, "integer-too-long"),
            ("batch_size", HUGE, "integer-too-long"),
            ("epochs", "10^30", "number-too-large"),
            ("batch_size", "10^30", "number-too-large"),
            ("epochs", "1e30", "setting-value"),
            ("steps", "10^30", "number-too-large"),
            ("accumulate", "10^30", "number-too-large"),
        )
    ),
    *(
        Row(57, f"`{flag} {HUGE}`", **trained("", flag, HUGE), says=("bad-argument", "15 digits"))
        for flag in ("--epochs", "--batch-size", "--max-steps", "--seed")
    ),
    Row(57, "`batch_size: 10^15` for 4 samples: one batch of all", **trained("  batch_size: 10^15"), exit=0),
    Row(57, "`epochs: 10^18`", **trained("  epochs: 10^18"), says=("setting-value", "at most 2^53")),
    Row(57, "`epochs: 2^53`, paused after two steps", **trained("  epochs: 2^53", "--max-steps", "2"), exit=0),
    Row(57, "`accumulate: 2^53`", **trained("  accumulate: 2^53", "--max-steps", "2"), exit=0),
    Row(58, "a checkpoint at every step", skip="checkpoints are `last` and `best`: no setting says how often or how many"),
    Row(59, "`--threads 1000000`", **trained("", "--threads", "1000000"), says=("bad-argument", "at most 1,024")),
    Row(59, "workers that read ahead", skip="data is read by the trainer itself: no setting makes processes or queues"),
    Row(60, "2^2^40", spec=body("  output y = x * 2^2^40"), says=("number-too-large",)),
    Row(60, "a text repeated 10^12 times", spec=HEAD + 'param a: string = "a" * 10^12\n', says=("bad-operands",)),
    Row(60, "a list repeated 10^12 times", spec=body("  y = [1] * 10^12\n  output z = x * y[0]"), says=("bad-operands",)),
    Row(60, "10^9^9^9", spec=body("  output y = x * 10^9^9^9"), says=("number-too-large",)),
    Row(
        60,
        "a number squared 40 times",
        spec=body("  n = 3\n  for i in 0..40 {\n    n = n * n\n  }\n  output y = x * n"),
        says=("number-too-large",),
    ),
    Row(
        60, "a text doubled 60 times", spec=body('  n = "a"\n  for i in 0..60 {\n    n = n + n\n  }\n  output y = x -> n'), says=("error",)
    ),
    *(
        Row(61, f"10,000 {name}", spec=pattern(statement), command=("show", "spec.nn", "--ir"), exit=0)
        for name, statement in PATTERNS.items()
    ),
)
