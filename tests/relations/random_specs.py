"""The table of relations that hold of random specs, numbered as the metamorphic relations of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np

from tests.relations import of_arithmetic, of_sizes, of_text, of_training, of_values
from tests.relations.numeric import Mistrusted
from tests.relations.subject import Subject, accepted
from tests.soundness.specs import make_spec

Relation = Callable[[Subject, Random], bool]  # whether it says something of this spec; raises where it does not hold
OF_SPECS: dict[str, Relation] = {
    "1 formatted": of_text.formatted,
    "1 graph text": of_text.graph_text,
    "2 other names": of_text.other_names,
    "2 shadowed operators": of_text.shadowed_operators,
    "2 other layout": of_text.other_layout,
    "2 other order": of_text.other_order,
    "3 imported blocks": of_text.imported_blocks,
    "3 inlined blocks": of_text.inlined_blocks,
    "4 any passes": of_values.any_passes,
    "5 identity inserted": of_values.identity_inserted,
    "6 dead code": of_text.dead_code,
    "6 output added": of_values.output_added,
    "9 samples alone": of_values.samples_alone,
    "12 loss scaled": of_values.loss_scaled,
    "13 losses added": of_values.losses_added,
    "14 no rate": of_training.no_rate,
    "15 frozen weights": of_training.frozen_weights,
    "16 parts accumulated": of_values.parts_accumulated,
    "17 saved and loaded": of_training.saved_and_loaded,
    "19 exported twice": of_training.exported_twice,
    "20 counts": of_sizes.counts,
    "21 shapes": of_sizes.shapes,
    "22 one step": of_sizes.one_step,
}
OF_SEEDS: dict[str, Callable[[Random], None]] = {
    "7 convolutions": of_arithmetic.convolutions,
    "8 channels permuted": of_arithmetic.channels_permuted,
    "10 softmax shifted": of_arithmetic.softmax_shifted,
    "11 batch norm folded": of_arithmetic.batch_norm_folded,
}
NAMES = (*OF_SPECS, *OF_SEEDS)


@dataclass(frozen=True)
class Case:
    """A relation and a seed."""

    relation: str
    seed: int

    @classmethod
    def numbered(cls, number: int) -> Case:
        return cls(NAMES[number % len(NAMES)], number // len(NAMES))

    def look(self) -> str:
        """The outcome; raises where the relation does not hold.

        "mistrusted": nothing was compared that could differ; "refused": the spec has errors, the same ones under other names and blanks.
        """
        rng = Random(f"{self.relation} {self.seed}")
        try:
            if self.relation in OF_SEEDS:
                OF_SEEDS[self.relation](rng)
                return "passed"
            with TemporaryDirectory() as folder:
                return holds(self.relation, self.seed, Path(folder), rng)
        except Mistrusted:
            return "mistrusted"


def subject_of(seed: int, folder: Path) -> Subject:
    """The random spec of a seed, its data file written."""
    spec = make_spec(seed)
    np.savez(folder / "data.npz", **spec.arrays)
    return Subject(spec.text, folder, spec.arrays, spec.whole)


def holds(relation: str, seed: int, folder: Path, rng: Random) -> str:
    subject = subject_of(seed, folder)
    if accepted(subject.text, folder) is None:
        of_text.refused_alike(subject.text, subject, rng)
        return "refused"
    try:
        return "passed" if OF_SPECS[relation](subject, rng) else "not applicable"
    except Mistrusted:
        raise
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}\n\n{subject.text}") from error
