"""Every shipped training as machine code: what of it has no native form is listed here."""

from __future__ import annotations

import pytest

import dslc
from dslc.loading import specs_folder
from dslc.passes.pipeline import optimize
from runtime.loops.lower import lower
from runtime.onestep import graphs_of

IN_EVALUATION = {"wide_deep": ["roc_auc"]}
"""Rows that run as NumPy's `eval` between two native functions."""
SPECS = sorted(path.stem for path in specs_folder().glob("*.nn"))


@pytest.mark.parametrize("name", SPECS)
def test_a_training_is_machine_code(name: str) -> None:
    for training in dslc.load(name).program.trainings.values():
        for step in training.steps:
            assert not lower(graphs_of(step)[1], whole=False).foreign
        assert [step.name for step in lower(optimize(training.evaluate), whole=False).foreign] == IN_EVALUATION.get(name, [])
