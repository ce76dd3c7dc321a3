"""Metrics as people read them: numbers in a list, one value for each class in a table, matrices with their classes at the edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dslc.show import aligned

if TYPE_CHECKING:
    from dslc.program import Training

MOST_COLUMNS = 32  # of a matrix that is printed
CONFUSIONS = "rows: the label, columns: the decision"
CONFUSING = frozenset(["confusion_matrix"])
OF_CLASSES = CONFUSING | {"class_counts", "class_average", "roc_auc", "average_precision"}


def report(values: Mapping[str, Any], training: Training) -> str:
    """All values of an evaluation: numbers, then vectors side by side, then matrices."""
    scalars = [(name, number(value)) for name, value in values.items() if not shape_of(value)]
    blocks = [aligned(scalars, right=(1,))] if scalars else []
    lengths = dict.fromkeys(shape_of(value)[0] for value in values.values() if len(shape_of(value)) == 1)
    for length in lengths:
        vectors = {name: value for name, value in values.items() if shape_of(value) == (length,)}
        blocks.append(vector_table(vectors, training))
    for name, value in values.items():
        if len(shape_of(value)) > 1:
            blocks.append(matrix_table(name, value, training))
    return "\n\n".join("\n".join(block) for block in blocks)


def shape_of(value: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = getattr(value, "shape", ())
    return shape


def number(value: Any) -> str:
    """A count as it is, another number with four digits behind the point."""
    return str(int(value)) if isinstance(value, (bool, int)) else f"{value:.4f}"


def classes_of(training: Training, count: int) -> list[str]:
    """`0 shirt`, `1 trouser`, … by the class names of the data, where there are as many; else the numbers alone."""
    names = next((source.classes for source in training.data if len(source.classes) == count), ("",) * count)
    width = len(str(count - 1))
    return [f"{at:>{width}} {name}".rstrip() for at, name in enumerate(names)]


def vector_table(vectors: Mapping[str, Any], training: Training) -> list[str]:
    """Vectors of equal length, a column for each."""
    labels = classes_of(training, shape_of(next(iter(vectors.values())))[0])
    title = "class" if any(comes_from(training, name, OF_CLASSES) for name in vectors) else ""
    columns = [[number(item) for item in value.tolist()] for value in vectors.values()]
    return aligned([(title, *vectors), *zip(labels, *columns, strict=True)], right=range(1, len(vectors) + 1))


def matrix_table(name: str, value: Any, training: Training) -> list[str]:
    """A matrix under its name, a dot where it is 0; what has more axes or columns is named only."""
    shape = shape_of(value)
    if len(shape) > 2 or shape[1] > MOST_COLUMNS:
        return [f"{name}  [{', '.join(map(str, shape))}], which --json prints"]
    head = f"{name} ({CONFUSIONS})" if comes_from(training, name, CONFUSING) else name
    width = len(str(shape[1] - 1))
    rows = [
        (label, *(number(item) if item else "." for item in row))
        for label, row in zip(classes_of(training, shape[0]), value.tolist(), strict=True)
    ]
    table = [("", *(f"{at:>{width}}" for at in range(shape[1]))), *rows]
    return [head, *(f"  {line}".rstrip() for line in aligned(table, right=range(1, shape[1] + 1)))]


def comes_from(training: Training, name: str, operators: frozenset[str]) -> bool:
    """Whether a metric is computed from what one of the operators gives, by values that have axes."""
    graph = training.evaluate
    makers = {id: node for node in graph.nodes for id in node.outputs}
    waiting, seen = [graph.output(f"metric.{name}")], set[int]()
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.outputs[0] in seen:
            continue
        if node.op in operators:
            return True
        seen.add(node.outputs[0])
        waiting += [id for id in node.inputs if graph.types[id].rank]
    return False
