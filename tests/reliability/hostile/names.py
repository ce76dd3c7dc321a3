"""Hostile inputs 30-45: names and what a spec says."""

from __future__ import annotations

from tests.reliability.hostile.lexer import HEAD, body
from tests.reliability.hostile.row import Place, Row

CSV = "a,b,y\n" + "0,1,1\n1,0,1\n1,1,0\n0,0,0\n"
TRAIN = """
train {
  data = csv("d.csv", inputs=["a", "b"], target="y", split=[1, 0, 0])
  net = N(data.input)
  loss: mean((net.y - data.target[:, _])^2)
  optimizer: sgd(0.1)
  epochs: 1
  batch_size: 2
}
"""
SMALL = HEAD + "\nnetwork N {\n  input x: [batch, 2]\n  output y = x -> dense(1)\n}\n" + TRAIN
TO_RUN = ("train", "spec.nn", "--quiet", "--out", "@out/run")


def text(name: str, content: str) -> object:
    def build(place: Place) -> None:
        (place.spec / name).write_text(content)

    return build


def images(stages: str) -> str:
    return f"{HEAD}\nnetwork N {{\n  input x: [batch, 4, 8, 8]\n  output y = x -> {stages}\n}}\n"


def named(name: str) -> str:
    """A spec in which everything is called so."""
    return f"""dslc 1
param {name}_p: int = 1
block {name}_b({name}_x: [batch, n]) {{
  return {name}_x -> dense({name}_p) as {name}
}}
network {name}_n {{
  input x: [batch, 2]
  {name} = x -> {name}_b as {name}_layer
  output y = {name}
}}
""" + TRAIN.replace("N(", f"{name}_n(").replace("data = ", f"{name} = ").replace("data.", f"{name}.")


