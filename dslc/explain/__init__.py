"""`dslc explain CODE`: one page a diagnostic code, with a spec that has it and one that has not, or a command that shows it.

The pages are Markdown files: a title, sentences, then under `Wrong:` and `Right:` one fenced `nn` example each. Pages of the command
line, of files and of training have a fenced `sh` example instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources

EXAMPLE = re.compile(r"^(Wrong|Right):\n\n```nn\n(.*?)```\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    """`failing` gives the code, `passing` gives nothing; both are empty where the example is a command (it stands in `text`)."""

    code: str
    title: str
    text: str
    failing: str = ""
    passing: str = ""


@cache
def codes() -> list[str]:
    """All codes that have a page, in order."""
    return sorted(
        item.name.removesuffix(".md") for item in resources.files(__package__).joinpath("pages").iterdir() if item.name.endswith(".md")
    )


def page(code: str) -> Page:
    """The page of a code; KeyError with the nearest code if there is none."""
    if code not in codes():
        raise KeyError(f"no page for `{code}`{nearest(code)}")
    content = resources.files(__package__).joinpath("pages", f"{code}.md").read_text(encoding="utf-8")
    title, _, rest = content.partition("\n")
    examples = dict(EXAMPLE.findall(rest))
    return Page(code, title.removeprefix("# "), EXAMPLE.sub("", rest).strip(), examples.get("Wrong", ""), examples.get("Right", ""))


def nearest(code: str) -> str:
    """`: did you mean …?`, or nothing."""
    near = get_close_matches(code, codes(), n=1, cutoff=0.5)
    return f": did you mean `{near[0]}`?" if near else ""
