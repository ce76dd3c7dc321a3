"""Texts of at most 1 MiB that take the checker long: each construct as often as fits, in loops, nested, multiplied, and mixed."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

MOST = 1 << 20
TURNS = 1_000_000

# ---- whole texts: what scanner, parser and resolver see ------------------------------------------------------------------------

UNITS = {
    "names": "x ",
    "letters": "y",
    "digits": "7",
    "points": ".",
    "brackets": "(",
    "lists": "[",
    "pairs": "()",
    "braces": "{\n",
    "ends": "}\n",
    "signs": "-",
    "strays": "?",
    "quotes": '"',
    "apostrophes": "'a' ",
    "texts": '"a" ',
    "comments": "#\n",
    "breaks": "\n",
    "blanks": "\t \n",
    "returns": "\r\n",
    "commas": ",",
    "equals": "= =\n",
    "colons": "a:\n",
    "slips": "a => b\n",
    "words": "if ",
    "headers": "dslc 1\n",
    "values": "a\n",
    "letters beyond": "ä ",
    "pictures": "🙂",
    "bodies": "network a {\n",
    "broken": "network N {\n) = \n",
    "mixed": "x = (\n}\n",
    "heads": "block b(x: [a]) {\n}\n",
    "imports": 'import a from "b.nn"\n',
    "params": "param a: int = 1\n",
    "trains": "train {\n}\n",
    "layers": "layer a = dense(3)\n",
    "missing signs": "a b c\n",
    "powers": "a ** b\n",
    "else": "else {\n",
    "escapes": r'"\q" ',
    "open heads": "block b(x: [a {\n}\n",
    "typed": "weight w: [3\n",
    "doubled": "y = = x\n",
    "unclosed": "y = f(x\n",
}
STATEMENTS = {
    "assignments": "a = x",
    "names apart": "a{k} = x",
    "unknown names": "a{k} = b{k}",
    "one unknown name": "a{k} = b",
    "unknown calls": "a{k} = f{k}(x)",
    "reads": "a{k} = x + x",
    "products": "a = x * 2 + x / x - x",
    "chains": "a = x -> relu -> tanh -> exp",
    "settings": "a{k}: 1",
    "near names": "a{k} = inputs{k} + relus",
    "numbers": "a = 1 + 2 * 3 - 4",
    "lists": "a = [1, 2, 3, [4]]",
    "texts": 'a = "text"',
    "indices": "a = x[:, 0:2]",
    "calls": "a = reshape(x, [batch, 2, 2])",
    "blocks": "a = x -> dense(2)",
    "weights": "weight w{k}: [2, 2] = 0",
    "states": "state s{k}: [2] = 0",
    "updates": "update s{k} = 0",
    "ifs": "if 1 < 2 {\n a = x\n}",
    "loops": "for i in 0..1 {\n a = x\n}",
    "layers": "layer l{k} = dense(2)",
    "inputs": "input i{k}: [batch, 4]",
    "outputs": "output o{k} = x",
    "dims": "input i{k}: [batch, d{k}]",
    "wrong arguments": "a{k} = dense(x, unit=3)",
    "wrong shapes": "a{k} = x @ x",
    "returns": "return x",
    "bad types": "weight w{k}: [a, b] = 1",
    "conditions": "a = if 1 < 2 then x else x",
    "scans": "a = scan t in x over 4 {\n yield t\n}",
    "networks": "a{k} = M(x)",
}
FRAME = "dslc 1\n\nnetwork M {\n  input x: [batch, 4]\n  output y = x -> dense(4)\n}\n\nnetwork N {\n  input x: [batch, 4]\n"


def repeated(head: str, unit: str, tail: str = "", size: int = MOST) -> str:
    """`unit` as often as fits, `{k}` counted."""
    room = size - len((head + tail).encode())
    if "{k}" not in unit:
        return head + unit * (room // len(unit.encode())) + tail
    many = room // (len(unit.encode()) + 5 * unit.count("{k}"))
    return head + "".join([unit.replace("{k}", str(k)) for k in range(many)]) + tail


def lines(unit: str, size: int = MOST) -> str:
    return repeated(FRAME, f"  {unit}\n", "  output z = x\n}\n", size)


TERMS = {
    "sum": " + x",
    "sum of calls": " + relu(x)",
    "pipe": " -> relu",
    "pipe of blocks": " -> dense(4)",
    "power": " ^ 2",
    "signs": " - -x",
    "fields": ".a",
    "indices": "[0]",
    "calls": "(x)",
    "conditions": " if x then y else",
    "logic": " and true",
    "comparisons": " == x",
    "matrices": " @ x",
    "comma": ", x",
    "numbers": " + 1",
    "texts": ' + "a"',
    "negations": " or not true",
    "divisions": " // 2",
}


def whole(name: str, unit: str) -> tuple[str, Callable[[], str]]:
    return f"a text of {name}", lambda: repeated("dslc 1\n", unit)


# ---- loops: what the elaborator does over and over --------------------------------------------------------------------------------

HEADS = {
    "": "",
    "block": "block b(x: [batch, n], k: int = 1) {\n  return tanh(x) * k\n}\n",
    "doubling": "block d0(x: [batch, n]) {\n  return x + 1\n}\n"
    + "".join(f"block d{k}(x: [batch, n]) {{\n  return x -> d{k - 1} -> d{k - 1}\n}}\n" for k in range(1, 31)),
    "deep": "block deep(x: [batch, n], k: int) {\n  if k == 0 {\n    return x\n  }\n  return x -> dense(4) -> deep(k - 1)\n}\n",
    "trained": "block t(x: [batch, n]) {\n  weight w: [n, n] = xavier\n  state s: [n] = 0\n  update s = s + 1\n"
    "  if training {\n    return x @ w + s\n  }\n  return x @ w\n}\n",
    "network": "network M {\n  input x: [batch, 4]\n  h = x -> dense(4) -> relu\n  output y = h\n  output z = h + x\n}\n",
    "picture": "network P {\n  input x: [batch, 3, 32, 32]\n  output y = x -> conv(4, kernel=3) -> batch_norm -> relu\n}\n",
}
FIRST = {
    "": "",
    "long list": "y = [1]\nfor k in 0..16 {\n  y = y + y\n}\n",
    "sizes": "input z: [a, b, c, d, e, f, g, h]\nn = a * b * c + d\nm = (a + b + c + d + e + f + g + h) // 3\n",
    "chain": "t = x\nfor k in 0..300 {\n  t = tanh(t)\n}\ns = sum(t)\n",
    "picture": "input p: [batch, 3, 32, 32]\n",
    "sequence": "input q: [batch, time, 8]\n",
    "wide": "u = x\nfor k in 0..200 {\n  u = concat(u, x)\n}\n",
}
INNER = {  # statement, what stands before the network, what stands first in it
    "nothing": ("", "", ""),
    "sum": ("v = v + 1", "", ""),
    "number": ("part = 1 + k", "", ""),
    "assignment": ("part = k", "", ""),
    "comparison": ("if k < 3 {\n}", "", ""),
    "call": ("v = tanh(v)", "", ""),
    "several": ("v = tanh(v) * 0.5 + v / 2 - x", "", ""),
    "size in arithmetic": ("part = batch * k + batch // 3", "", ""),
    "block": ("v = v -> b(k)", "block", ""),
    "doubling": ("v = v -> d12", "doubling", ""),
    "deep": ("v = v -> deep(30)", "deep", ""),
    "dense": ("v = v -> dense(4)", "", ""),
    "weights": ("v = v -> t", "trained", ""),
    "named": ("v = x -> dense(4) as d", "", ""),
    "network": ("v = M(v).y", "network", ""),
    "both outputs": ("r = M(v)\n v = r.y * r.z", "network", ""),
    "convolution": ("p = p -> conv(3, kernel=3, pad=1)", "", "picture"),
    "norm": ("p = p -> batch_norm", "", "picture"),
    "picture": ("p = conv(P(p).y, 3, kernel=3, pad=1)", "picture", "picture"),
    "pool": ("part = p -> max_pool(2) -> flatten", "", "picture"),
    "depthwise": ("part = p -> separable_conv(3, kernel=3)", "", "picture"),
    "layer norm": ("q = q -> layer_norm", "", "sequence"),
    "spectral norm": ("v = v -> spectral_norm_dense(4)", "", ""),
    "cell": ("part, other = lstm_cell(v, x, x)", "", ""),
    "list equality": ("if y == y {\n}", "", "long list"),
    "list part": ("part = y[1:][0]", "", "long list"),
    "list sum": ("y = y + [k]", "", ""),
    "tensor of list": ("v = v + tensor(y)[0]", "", "long list"),
    "list in list": ("part = [y, y]", "", "long list"),
    "sizes": ("part = n * m - n", "", "sizes"),
    "power of sizes": ("part = (n + m)^2", "", "sizes"),
    "quotient": ("n = (n + 1) // 2", "", "sizes"),
    "question": ("if n - b > k {\n}", "", "sizes"),
    "reshape": ("v = reshape(v, [batch, 4])", "", ""),
    "index": ("v = v[:, 0:4]", "", ""),
    "concat": ("part = concat(v, x, v, x)", "", ""),
    "einsum": ('v = einsum("bi,bj->bi", v, x)', "", ""),
    "gradient": ("g = grad(s, x)", "", "chain"),
    "gradient of itself": ("v = grad(sum(v * v), x)", "", ""),
    "wide gradient": ("g = grad(sum(u), x)", "", "wide"),
    "scan": ("part = scan e in q over time {\n  carry w: [batch, 8] = 0\n  w = w + e\n  yield w\n }", "", "sequence"),
    "transpose": ("v = transpose(transpose(v, [1, 0]), [1, 0])", "", ""),
    "random": ("v = v -> dropout(0.5)", "", ""),
    "text": ('part = "a"', "", ""),
    "minimum": ("v = max(v, x, v, x)", "", ""),
    "condition": ("v = if k < 3 then v else x", "", ""),
    "where": ("v = where(v > 0, v, x)", "", ""),
    "product": ("v = (v[:, :, _] @ v[:, _, :])[:, :, 0]", "", ""),
    "new layer": ("layer l = dense(4)\n v = l(v)", "", ""),
    "loss": ("s = mse(v, x)", "", ""),
    "cast": ("v = cast(cast(v, i64), f32)", "", ""),
    "weight": ("weight w: [4, 4] = xavier\n v = v @ w", "", ""),
}


def looped(names: list[str], loops: list[int], train: bool = False, size: int = 0) -> str:
    """Statements of INNER inside of loops; as text too, where `size` says how much of it."""
    heads = "".join(dict.fromkeys(HEADS[INNER[name][1]] for name in names))
    first = "".join(dict.fromkeys(FIRST[INNER[name][2]] for name in names))
    body = "\n".join(INNER[name][0] for name in names)
    if size:
        body = "\n".join([body] * max(1, size // (len(body) + 1)))
    variables = [f"for {'k' if at == 0 else f'k{at}'} in 0..{turns} {{\n" for at, turns in enumerate(loops)]
    network = f"network N {{\ninput x: [batch, 4]\n{first}v = x\n{''.join(reversed(variables))}{body}" + "\n}" * len(loops)
    text = f"dslc 1\n{heads}{network}\noutput o = sum(v)\n}}\n"
    if train:
        data = "reshape(data.image[:, 0, 0:2, 0:2] / 255, [batch, 4])"
        text += f'train {{\n data = dataset("fashion-mnist")\n loss: N({data}).o\n optimizer: sgd(0.1)\n}}\n'
    return text


def table() -> list[tuple[str, Callable[[], str]]]:
    found = [whole(name, unit) for name, unit in UNITS.items()]
    found += [(f"statements: {name}", lambda unit=unit: lines(unit)) for name, unit in STATEMENTS.items()]  # type: ignore[misc]
    found += [
        (f"a chain: {name}", lambda unit=unit: repeated(FRAME + "  z = x", unit, "\n  output z\n}\n")) for name, unit in TERMS.items()
    ]  # type: ignore[misc]
    found += [(f"a loop: {name}", lambda name=name: looped([name], [TURNS])) for name in INNER]  # type: ignore[misc]
    found += [(f"a loop that ends: {name}", lambda name=name: looped([name], [1_000], train=True)) for name in INNER]  # type: ignore[misc]
    return found


TABLE = table()


def spec(case: int) -> tuple[str, str]:
    """Name and text of a case: the table first (in an order that mixes its parts), then mixtures."""
    if case < len(TABLE):
        name, text = TABLE[case * 37 % len(TABLE)]
        return name, text()[:MOST]
    return mixture(Random(f"cost {case}"))


def mixture(rng: Random) -> tuple[str, str]:
    """Several statements in nested loops, or texts of which each part is another construct."""
    if rng.random() < 0.3:
        parts = rng.sample(sorted(UNITS), 2) + rng.sample(sorted(STATEMENTS), 3)
        size = MOST // len(parts)
        text = "".join(repeated("", UNITS.get(part) or f"  {STATEMENTS[part]}\n", "\n", size) for part in parts)
        return f"parts: {', '.join(parts)}", (FRAME + text)[:MOST]
    names = rng.sample(sorted(INNER), rng.randint(1, 4))
    loops = [rng.choice([3, 30, 300, 3_000, 1_000_000]) for _ in range(rng.randint(1, 4))]
    size = rng.choice([0, 0, 2_000, 50_000, 400_000])
    return f"loops of {loops}: {', '.join(names)} ({size})", looped(names, loops, rng.random() < 0.4, size)[:MOST]
