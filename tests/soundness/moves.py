"""Statements that apply operators and layers: each move picks operands, writes a line and knows the type that it should have.

A move returns False where no operand fits. Values are kept small and away from poles, so that two ways to compute them can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from dslc.ir.types import Dim
from dslc.ops.table import Mismatch
from dslc.ops.window import result_size
from tests.soundness.body import MOST_ELEMENTS, MOST_RANK, Body, Value, elements, list_text, type_text

Move = Callable[[Body], bool]
MOVES: list[tuple[int, Move]] = []


def move(weight: int) -> Callable[[Move], Move]:
    def register(function: Move) -> Move:
        MOVES.append((weight, function))
        return function

    return register


def step(body: Body) -> None:
    """One statement."""
    weights = [weight for weight, _ in MOVES]
    for _ in range(20):
        if body.rng.choices(MOVES, weights)[0][1](body):
            return


def floats(body: Body, rank: int = 0) -> Value | None:
    return body.pick(lambda value: value.dtype == "f" and value.rank >= rank)


def anything(body: Body, rank: int = 0) -> Value | None:
    return body.pick(lambda value: value.rank >= rank)


def called(body: Body, name: str, first: str, args: Sequence[str] = ()) -> str:
    """`first -> name(args)` or `name(first, args)`, now and then with `op.` before it."""
    if body.chance(0.1) and not name.startswith("op."):
        name = f"op.{name}"
    if body.chance(0.5):
        return f"{first} -> {name}({', '.join(args)})" if args or body.chance(0.2) else f"{first} -> {name}"
    return f"{name}({', '.join((first, *args))})"


# ---- elementwise --------------------------------------------------------------------------------------------------------------------

FUNCTIONS = (
    "tanh({})", "sigmoid({})", "softplus({})", "relu({})", "leaky_relu({})", "leaky_relu({}, slope=0.3)", "abs({})", "sign({})",
    "heaviside({})", "clip({}, min=-0.5, max=0.75)", "exp(-abs({}))", "exp(clip({}, -2.0, 2))", "log(1 + {} * {})", "log(abs({}) + 0.25)",
    "sqrt({} ^ 2 + 0.5)", "{} ^ 2", "(abs({}) + 0.5) ^ -1.5", "-{}", "2 * {} - 1", "1 / (2 + tanh({}))", "{} / 3", "1 - {}",
    "tanh({}) -> exp -> log", "{} // 2", "({} % 2) - 1", "cast({}, f32)", "cast(cast({}, f64), f32)", "minimum({}, 0.5)", "max({}, 0, 0.25)",
    "min({}, 1, tanh({}))", "maximum(0.1, {})", "where({} > 0, {}, 0.1)", "where({} > 0, 0.0, {})", "add({}, 1)", "subtract(1, {})",
    "exp({})", "sqrt(abs({}))", "2 ^ tanh({})", "{} * 0", "tanh({} + 0)", "{} ^ 1", "{} / 1", "-(-{})",
)  # fmt: skip


@move(10)
def function(body: Body) -> bool:
    x = floats(body)
    if x is None:
        return False
    text = body.rng.choice(FUNCTIONS).replace("{}", x.name)
    body.bind(text, "f", x.shape)
    return True


PAIRS = (
    "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / (1.5 + tanh({b}))", "minimum({a}, {b})", "maximum({a}, {b})", "max({a}, {b})",
    "(abs({a}) + 0.5) ^ tanh({b})", "where({a} > {b}, {a}, {b})", "{b} - {a} * 0.5", "add({a}, {b})", "min({a}, {b}, 1)", "{a} % (2 + abs({b}))",
    "{a} // (1 + abs({b}))",
)  # fmt: skip
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


def partner(body: Body, x: Value) -> tuple[str, tuple[Dim, ...]] | None:
    """Something that meets `x` by R11, as text, with the shape of both together."""
    one = Dim.of(1)
    ways: list[Callable[[], tuple[str, tuple[Dim, ...]] | None]] = []

    def equal() -> tuple[str, tuple[Dim, ...]] | None:
        def fits(y: Value) -> bool:
            return y.dtype == x.dtype and y.rank == x.rank and all(a == b or one in (a, b) for a, b in zip(x.shape, y.shape, strict=True))

        y = body.pick(fits)
        if y is None:
            return None
        return y.name, tuple(b if a == one else a for a, b in zip(x.shape, y.shape, strict=False))

    def shorter() -> tuple[str, tuple[Dim, ...]] | None:
        y = body.pick(lambda y: y.dtype == x.dtype and (y.rank == 0 or y.rank < x.rank and x.shape[-y.rank :] == y.shape))
        return None if y is None else (y.name, x.shape)

    def reduced() -> tuple[str, tuple[Dim, ...]] | None:
        if not x.rank or x.dtype != "f":
            return None
        axis = body.axis(x)
        if axis is None:
            return None
        return f"{body.rng.choice(('mean', 'sum', 'max', 'min'))}({x.name}, axis={axis}, keep=true)", x.shape

    def inserted() -> tuple[str, tuple[Dim, ...]] | None:
        """A value of lower rank with `_` where its axes are missing."""
        y = body.pick(lambda y: y.dtype == x.dtype and 0 < y.rank < x.rank and places(y.shape, x.shape) is not None)
        at = None if y is None else places(y.shape, x.shape)
        if y is None or at is None:
            return None
        index = [":" if axis in at else "_" for axis in range(x.rank)]
        return f"{y.name}{list_text(index)}", x.shape

    ways = [equal, equal, shorter, reduced, inserted, inserted]
    body.rng.shuffle(ways)
    return next((found for way in ways if (found := way()) is not None), None)


def places(short: Sequence[Dim], long: Sequence[Dim]) -> tuple[int, ...] | None:
    """The axes of `long` at which those of `short` stand, in order."""
    found: list[int] = []
    for axis, dim in enumerate(long):
        if len(found) < len(short) and short[len(found)] == dim:
            found.append(axis)
    return tuple(found) if len(found) == len(short) else None


@move(10)
def pair(body: Body) -> bool:
    x = floats(body)
    other = partner(body, x) if x is not None else None
    if x is None or other is None:
        return False
    text = body.rng.choice(PAIRS).format(a=x.name, b=other[0])
    body.bind(text, "f", other[1])
    return True


WAYS = ("tanh({})", "{} * 0.5", "sigmoid({})", "{} ^ 2", "abs({})", "1 - {}", "softplus({})", "relu({})", "max({}, 0.25)")
MERGES = ("{} + {}", "{} - {}", "{} * {}", "maximum({}, {})", "{} / (1.5 + tanh({}))")


@move(5)
def diamond(body: Body) -> bool:
    """Two or three ways from one value that meet again; the value itself is read at their end too."""
    x = floats(body)
    if x is None:
        return False
    ways = body.rng.sample(WAYS, body.rng.choice((2, 2, 3)))
    made = [body.bind(way.format(x.name), "f", x.shape).name for way in ways]
    text = body.rng.choice(MERGES).format(made[0], made[1])
    body.bind(" + ".join([text, *made[2:], *([x.name] if body.chance(0.5) else [])]), "f", x.shape)
    return True


@move(3)
def shared(body: Body) -> bool:
    """One weight that is read several times."""
    x = floats(body, 1)
    if x is None or body.fixed:
        return False
    shape = x.shape[x.rank - body.rng.randint(0, min(2, x.rank)) :]
    if not body.weighable(shape):
        return False
    w = weight(body, shape)
    text = body.rng.choice(("{x} * {w} + tanh({w})", "tanh({x} + {w}) * {w}", "{x} * {w} - {x} * {w} * {w}", "maximum({x}, {w}) + {w} / 3"))
    body.bind(text.format(x=x.name, w=w), "f", x.shape)
    return True


@move(3)
def random_numbers(body: Body) -> bool:
    """Numbers that are drawn, and the identity matrix."""
    x = floats(body)
    if x is None or not body.writable(x.shape):
        return False
    shape = list_text(x.shape)
    ways = ["uniform(shape={})", "uniform(-1, 1, shape={})", "normal(shape={})", "normal(0.5, 0.1, shape={})", "bernoulli(0.5, shape={})"]
    text = body.rng.choice(ways).format(shape)
    if x.rank >= 2 and x.shape[-1].is_constant and x.shape[-1] == x.shape[-2] and body.chance(0.5):
        text = f"eye({x.shape[-1]})"
    body.bind(f"{x.name} {body.rng.choice('+*-')} {text}", "f", x.shape)
    return True


@move(3)
def comparison(body: Body) -> bool:
    x = anything(body)
    other = partner(body, x) if x is not None else None
    if x is None:
        return False
    sign = body.rng.choice(COMPARISONS)
    if other is None or body.chance(0.5):
        other = ("true" if x.dtype == "bool" else "1", x.shape)
    body.bind(f"{x.name} {sign} {other[0]}", "bool", other[1])
    return True


@move(2)
def logic(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype == "bool")
    other = partner(body, x) if x is not None else None
    if x is None:
        return False
    if other is None or body.chance(0.3):
        body.bind(f"not {x.name}", "bool", x.shape)
    else:
        body.bind(f"{x.name} {body.rng.choice(('and', 'or'))} {other[0]}", "bool", other[1])
    return True


@move(3)
def counted(body: Body) -> bool:
    """u8, bool and integer tensors in arithmetic (R10)."""
    x = body.pick(lambda value: value.dtype != "f")
    if x is None or x.dtype == "f":
        return False
    name = x.name
    texts = {
        "i64": (("{} + 1", "i64"), ("{} % 3", "i64"), ("{} // 2", "i64"), ("{} / 2", "f"), ("abs({})", "i64"), ("-{}", "i64"),
                ("cast({}, f32)", "f"), ("{} * {}", "i64"), ("max({}, 2)", "i64"), ("cast({}, i32)", "i32"), ("cast({}, bool)", "bool")),
        "i32": (("cast({}, i64)", "i64"), ("{} % 4", "i32"), ("{} - 1", "i32"), ("{} == 2", "bool"), ("cast({}, u8)", "u8")),
        "u8": (("{} / 255", "f"), ("{} % 3", "u8"), ("{} // 2", "u8"), ("{} + 1", "f"), ("cast({}, i64)", "i64"), ("{} * 0.01", "f"),
               ("-{}", "f"), ("tanh({})", "f")),
        "bool": (("{} * 2", "f"), ("1 - {}", "f"), ("cast({}, f32)", "f"), ("cast({}, i64)", "i64"), ("-{}", "f"), ("mean({}) + {}", "f"),
                 ("where({}, 1.0, 0.5)", "f"), ("where({}, 1, 2)", "f"), ("{} ^ 2", "f")),
    }  # fmt: skip
    text, dtype = body.rng.choice(texts[x.dtype])
    body.bind(text.replace("{}", name), dtype, x.shape)
    return True


@move(3)
def chosen(body: Body) -> bool:
    x, c = floats(body), body.pick(lambda value: value.dtype == "bool")
    if x is None or c is None:
        return False
    at = places(c.shape, x.shape) if c.rank != x.rank else (tuple(range(x.rank)) if c.shape == x.shape else None)
    if at is None and not body.wildly():
        return False
    index = "" if at is None or c.rank in (x.rank, 0) else list_text([":" if axis in at else "_" for axis in range(x.rank)])
    a, b = body.rng.choice((("{}", "0"), ("0.5", "{}"), ("{}", "-{}"), ("{}", "tanh({})")))
    body.bind(f"where({c.name}{index}, {a}, {b})".replace("{}", x.name), "f", x.shape)
    return True


# ---- reductions ---------------------------------------------------------------------------------------------------------------------


@move(5)
def reduction(body: Body) -> bool:
    x = anything(body, 1)
    if x is None:
        return False
    names = {"f": ("sum", "mean", "max", "min"), "bool": ("all", "sum", "mean"), "u8": ("sum", "mean", "max")}.get(
        x.dtype, ("sum", "max", "min")
    )
    name = body.rng.choice(names)
    allowed = [axis for axis in range(x.rank) if body.mixes or body.chance(0.02) or "batch" not in x.shape[axis].names]
    if not allowed:
        return False
    axes = sorted({body.rng.choice(allowed) for _ in range(body.rng.choice((1, 1, 2, x.rank)))})
    keep = body.chance(0.3)
    whole = len(axes) == x.rank and body.chance(0.5)
    shown = [axis - x.rank if body.chance(0.4) else axis for axis in axes]
    args = [] if whole else [f"axis={shown[0] if len(axes) == 1 and body.chance(0.7) else list_text(shown)}"]
    args += ["keep=true"] if keep else []
    shape = [Dim.of(1) if at in axes else dim for at, dim in enumerate(x.shape) if keep or at not in axes]
    dtype = "f" if x.dtype in ("u8",) or (x.dtype == "bool" and name != "all") else x.dtype
    body.bind(called(body, name, x.name, args), dtype, shape)
    return True


@move(1)
def masked_sum(body: Body) -> bool:
    x = floats(body, 2)
    if x is None:
        return False
    body.bind(f"sum({x.name}, mask={x.name} > 0.1, axis=-1)", "f", x.shape[:-1])
    return True


@move(2)
def best(body: Body) -> bool:
    x = floats(body, 1)
    axis = body.axis(x) if x is not None else None
    if x is None or axis is None:
        return False
    shape = [dim for at, dim in enumerate(x.shape) if at != axis % x.rank]
    body.bind(f"argmax({x.name}, axis={axis})", "i64", shape)
    return True


# ---- shapes -------------------------------------------------------------------------------------------------------------------------


def regrouped(rng: Random, shape: Sequence[Dim], mixes: bool) -> list[Dim]:
    """Another shape of as many elements: neighbours joined, axes of size 1 put in, numbers split."""
    found = list(shape)
    for _ in range(rng.randint(1, 3)):
        way = rng.choice(("join", "unit", "split", "drop"))
        at = rng.randrange(len(found) + 1)
        if way == "unit" and len(found) < MOST_RANK:
            found.insert(at, Dim.of(1))
        elif way == "join" and at + 1 < len(found) and (mixes or not any("batch" in dim.names for dim in found[at : at + 2])):
            found[at : at + 2] = [found[at] * found[at + 1]]
        elif way == "drop" and at < len(found) and found[at] == Dim.of(1):
            del found[at]
        elif way == "split" and at < len(found) and len(found) < MOST_RANK and found[at].is_constant:
            divisors = [n for n in range(2, found[at].constant) if found[at].constant % n == 0]
            if divisors:
                n = rng.choice(divisors)
                found[at : at + 1] = [Dim.of(n), found[at] // n]
    return found


@move(4)
def reshape(body: Body) -> bool:
    x = anything(body)
    if x is None:
        return False
    shape = regrouped(body.rng, x.shape, body.mixes)
    if body.mixes and body.chance(0.2):
        shape = list(x.shape)
        body.rng.shuffle(shape)
    if not body.writable(shape):
        return False
    body.bind(called(body, "reshape", x.name, [list_text(shape)]), x.dtype, shape)
    return True


@move(3)
def transpose(body: Body) -> bool:
    x = anything(body, 2)
    if x is None or x.rank < 2:
        return False
    if body.chance(0.4):
        body.bind(called(body, "transpose", x.name), x.dtype, (*x.shape[:-2], x.shape[-1], x.shape[-2]))
        return True
    order = list(range(x.rank))
    if body.chance(0.3):
        body.rng.shuffle(order)
    else:
        order[1:] = body.rng.sample(order[1:], x.rank - 1)
    shown = [axis - x.rank if body.chance(0.2) else axis for axis in order]
    body.bind(called(body, "transpose", x.name, [list_text(shown)]), x.dtype, [x.shape[axis] for axis in order])
    return True


@move(4)
def index(body: Body) -> bool:
    """`x[i, a:b, _, .., [0, 2]]`; not of what a network makes of data that are too small for its windows."""
    x = anything(body, 1)
    if x is None or any(dim.is_constant and dim.constant < 1 for dim in x.shape):
        return False
    items: list[str] = []
    shape: list[Dim] = []
    gathered = False
    for dim in x.shape:
        way = body.rng.choice((":", ":", ":", "i", "a:b", "list", "_"))
        if "batch" in dim.names and not body.mixes and way != "_":
            way = ":"
        size = dim.constant if dim.is_constant else 1
        if way == "_" and len(shape) < MOST_RANK:
            items.append("_")
            shape.append(Dim.of(1))
        if way == "i":
            items.append(str(body.rng.randrange(-size if dim.is_constant else 0, size)))
        elif way == "a:b":
            start = body.rng.randrange(size)
            stop = body.rng.randint(start + 1, size)
            whole = not dim.is_constant or body.chance(0.2)
            shown = body.rng.choice((stop, stop - size)) if stop < size else stop
            items.append(f"{start if start or body.chance(0.5) else ''}:{'' if whole else shown}")
            shape.append(dim - start if whole else Dim.of(stop - start))
        elif way == "list" and not gathered and dim.is_constant:
            gathered = True
            chosen = [body.rng.randrange(-size, size) for _ in range(body.rng.randint(1, 3))]
            items.append(list_text(chosen))
            shape.append(Dim.of(len(chosen)))
        else:
            items.append(":")
            shape.append(dim)
    if body.chance(0.2):
        while items and items[-1] == ":":
            items.pop()
        items.append("..")
    if not items or any((dim.sign() or 0) < 1 for dim in shape) or len(shape) > MOST_RANK:
        return False
    body.bind(f"{x.name}{list_text(items)}", x.dtype, shape)
    return True


@move(2)
def gathered(body: Body) -> bool:
    x = body.pick(lambda value: value.rank >= 1 and value.fixed(0) is not None)
    i = body.pick(lambda value: value.dtype in ("i64", "u8", "i32") and value.rank < 3)
    if x is None or i is None:
        return False
    shape = (*i.shape, *x.shape[1:])
    if not body.mixes and any("batch" in dim.names for dim in x.shape[1:]):
        return False
    if elements(shape) > MOST_ELEMENTS or len(shape) > MOST_RANK:
        return False
    text = f"{i.name} % {x.shape[0]}"
    body.bind(f"{x.name}[{text}]" if body.chance(0.5) else f"gather({x.name}, {text}, axis=0)", x.dtype, shape)
    return True


@move(3)
def joined(body: Body) -> bool:
    x = anything(body, 1)
    axis = body.axis(x) if x is not None else None
    if x is None or axis is None:
        return False
    at = axis % x.rank
    if body.chance(0.3):  # a new axis
        y = body.pick(lambda value: value.dtype == x.dtype and value.shape == x.shape) or x
        at = body.rng.randrange(-x.rank - 1, x.rank + 1)
        shape = list(x.shape)
        shape.insert(at % (x.rank + 1), Dim.of(2))
        if len(shape) > MOST_RANK or elements(shape) > MOST_ELEMENTS:
            return False
        body.bind(f"stack({x.name}, {y.name}, axis={at})", x.dtype, shape)
        return True

    def fits(y: Value) -> bool:
        return (
            y.dtype == x.dtype
            and y.rank == x.rank
            and all(a == b for i, (a, b) in enumerate(zip(x.shape, y.shape, strict=True)) if i != at)
        )

    parts = [x, *(y for _ in range(body.rng.randint(0, 2)) if (y := body.pick(fits)) is not None)]
    if not all(map(fits, parts)):
        return False
    total = Dim.of(0)
    for part in parts:
        total = total + part.shape[at]
    shape = [*x.shape[:at], total, *x.shape[at + 1 :]]
    if elements(shape) > MOST_ELEMENTS:
        return False
    texts = ", ".join(part.name for part in parts)
    first = f"[{texts}]" if body.chance(0.4) else texts
    body.bind(f"concat({first}, axis={axis})" if axis != -1 or body.chance(0.5) else f"concat({first})", x.dtype, shape)
    return True


@move(2)
def split(body: Body) -> bool:
    x = anything(body, 1)
    axis = body.axis(x) if x is not None else None
    if x is None or axis is None:
        return False
    at = axis % x.rank
    divisors = [n for n in (2, 3, 4) if x.shape[at] % n == Dim.of(0)]
    if not divisors:
        return False
    parts = body.rng.choice(divisors)
    shape = (*x.shape[:at], x.shape[at] // parts, *x.shape[at + 1 :])
    values = [Value(body.names.fresh("v"), x.dtype, shape) for _ in range(parts)]
    thrown = body.rng.randrange(parts) if body.chance(0.3) else None
    shown = ["_" if at == thrown else value.name for at, value in enumerate(values)]
    body.line(f"{', '.join(shown)} = {called(body, 'split', x.name, [str(parts), f'axis={axis}'])}")
    for at, value in enumerate(values):
        if at != thrown:
            body.add(value)
    return True


@move(2)
def pad(body: Body) -> bool:
    x = anything(body, 1)
    if x is None or x.dtype == "bool":
        return False
    before, after = ([body.rng.choice((0, 0, 1, 2)) if axis else 0 for axis in range(x.rank)] for _ in "ab")
    shape = [dim + a + b for dim, a, b in zip(x.shape, before, after, strict=True)]
    if elements(shape) > MOST_ELEMENTS:
        return False
    value = body.rng.choice(("", ", value=1", ", value=-0.5" if x.dtype == "f" else ""))
    body.bind(f"pad({x.name}, before={list_text(before)}, after={list_text(after)}{value})", x.dtype, shape)
    return True


@move(1)
def broadcast(body: Body) -> bool:
    x = floats(body)
    if x is None or x.rank >= MOST_RANK or not body.writable(x.shape):
        return False
    shape = (Dim.of(body.rng.choice((1, 2, 3))), *x.shape)
    if elements(shape) > MOST_ELEMENTS:
        return False
    body.bind(f"op.broadcast({x.name}, shape={list_text(shape)})", x.dtype, shape)
    return True


@move(1)
def constants(body: Body) -> bool:
    """`tensor`, `arange`, and sizes as numbers."""
    if body.chance(0.4):
        rows, columns = body.rng.randint(1, 3), body.rng.randint(1, 3)
        numbers = [list_text([round(body.rng.uniform(-1, 1), 2) for _ in range(columns)]) for _ in range(rows)]
        body.bind(f"tensor({list_text(numbers)})", "f", (Dim.of(rows), Dim.of(columns)))
        return True
    if body.chance(0.5):
        x = floats(body)
        names = sorted(body.dims - (frozenset() if body.mixes else {"batch"}))
        if x is None or not names:
            return False
        name = body.rng.choice(names)
        body.bind(body.rng.choice((f"{x.name} / {name}", f"{x.name} * ({name} + 1)", f"{x.name} + {name} // 2")), "f", x.shape)
        return True
    dim = body.rng.choice([*sorted(body.dims - {"batch"}), 3, 1])
    body.bind(f"arange({dim})", "i64", (Dim.of(dim),))
    return True


# ---- linear algebra, softmax --------------------------------------------------------------------------------------------------------


@move(4)
def product(body: Body) -> bool:
    x = floats(body, 2)
    if x is None or x.rank < 2:
        return False
    if not body.mixes and any("batch" in dim.names for dim in x.shape[-2 if x.rank > 2 else -1 :]):
        return False
    name = x.name
    way = body.rng.choice(("own", "weight", "other", "vector"))
    if way == "own":
        if not body.mixes and "batch" in x.shape[-2].names:
            return False
        shape = (*x.shape[:-2], x.shape[-2], x.shape[-2])
        text = f"{name} @ transpose({name})"
    elif way == "weight":
        if body.fixed or not body.weighable(x.shape[-1:]):
            return False
        n = body.size()
        lead = (x.shape[0],) if x.rank == 3 and x.shape[0].is_constant and body.chance(0.5) else ()
        w = weight(body, (*lead, x.shape[-1], Dim.of(max(n, 1))))
        shape, text = (*x.shape[:-1], Dim.of(max(n, 1))), f"{name} @ {w}"
    elif way == "vector":
        if body.fixed or not body.weighable(x.shape[-1:]):
            return False
        shape, text = x.shape[:-1], f"{name} @ {weight(body, (x.shape[-1],))}"
    else:
        y = body.pick(
            lambda y: y.dtype == "f" and y.rank >= 2 and y.shape[-2] == x.shape[-1] and (y.rank == 2 or y.shape[:-2] == x.shape[:-2])
        )
        if y is None:
            return False
        shape, text = (*x.shape[:-1], y.shape[-1]), f"{name} @ {y.name}"
    if elements(shape) > MOST_ELEMENTS:
        return False
    body.bind(f"({text}) * 0.3", "f", shape)
    return True


INITS = ("zeros", "ones", "xavier", "he", "normal(std=0.4)", "uniform(-0.5, 0.5)", "constant(0.25)", "0.5", "0")


def weight(body: Body, shape: Sequence[Dim]) -> str:
    """A new weight; its name."""
    name = body.names.fresh("w")
    inits = INITS if len(shape) >= 2 else [init for init in INITS if init not in ("xavier", "he")]
    body.line(f"weight {name}: {list_text(shape)} = {body.rng.choice(inits)}")
    return name


@move(2)
def weighted(body: Body) -> bool:
    """A weight of its own for the last axes of a value."""
    x = floats(body, 1)
    if x is None or body.fixed:
        return False
    count = body.rng.randint(0, min(2, x.rank))
    shape = x.shape[x.rank - count :]
    if not body.weighable(shape):
        return False
    body.bind(f"{x.name} {body.rng.choice('+*-')} {weight(body, shape)}", "f", x.shape)
    return True


@move(3)
def soft(body: Body) -> bool:
    x = floats(body, 1)
    axis = body.axis(x) if x is not None else None
    if x is None or axis is None:
        return False
    name = body.rng.choice(("softmax", "log_softmax", "op.normalize"))
    args = [f"axis={axis}"] if axis != -1 or body.chance(0.3) else []
    if name == "softmax" and body.chance(0.3):
        args.append(f"mask={x.name} > -0.2")
    body.bind(f"{name}({', '.join((x.name, *args))})", "f", x.shape)
    return True


# ---- layers -------------------------------------------------------------------------------------------------------------------------


@move(5)
def dense(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype == "f" and value.rank >= 2 and body.known(value.shape[-1]))
    if x is None or body.fixed:
        return False
    units = body.size()
    shape = (*x.shape[:-1], Dim.of(max(units, 1)))
    if elements(shape) > MOST_ELEMENTS:
        return False
    more = body.rng.choice(("", "", ", bias=false", ", init=he", ", init=normal(std=0.3)"))
    tail = body.rng.choice(("", "", " -> relu", " -> tanh", " -> sigmoid -> dropout(0.3)", " -> layer_norm"))
    body.bind(f"{x.name} -> dense({units}{more}){tail}", "f", shape)
    return True


@move(2)
def layer_norm(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype == "f" and value.rank >= 2 and body.known(value.shape[-1]))
    if x is None or body.fixed:
        return False
    body.bind(f"{x.name} -> layer_norm{body.rng.choice(('', '(eps=1e-3)'))}", "f", x.shape)
    return True


@move(3)
def batch_norm(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype == "f" and value.rank >= 2 and body.known(value.shape[1]))
    if x is None or body.fixed or x.rank < 2:
        return False
    tail = body.rng.choice(("", " -> relu", " -> tanh", " -> relu -> dropout(0.5)"))
    body.bind(f"{x.name} -> batch_norm{body.rng.choice(('', '(momentum=0.5)', '(eps=1e-3)'))}{tail}", "f", x.shape)
    return True


@move(2)
def small_layer(body: Body) -> bool:
    x = floats(body, 1)
    if x is None:
        return False
    if body.chance(0.5):
        body.bind(f"{x.name} -> dropout({body.rng.choice((0, 0.1, 0.5, 0.9))})", "f", x.shape)
        return True
    total = Dim.of(1)
    for dim in x.shape[1:]:
        total = total * dim
    body.bind(called(body, "flatten", x.name), "f", (x.shape[0], total))
    return True


@move(3)
def embedding(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype in ("i64", "u8", "i32") and value.rank <= 3)
    if x is None or body.fixed:
        return False
    count, features = body.rng.choice((1, 2, 5)), body.size()
    shape = (*x.shape, Dim.of(max(features, 1)))
    if elements(shape) > MOST_ELEMENTS:
        return False
    body.bind(f"({x.name} % {count}) -> embedding({count}, {features})", "f", shape)
    return True


def window(body: Body, x: Value, dilated: bool) -> tuple[list[int], list[int], list[int], Any, str, bool] | None:
    """Kernel, stride, dilation, pads (as rows take them), their text, and `ceil`."""
    axes = x.rank - 2
    if body.chance(0.35):
        return cornered(body, x, dilated)
    kernel = [body.rng.choice((1, 1, 2, 3, 3)) for _ in range(axes)]
    stride = [body.rng.choice((1, 1, 2, 3, 5)) for _ in range(axes)]
    dilation = [body.rng.choice((1, 1, 2)) if dilated else 1 for _ in range(axes)]
    for values in (kernel, stride, dilation):
        if body.chance(0.5):
            values[:] = values[:1] * axes
    way = body.rng.choice(("none", "none", "int", "each", "pairs", "same"))
    if way == "same":
        return kernel, stride, dilation, "same", ', pad="same"', False
    most = [2 if dilated else k - 1 for k in kernel]
    pads = [(body.rng.randint(0, m), body.rng.randint(0, m)) for m in most]
    text = f", pad={list_text([list_text(pair) for pair in pads])}"
    if way == "none":
        pads, text = [(0, 0)] * axes, ""
    elif way == "int":
        n = body.rng.randint(0, min(most))
        pads, text = [(n, n)] * axes, f", pad={n}"
    elif way == "each":
        pads = [(a, a) for a, _ in pads]
        text = f", pad={list_text([a for a, _ in pads])}"
    return kernel, stride, dilation, pads, text, body.chance(0.3)


def cornered(body: Body, x: Value, dilated: bool) -> tuple[list[int], list[int], list[int], Any, str, bool]:
    """A window whose kernel is larger than the input, just as large, smaller than its stride, or spread out; its pads are as uneven as need be."""
    kernel, stride, dilation, pads = [], [], [], []
    for axis in range(2, x.rank):
        size = x.fixed(axis) or 3
        k = min(body.rng.choice((1, 2, 3, size, size + 1, size + 2)), 7)
        d = body.rng.choice((1, 1, 2, 3)) if dilated and k > 1 else 1
        missing = max(0, (k - 1) * d + 1 - size)  # the pads that it needs to fit once
        most = missing if dilated else k - 1
        total = missing + body.rng.choice((0, 0, 1, 2))
        before = min(body.rng.choice((0, total, total // 2)), most)
        kernel.append(k)
        stride.append(body.rng.choice((1, 1, 2, k, k + 1, k + 3)))
        dilation.append(d)
        pads.append((before, min(total - before, most)))
    text = f", pad={list_text([list_text(pair) for pair in pads])}" if any(map(any, pads)) else ""
    return kernel, stride, dilation, pads, text, body.chance(0.3)


def per_axis(body: Body, values: Sequence[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 and body.chance(0.6) else list_text(values)


@move(8)
def conv(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype == "f" and 3 <= value.rank <= 5 and body.known(value.shape[1]))
    if x is None or body.fixed or not 3 <= x.rank <= 5:
        return False
    kernel, stride, dilation, pads, pad_text, _ = window(body, x, dilated=True)  # type: ignore[misc]
    channels = x.fixed(1) or 1
    groups = body.rng.choice([n for n in (1, 1, 2, 3, channels) if channels % n == 0])
    out = groups * body.rng.choice((1, 1, 2, 3))
    try:
        sizes = [result_size("conv", i, dim, kernel[i], stride[i], dilation[i], pads) for i, dim in enumerate(x.shape[2:])]
    except Mismatch:
        return False
    shape = (x.shape[0], Dim.of(out), *sizes)
    if elements(shape) > MOST_ELEMENTS:
        return False
    args = [str(out), f"kernel={per_axis(body, kernel)}"]
    args += [f"stride={per_axis(body, stride)}"] if set(stride) != {1} or body.chance(0.1) else []
    args += [f"dilation={per_axis(body, dilation)}"] if set(dilation) != {1} else []
    args += [f"groups={groups}"] if groups > 1 else []
    tail = body.rng.choice(("", " -> relu", " -> tanh", ", bias=false) -> batch_norm -> relu"))
    close = tail if tail.startswith(",") else f"){tail}"
    body.bind(f"{x.name} -> conv({', '.join(args)}{pad_text}{close}", "f", shape)
    return True


@move(5)
def pool(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype == "f" and 3 <= value.rank <= 5)
    if x is None or not 3 <= x.rank <= 5:
        return False
    name = body.rng.choice(("max_pool", "avg_pool"))
    kernel, stride, dilation, pads, pad_text, ceil = window(body, x, dilated=False)  # type: ignore[misc]
    default = body.chance(0.4)
    stride = kernel if default else stride
    try:
        sizes = [result_size(name, i, dim, kernel[i], stride[i], 1, pads, ceil) for i, dim in enumerate(x.shape[2:])]
    except Mismatch:
        return False
    args = [f"kernel={per_axis(body, kernel)}"] + ([] if default else [f"stride={per_axis(body, stride)}"])
    more = (", ceil=true" if ceil else "") + (", count_pad=true" if name == "avg_pool" and body.chance(0.3) else "")
    prefix = "op." if body.chance(0.1) else ""
    body.bind(f"{x.name} -> {prefix}{name}({', '.join(args)}{pad_text}{more})", "f", (*x.shape[:2], *sizes))
    return True


@move(2)
def global_pool(body: Body) -> bool:
    x = body.pick(lambda value: value.dtype == "f" and value.rank == 4)
    if x is None:
        return False
    body.bind(f"{x.name} -> global_avg_pool", "f", x.shape[:2])
    return True


@move(2)
def channels(body: Body) -> bool:
    """The moments of channels and what is made of them."""
    x = body.pick(lambda value: value.dtype == "f" and value.rank >= 2)
    if x is None or x.rank < 2 or not (body.mixes or body.wildly()):
        return False
    mean, var = (Value(body.names.fresh("v"), "f", x.shape[1:2]) for _ in "mv")
    body.line(f"{mean.name}, {var.name} = op.channel_moments({x.name})")
    body.add(mean)
    body.add(var)
    if body.chance(0.6):
        body.bind(f"op.channel_affine({x.name}, {var.name}, {mean.name})", "f", x.shape)
    return True


@move(2)
def state(body: Body) -> bool:
    """A running mean over the batch."""
    x = body.pick(lambda value: value.dtype == "f" and value.rank >= 1 and not any("batch" in dim.names for dim in value.shape[1:]))
    if x is None or body.kind == "loop" or not x.rank or not body.writable(x.shape[1:]):
        return False
    shape = x.shape[1:]
    if not body.weighable(shape):
        return False
    name = body.names.fresh("s")
    body.line(f"state {name}: {type_text('f', shape)} = {body.rng.choice(('0', '1', 'zeros', 'ones'))}")
    body.line(f"update {name} = 0.9 * {name} + 0.1 * mean({x.name}, axis=0)")
    body.bind(f"{x.name} + {name}" if body.chance(0.7) else f"{x.name} * tanh({name})", "f", x.shape)
    return True
