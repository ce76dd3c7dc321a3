"""Contractions by letters: `einsum("bik,bkj->bij")`, after Einstein's rule that a letter which the result leaves out is summed over."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from string import ascii_letters
from typing import Any

from dslc.ir.types import Dim, TensorType
from dslc.ops.support import attr_shape
from dslc.ops.table import Case, Mismatch, op
from dslc.ops.value import F, Val

# ---- the equation -----------------------------------------------------------------------------------------------------------------


def letters_of(equation: str, ranks: Sequence[int]) -> tuple[list[str], str]:
    """One letter for each axis of every tensor, and of the result. `...` becomes letters that are free, aligned at the last axis of it.

    Raises Mismatch where the equation is malformed or does not fit the ranks.
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or len(terms) != len(ranks):
        reason = f"`equation` has one term for each of {len(ranks)} tensors, and the result's after `->`"
        raise Mismatch("equation", reason, wanted='"ik,kj->ij"', found=f'"{equation}"')
    rests = [rank - len(term.replace("...", "")) for term, rank in zip(terms, ranks, strict=True)]
    longest = max((rest for term, rest in zip(terms, rests, strict=True) if "..." in term), default=0)
    free = "".join(letter for letter in reversed(ascii_letters) if letter not in equation)[: max(longest, 0)]
    found = []
    for at, (term, rest, rank) in enumerate(zip(terms, rests, ranks, strict=True)):
        if rest < 0 or (rest and "..." not in term):
            reason = f"the term `{term}` names {rank - rest} axes, and tensor {at + 1} has {rank}"
            raise Mismatch("equation", reason, wanted=f"{rank} letters", found=f'"{term}"', other="xs")
        found.append(term.replace("...", free[len(free) - rest :]))
    result = right.replace("...", free)
    check_letters(equation, found, result)
    return found, result


def check_letters(equation: str, terms: Sequence[str], result: str) -> None:
    """Only letters; each letter of the result once, and of some tensor."""
    known = "".join(terms)
    for letter in known + result:
        if letter not in ascii_letters:
            raise Mismatch("equation", f"`{letter}` is no letter", wanted="letters, `,` and `->`", found=f'"{equation}"')
    for letter in result:
        if letter not in known:
            raise Mismatch("equation", f"`{letter}` of the result is in no tensor", wanted=f"of `{known}`", found=letter)
        if result.count(letter) > 1:
            raise Mismatch("equation", f"`{letter}` is twice in the result", wanted="each letter once", found=f'"{result}"')


def joined(terms: Sequence[str], result: str) -> str:
    return f"{','.join(terms)}->{result}"


def expanded(equation: str, ranks: Sequence[int]) -> str:
    """The equation without `...` and spaces."""
    return joined(*letters_of(equation, ranks))


# ---- the row ----------------------------------------------------------------------------------------------------------------------


def einsum_shape(*xs: TensorType, equation: str) -> TensorType:
    """Sizes by letter; equal letters are equal sizes."""
    terms, result = letters_of(equation, [x.rank for x in xs])
    sizes: dict[str, Dim] = {}
    origin: dict[str, int] = {}
    for at, (term, x) in enumerate(zip(terms, xs, strict=True)):
        if x.dtype != xs[0].dtype or not (x.dtype.is_float or x.dtype.is_int):
            raise Mismatch("xs", "the tensors of `einsum` are numbers of one dtype", wanted=str(xs[0]), found=str(x), other="xs")
        for axis, (letter, size) in enumerate(zip(term, x.shape, strict=True)):
            wanted, first = sizes.setdefault(letter, size), origin.setdefault(letter, at)
            if wanted != size:
                reason = f"`{letter}` of `{equation}` is {wanted} in tensor {first + 1} and {size} in tensor {at + 1}"
                raise Mismatch("xs", reason, wanted=str(wanted), found=str(size), axis=axis, other="xs")
    return TensorType(dtype=xs[0].dtype, shape=tuple(sizes[letter] for letter in result))


def einsum(xp: Any, *xs: Any, equation: str) -> Any:
    """Two tensors of different letters are one matrix product; all else is the namespace's `einsum`."""
    terms, result = letters_of(equation, [x.ndim for x in xs])
    if len(xs) == 2 and all(len(set(term)) == len(term) for term in terms):
        return paired(xp, xs[0], xs[1], terms[0], terms[1], result)
    return xp.array(xp.einsum(joined(terms, result), *xs, optimize=True))


