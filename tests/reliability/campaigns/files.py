"""Campaign `files`: data files, pictures and weights with changed bytes."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from tests.reliability.campaign import Campaign, Tally

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where a file costs no disk


def run(case: int, tally: Tally) -> None:
    from dslc.diagnostics import DslcError
    from dslc.elaborate.headers import Bad, Unknown
    from tests.reliability.hostile.mutated import changed, subjects

    draw = random.Random(case)
    subject = draw.choice(subjects())
    tally.note("kinds of files", subject.name)
    with tempfile.TemporaryDirectory(prefix="mutated-", dir=MEMORY) as folder:
        path = Path(folder) / subject.name
        path.write_bytes(changed(draw.choice(subject.seeds), draw))
        for read in subject.readers:
            try:
                read(path)
                tally.count("read")
            except (DslcError, Bad, Unknown) as error:
                assert isinstance(error, (Bad, Unknown)) or subject.name in str(error), f"the message does not name the file: {error}"
                tally.count("refused")


CAMPAIGNS = (
    Campaign(
        name="files",
        title="A data file, a picture or a file of weights with changed bytes is read or refused with its name; nothing else is raised.",
        run=run,
        full=200_000,
        sample=2_000,
        seconds=20,
    ),
)
