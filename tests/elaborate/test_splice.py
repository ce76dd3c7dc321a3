"""A called network is copied from its own graph; what comes out is what elaborating it again gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dslc.diagnostics import Diagnostic
from dslc.elaborate import networks, splice
from dslc.loading import load_program, specs_folder
from dslc.program import Program
from dslc.render import render_text
from tests.elaborate.check import check

LARGE = frozenset(["densenet121", "inception3", "resnet152", "resnet50", "mobilenet1", "mobilenet2", "googlenet", "lenet5"])
SPECS = sorted(path.stem for path in specs_folder().glob("*.nn") if path.stem not in LARGE)

IMAGE = "reshape(data.image[:, 0, 0:2, 0:2] / 255, [batch, 4])"


def training(network: str, loss: str = "net.s") -> str:
    """A network N and a training that calls it."""
    data = f'data = dataset("fashion-mnist")\n  x = {IMAGE}'
    return f"{network}\ntrain {{\n  {data}\n  net = N(x)\n  loss: {loss}\n  optimizer: sgd(0.1)\n}}\n"


def body(text: str, name: str = "N") -> str:
    return f"network {name} {{\n  input x: [batch, 4]\n  {text}\n}}\n"


COPIED = {
    "weights": training(body("h = x -> dense(3) -> relu\n  output s = mean(h * h)")),
    "constants that the caller has": training(body("output s = mean(x / 255 + 2)"), "net.s / 255 + 3"),
    "two calls": training(body("h = x -> dense(4) -> dropout(0.5)\n  output s = mean(h * 0.5)"), "net.s + N(net.h).s"),
    "random numbers": training(body("h = x -> dropout(0.5) -> dense(4) -> dropout(0.5)\n  output s = mean(h)")),
    "states": training(body("h = x -> dense(4) -> batch_norm\n  output s = mean(h * h)")),
    "a network in a network": training(
        body("h = x -> dense(4) -> dropout(0.1)\n  output y = h", "M") + body("a = M(x)\n  b = M(a.y)\n  output s = mean(b.h + a.y)"),
        "net.s + mean(net.a.h)",
    ),
    "lists and layers among the names": training(
        body("layer f = dense(4)\n  l = [f(x), x, [x * 2]]\n  n = 3\n  output s = mean(f(x))"),
        "mean(net.l[2][0] * net.n + net.l[0]) + mean(net.f.w)",
    ),
    "a loop over time": training(
        body(
            "t = reshape(x, [batch, 2, 2])\n  ys = scan e in t over 2 {\n    carry h: [batch, 2] = 0\n    h = h + e * 2\n    yield h\n  }\n"
            "  output s = mean(ys)"
        )
    ),
    "a softmax given to a loss": training(
        body("p = x -> dense(10) -> softmax\n  output s = mean(p)"), "net.s + cross_entropy(net.p, data.label)"
    ),
    "a weight that no node reads": training(body("weight w: [4] = 0\n  output s = mean(x -> dense(2))\n  output w")),
}
ELABORATED = {
    "other sizes": training("network N {\n  input x: [n, 4]\n  output s = mean(x -> dense(3))\n}\n"),
    "an input that is left out": training(
        "network N {\n  input x: [batch, 4]\n  input k: [] = 2\n  output s = mean(x -> dense(3)) * k\n}\n"
    ),
    "a gradient": training(body("h = x -> dense(3)\n  output s = mean(grad(sum(h * h), x)^2)")),
    "a loss of what is given": training(
        body("output p = x -> dense(4) -> softmax", "M")
        + "network N {\n  input p: [batch, 4]\n  output s = cross_entropy(p, argmax(p))\n}\n"
    ).replace("N(x)", "N(M(x).p)"),
    "a weight of zeros that is given": training(
        "network N {\n  input w: [4, 4]\n  output s = mean(w @ w)\n}\n" + body("weight w: [4, 4] = 0\n  output y = x + w[0]", "M")
    ).replace("N(x)", "N(M(x).w)"),
    "frozen weights": training(body("h = x -> dense(4) -> batch_norm as a -> dense(4)\n  output s = mean(h * h)")).replace(
        "optimizer", 'rule "a.*" {\n    frozen: true\n  }\n  optimizer'
    ),
}


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the networks that were copied."""
    found: list[str] = []

    def counted(frame, done, arguments, span):  # type: ignore[no-untyped-def]
        found.append(frame.name)
        return splice.spliced(frame, done, arguments, span)

    monkeypatch.setattr(networks, "spliced", counted)
    yield found


def both(text: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Program | None, list[Diagnostic]]]:
    """What a text gives with copies, and without."""
    first = check(text)
    monkeypatch.setattr(networks, "fits", lambda *_: False)
    return [first, check(text)]


def same(found: list[tuple[Program | None, list[Diagnostic]]]) -> bool:
    (a, said), (b, meant) = found
    return repr(a) == repr(b) and render_text(said) == render_text(meant)


@pytest.mark.parametrize("name", COPIED)
def test_a_copy_is_what_elaborating_gives(name: str, copies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = both(COPIED[name], monkeypatch)
    assert found[0][0] is not None, render_text(found[0][1])
    assert "N" in copies
    assert same(found)


@pytest.mark.parametrize("name", ELABORATED)
def test_what_depends_on_the_call_is_elaborated(name: str, copies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    found = both(ELABORATED[name], monkeypatch)
    assert found[0][0] is not None, render_text(found[0][1])
    assert "N" not in copies or name == "frozen weights"
    assert same(found)


@pytest.mark.parametrize("name", SPECS)
def test_shipped_specs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_program(name)
    monkeypatch.setattr(networks, "fits", lambda *_: False)
    second = load_program(name)
    assert repr(first[0]) == repr(second[0])
    assert render_text(first[1]) == render_text(second[1])


def test_each_call_of_a_copy_has_random_numbers_of_its_own() -> None:
    program, _ = check(COPIED["two calls"])
    assert program is not None
    (step,) = program.trainings["train"].steps
    streams = [node.attrs["stream"] for node in step.graph.nodes if "stream" in node.attrs]
    assert len(streams) == len(set(streams)) == 2