def paired(xp: Any, a: Any, b: Any, left: str, right: str, result: str) -> Any:
    """Stacks × rows × inner times stacks × inner × columns, then the axes in the order of the result."""
    a, left = without(a, left, right + result)
    b, right = without(b, right, left + result)
    size = {**dict(zip(left, a.shape, strict=True)), **dict(zip(right, b.shape, strict=True))}
    stacks = [c for c in left if c in right and c in result]
    inner = [c for c in left if c in right and c not in result]
    rows, columns = [c for c in left if c not in right], [c for c in right if c not in left]
    count = {key: prod(size[letter] for letter in group) for key, group in (("s", stacks), ("k", inner), ("m", rows), ("n", columns))}
    x = ordered(a, left, [*stacks, *rows, *inner]).reshape(count["s"], count["m"], count["k"])
    y = ordered(b, right, [*stacks, *inner, *columns]).reshape(count["s"], count["k"], count["n"])
    order = [*stacks, *rows, *columns]
    product = xp.matmul(x, y).reshape([size[c] for c in order])
    return xp.ascontiguousarray(ordered(product, order, result)).reshape([size[c] for c in result])


def without(x: Any, term: str, others: str) -> tuple[Any, str]:
    """Summed over the axes whose letters stand nowhere else."""
    alone = tuple(at for at, letter in enumerate(term) if letter not in others)
    return (x.sum(axis=alone, dtype=x.dtype) if alone else x), "".join(letter for letter in term if letter in others)


def ordered(x: Any, term: Sequence[str], order: Sequence[str]) -> Any:
    return x.transpose([term.index(letter) for letter in order])


def _einsum_grad(g: Val, y: Val, *xs: Val, equation: str) -> list[Val]:
    """∂L/∂x is the contraction of g with the other tensors to x's letters."""
    terms, result = letters_of(equation, [x.type.rank for x in xs])
    return [to_operand(g, xs, terms, result, at) for at in range(len(xs))]


def to_operand(g: Val, xs: Sequence[Val], terms: Sequence[str], result: str, at: int) -> Val:
    """A letter that stands twice in x's term lies on a diagonal, so an identity matrix joins; one that stands nowhere else is repeated."""
    values = [g, *(x for i, x in enumerate(xs) if i != at)]
    given = [result, *(term for i, term in enumerate(terms) if i != at)]
    free = [letter for letter in ascii_letters if letter not in "".join(terms)]
    target = ""
    for letter, size in zip(terms[at], xs[at].type.shape, strict=True):
        if letter in target:
            values.append(g.builder.one("eye", (), count=attr_shape((size,))[0], dtype=g.type.dtype))
            given.append(letter + free[0])
            letter = free.pop(0)
        elif letter not in "".join(given):
            values.append(F.broadcast(g.builder.constant(1, g.type.dtype), shape=attr_shape((size,))))
            given.append(letter)
        target += letter
    return F.einsum(*values, equation=joined(given, target))


def cases(rng: Any) -> list[Case]:
    rows = (
        ("bik,bkj->bij", (2, 3, 4), (2, 4, 2)),
        ("ij,j->i", (3, 4), (4,)),
        ("i,j->ji", (2,), (3,)),
        ("bi,ci->", (2, 3), (4, 3)),
        ("ij,jk,k->i", (2, 3), (3, 2), (2,)),
        ("ii->i", (3, 3)),
        ("ijj->ji", (2, 3, 3)),
        ("ij->ji", (2, 3)),
        ("ijk->j", (2, 3, 2)),
        ("ij,kj->k", (2, 3), (2, 3)),
        ("...ij, ...jk -> ...ik", (2, 2, 3), (2, 3, 1)),
        ("...,i->i...", (2, 3), (2,)),
        ("bhqd,bkhd->bhqk", (1, 2, 3, 2), (1, 4, 2, 2)),
    )
    return [Case(tuple(rng.uniform(-1, 1, shape) for shape in shapes), {"equation": text}) for text, *shapes in rows]


op(
    "einsum(xs: list[t], equation: string) -> t[*r]",
    "the tensors multiplied axis by axis of equal letters and summed over the letters that the result leaves out; `...` is any axes",
    kind="linalg",
    eval=einsum,
    grad={"xs": _einsum_grad},
    shape=einsum_shape,
    sample=cases,
    analytic=True,
    example='y = einsum(x, w, equation="bi,ci->bc")',
)