ODD = ("__class__", "__init__", "self", "None", "constructor", "__proto__", "CON", "NUL", "aux")
ROWS = (
    *(
        Row(
            30 if name not in ("CON", "NUL", "aux") else 32,
            f"everything is called `{name}`: trained and exported",
            spec=named(name),
            build=text("d.csv", CSV),
            before=(TO_RUN,),
            command=("export", "@out/run", "--output", "@out/model.onnx"),
            exit=0,
        )
        for name in ODD
    ),
    *(
        Row(31, f"a network called `{name}`", spec=HEAD + f"network {name} {{\n  input x: [batch, 2]\n  output y = x\n}}\n", says=(code,))
        for name, code in (("a/b", ""), ("..", ""), ("a\\b", ""), ("../../x", ""))
    ),
    Row(31, "a network whose name holds NUL", spec=HEAD + "network a\0b {\n}\n", says=("hidden-character",)),
    *(
        Row(31, f"`dslc new {name!r}`", command=("new", name), says=("bad-name",))
        for name in ("../secret/..", "a\\b", "a\0b", "a\nb", "1x", "")
    ),
    Row(
        31,
        "a spec called `...nn`, whose runs would stand in `runs/..`",
        build=lambda place: [text("d.csv", CSV)(place), text("...nn", SMALL)(place)],
        command=("train", "...nn", "--quiet"),
        exit=0,
        changes=("runs",),
    ),
    Row(
        31,
        "a folder called `²` among the runs",
        spec=SMALL,
        build=lambda place: [text("d.csv", CSV)(place), (place.spec / "runs" / "spec" / "²").mkdir(parents=True)],
        command=("train", "spec.nn", "--quiet"),
        exit=0,
        changes=("runs",),
    ),
    *(Row(32, f"`dslc new {name}`", command=("new", name), says=("bad-name",)) for name in ("CON", "nul", "Com1", "LPT9")),
    Row(
        33,
        "50,000 layers of one name",
        spec=lambda: HEAD + "layer a = dense(3)\n" * 50_000,
        says=("too-many-tokens",),
        never=("missing-header", "std/dense.nn"),
    ),
    Row(33, "5,000 layers of one name", spec=lambda: HEAD + "layer a = dense(3)\n" * 5_000, says=("duplicate-name",)),
    Row(33, "10,000 assignments to one name", spec=lambda: body("a = x\n" * 10_000 + "output a"), says=("overwritten",)),
    Row(34, "names that differ by case only", spec=body("  a = x + 1\n  A = x + 2\n  output y = a * A\n  output Y = a + A"), exit=0),
    Row(
        35,
        "a block that calls itself",
        spec=body("  output y = a(x)") + "block a(x: [batch, n]) {\n  return a(x)\n}\n",
        says=("expansion-too-deep",),
    ),
    Row(
        35,
        "two blocks that call each other",
        spec=body("  output y = a(x)") + "block a(x: [batch, n]) {\n  return b(x)\n}\nblock b(x: [batch, n]) {\n  return a(x)\n}\n",
        says=("expansion-too-deep", "a -> b"),
    ),
    Row(
        35,
        "two networks that call each other",
        spec=HEAD + "".join(f"network {a} {{\n  input x: [batch, 2]\n  output y = {b}(x).y\n}}\n" for a, b in ("AB", "BA")),
        says=("circle",),
    ),
    Row(35, "a value that needs itself", spec=body("  y = y + x\n  output y"), says=("unknown-name",)),
    Row(
        36,
        "two files that import each other",
        spec=HEAD + 'import a from "a.nn"\nnetwork N {\n  input x: [batch, 2]\n  output y = a(x)\n}\n',
        build=lambda place: [
            text("a.nn", HEAD + 'import b from "b.nn"\nblock a(x: [batch, n]) {\n  return b(x)\n}\n')(place),
            text("b.nn", HEAD + 'import a from "a.nn"\nblock b(x: [batch, n]) {\n  return a(x)\n}\n')(place),
        ],
        says=("import-cycle", "a.nn -> b.nn -> a.nn"),
    ),
    Row(
        36,
        "a file that imports itself",
        spec=HEAD + 'import a from "spec.nn"\nblock a(x: [batch, n]) {\n  return x\n}\n',
        says=("import-cycle",),
    ),
    Row(
        37,
        "100,000 uses of names that are not there",
        spec=lambda: body("\n".join(f"  a = namme{k}" for k in range(60_000))),
        says=("more errors are not shown",),
    ),
    Row(
        37,
        "3,000 names, each once mistyped",
        spec=lambda: body("\n".join(f"  value{k} = x\n  b{k} = valeu{k}" for k in range(3_000))),
        says=("did you mean",),
    ),
    Row(
        38,
        "a setting twice",
        spec=SMALL.replace("  epochs: 1\n", "  epochs: 1\n  epochs: 2\n"),
        build=text("d.csv", CSV),
        says=("duplicate-setting",),
    ),
    Row(38, "an argument twice", spec=body("  output y = x -> dense(units=3, units=4)"), says=("argument-twice",)),
    Row(
        39,
        "a setting with one letter wrong",
        spec=SMALL.replace("epochs", "epoch"),
        build=text("d.csv", CSV),
        says=("unknown-setting", "did you mean `epochs`"),
    ),
    Row(
        39,
        "an argument with one letter wrong",
        spec=body("  output y = x -> dense(unit=3)"),
        says=("unknown-argument", "did you mean `units`"),
    ),
    *(
        Row(40, f"`{value}` where an int is wanted", spec=body(f"  output y = x -> dense({value})"), says=("wrong-kind",))
        for value in ("true", '"64"', "3.0", "[3]")
    ),
    *(
        Row(
            40, f"`epochs: {value}`", spec=SMALL.replace("epochs: 1", f"epochs: {value}"), build=text("d.csv", CSV), says=("setting-value",)
        )
        for value in ("true", '"64"', "3.0")
    ),
    *(
        Row(41, f"`{stages}`", spec=images(stages), says=("wrong-kind",))
        for stages in (
            "conv(0, kernel=3)",
            "conv(-3, kernel=3)",
            "conv(4, kernel=0)",
            "conv(4, kernel=3, stride=0)",
            "conv(4, kernel=3, dilation=0)",
            "conv(4, kernel=3, groups=3)",
            "conv(4, kernel=3, groups=0)",
            "conv(6, kernel=3, groups=4)",
            "max_pool(0)",
            "max_pool(2, stride=0)",
            "avg_pool(2, stride=-1)",
            "flatten -> dense(0)",
            "flatten -> dense(-1)",
            "conv_transpose(4, kernel=0)",
            "conv_transpose(4, kernel=3, stride=0)",
            "depthwise_conv(kernel=3, dilation=0)",
            "lrn(size=0)",
            "pixel_shuffle(0)",
        )
    ),
    Row(41, "`group_norm(3)` of 4 channels", spec=images("group_norm(3)"), says=("bad-setting", "a divisor of 4")),
    *(
        Row(42, f"`{stages}`", spec=images(stages), says=("size-too-large",))
        for stages in (
            "conv(4, kernel=3, pad=2147483648)",
            "pad([0, 0, 0, 0], [0, 0, 2147483648, 0])",
            "pad_spatial(999999999999999999, 0)",
            "conv_transpose(4, kernel=3, stride=2147483648)",
        )
    ),
    *(
        Row(42, f"`{stages}`", spec=images(stages), says=("bad-setting", "at most 2147483648"))
        for stages in (
            "max_pool(2, pad=4294967296)",
            "conv(4, kernel=3, pad=999999999999999999)",
            "conv_transpose(4, kernel=3, stride=4294967296)",
        )
    ),
    *(
        Row(43, f"dropout of {rate}", spec=images(f"dropout({rate})"), says=("wrong-kind",))
        for rate in ("1.0", "-0.1", "1.0000000000000002", "2")
    ),
    *(Row(43, f"dropout of {rate}", spec=images(f"dropout({rate})"), exit=0) for rate in ("0.0", "0.9999999999999999", "-0.0")),
    Row(44, "nothing joined", spec=body("  output y = concat()"), says=("missing-argument",)),
    Row(44, "an empty list joined", spec=body("  output y = concat([])"), says=("error",)),
    Row(44, "one tensor joined", spec=body("  output y = concat(x)"), exit=0),
    Row(44, "`max` of one tensor", spec=body("  output y = max(x)"), exit=0),
    Row(44, "an operator without its arguments", spec=body("  output y = matmul(x)"), says=("error",)),
    Row(44, "an operator with too many", spec=body("  output y = relu(x, x)"), says=("error",)),
    *(
        Row(
            45,
            f"`batch_size: {size}`",
            spec=SMALL.replace("batch_size: 2", f"batch_size: {size}"),
            build=text("d.csv", CSV),
            says=("setting-value",),
        )
        for size in ("0", "-1")
    ),
    Row(45, "data without samples", spec=SMALL, build=text("d.csv", "a,b,y\n"), command=TO_RUN, exit=3, says=("data-",)),
    Row(45, "an empty data file", spec=SMALL, build=text("d.csv", ""), command=TO_RUN, exit=(2, 3), says=("d.csv",)),
    Row(
        45,
        "a split without samples",
        spec=SMALL.replace("split=[1, 0, 0]", "split=[0, 1, 0]"),
        build=text("d.csv", CSV),
        command=TO_RUN,
        exit=(2, 3),
        says=("split",),
    ),
    Row(
        45,
        "one class",
        spec=SMALL.replace("mean((net.y - data.target[:, _])^2)", "cross_entropy(net.y, data.label)").replace('target="y"', 'label="y"'),
        build=text("d.csv", "a,b,y\n0,1,0\n1,0,0\n"),
        command=TO_RUN,
        exit=0,
        says=("one-class",),
    ),
)
