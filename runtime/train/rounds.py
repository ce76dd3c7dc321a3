"""How steps, batches and epochs count: a round runs every step of a training, each turn on the next batch of the data (R19)."""

from __future__ import annotations

from dataclasses import dataclass

from dslc.program import Training


@dataclass(frozen=True)
class Rounds:
    """batches: of one epoch; turns: batches of one round; epochs, limit: what the training sets.

    What the settings, the checkpoints and the logs call a step is one round. Batches follow each other through rounds and epochs without
    a gap.

    >>> rounds = Rounds(batches=5, turns=3, epochs=2, limit=None)
    >>> rounds.total, [step for step in range(1, 5) if rounds.ends_epoch(step)]
    (4, [2, 4])
    """

    batches: int
    turns: int
    epochs: int | None
    limit: int | None

    @property
    def total(self) -> int:
        """All rounds: as many as the epochs need, the last one whole; at most the limit."""
        whole = -(-self.epochs * self.batches // self.turns) if self.epochs else None
        return min((n for n in (whole, self.limit) if n), default=-(-self.batches // self.turns))

    @property
    def all_epochs(self) -> int:
        """The number of epochs, the last one counted even where it is cut short."""
        begun = self.epoch(self.total)
        return min(begun, self.epochs) if self.epochs else begun

    @property
    def per_epoch(self) -> float:
        """Rounds in an epoch."""
        return self.batches / self.turns if self.batches % self.turns else self.batches // self.turns

    def done(self, step: int) -> int:
        """Epochs that are through after `step` rounds."""
        return self.all_epochs if step >= self.total else step * self.turns // self.batches

    def epoch(self, step: int) -> int:
        """The epoch of the last batch of round `step`, from 1."""
        return -(-step * self.turns // self.batches)

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch ends within round `step` (from 1), or the training ends with it."""
        return step == self.total or step * self.turns // self.batches > (step - 1) * self.turns // self.batches


def rounds_of(training: Training, batches: int) -> Rounds:
    return Rounds(batches, sum(step.times for step in training.steps), training.epochs, training.max_steps)
