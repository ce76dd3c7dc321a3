"""Hostile inputs 46-61: small texts that ask for very much."""

from __future__ import annotations

from tests.reliability.hostile.lexer import HEAD, body
from tests.reliability.hostile.names import CSV, SMALL, TO_RUN, text
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


ROWS = (
    Row(46, "40 blocks, each of which calls the one before it twice", spec=lambda: doubled(39), says=("too-many-steps", "expanded")),
    Row(46, "as deep as it goes", spec=lambda: doubled(45), says=("expansion-too-deep",)),
    Row(47, "a loop of 10^9 turns", spec=loops("10^9"), says=("too-many-",)),
    Row(47, "a loop of 10^9 turns without a body", spec=body("  for i in 0..1000000000 {\n  }\n  output y = x"), says=("too-many-steps",)),
    Row(48, "four loops of 1,000 in each other", spec=loops("1000", "1000", "1000", "1000"), says=("too-many-",)),
    Row(
        49,
        "diamonds of imports",
        spec=HEAD + 'import p7 from "f7.nn"\nnetwork N {\n  input x: [batch, 2]\n  output y = p7(x)\n}\n',
        build=diamonds,
        exit=0,
    ),
    Row(
        50, "a dense layer of 2^31 by 2^31", spec=body("  output y = x -> dense(2147483648) -> dense(2147483648)"), says=("size-too-large",)
    ),
    Row(50, "a dense layer of 2^20 by 2^20", spec=body("  output y = x -> dense(1048576) -> dense(1048577)"), says=("size-too-large",)),
    Row(
        51,
        "sizes whose product is small modulo 2^64",
        spec=HEAD + "network N {\n  input x: [4294967296, 4294967296]\n  output y = x\n}\n",
        says=("size-too-large",),
    ),
    Row(
        51,
        "a reshape whose product is small modulo 2^64",
        spec=body("  output y = reshape(x, [4294967296, 4294967297, batch])"),
        says=("size-too-large",),
    ),
    Row(
        52,
        "[4194305, 4194305, 211106198978564]",
        spec=HEAD + "network N {\n  input x: [4194305, 4194305, 211106198978564]\n  output y = x\n}\n",
        says=("size-too-large",),
    ),
    Row(
        53,
        "a transposed convolution whose output has 2^40 numbers",
        spec=HEAD + "network N {\n  input x: [batch, 1, 2, 2]\n  output y = x -> conv_transpose(1, kernel=1, stride=1099511627776)\n}\n",
        says=("size-too-large",),
    ),
    Row(
        54,
        "one-hot of 10^12 classes",
        spec=HEAD + "network N {\n  input x: i64[batch]\n  output y = one_hot(x, 1000000000000)\n}\n",
        says=("size-too-large",),
    ),
    Row(
        54,
        "an embedding of 10^12 rows",
        spec=HEAD + "network N {\n  input x: i64[batch]\n  output y = x -> embedding(1000000000000, 4)\n}\n",
        says=("size-too-large",),
    ),
    Row(
        55, "a value that is used 99,000 times", spec=lambda: body("  y = x\n  for i in 0..99000 {\n    y = y + x\n  }\n  output y"), exit=0
    ),
    Row(
        55,
        "a join of 99,000 of one value",
        spec=lambda: body("  y = [x]\n  for i in 0..16 {\n    y = y + y\n  }\n  output z = concat(y)"),
        exit=0,
    ),
    Row(56, "a chain of 99,000 layers: check", spec=lambda: chain(99_000), exit=0),
    Row(56, "a chain of 100,001 layers: check", spec=lambda: chain(100_001), says=("too-many-nodes",)),
    *(
        Row(57, f"`{name}: {value}`", spec=training(f"  {name}: {value}"), build=text("d.csv", CSV), says=(code,))
        for name, value, code in (
            ("epochs", "1" + "0" * 30, "integer-too-long"),
            ("batch_size", "1" + "0" * 30, "integer-too-long"),
            ("epochs", "10^30", "number-too-large"),
            ("batch_size", "10^30", "number-too-large"),
            ("epochs", "1e30", "setting-value"),
            ("steps", "10^30", "number-too-large"),
            ("accumulate", "10^30", "number-too-large"),
        )
    ),
    *(
        Row(
            57,
            f"`{flag} {value}`",
            spec=SMALL,
            build=text("d.csv", CSV),
            command=("train", "spec.nn", "--out", "@out/run", flag, value),
            says=("bad-argument",),
        )
        for flag, value in (
            ("--epochs", "1" + "0" * 30),
            ("--batch-size", "1" + "0" * 30),
            ("--max-steps", "1" + "0" * 30),
            ("--seed", "1" + "0" * 30),
        )
    ),
    Row(57, "a batch of 10^15 of 4 samples", spec=training("  batch_size: 10^15"), build=text("d.csv", CSV), command=TO_RUN, exit=(0, 3)),
    Row(58, "a checkpoint at every step", skip="checkpoints are `last` and `best`: no setting says how often or how many"),
    Row(59, "`--threads` 10^6", spec=SMALL, build=text("d.csv", CSV), command=(*TO_RUN, "--threads", "1000000"), says=("bad-argument",)),
    Row(59, "`DSLC_THREADS` of 10^6", spec=SMALL, build=text("d.csv", CSV), env={"DSLC_THREADS": "1000000"}, command=TO_RUN, exit=(0, 2)),
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
)
