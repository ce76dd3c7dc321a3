"""Fuel and limits."""

from __future__ import annotations

from dslc.finding import Finding


class TooManyNodes(Finding):
    limit: str
    where: str = ""
    advice: str = ""
    code = "too-many-nodes"
    words = "the network grows beyond {limit} nodes{where}"
    hint = "{advice}"


class TooManySteps(Finding):
    limit: str
    where: str = ""
    advice: str = ""
    code = "too-many-steps"
    words = "the spec needs more than {limit} compile-time steps{where}"
    hint = "{advice}"


class ExpansionTooDeep(Finding):
    limit: str
    chain: str
    code = "expansion-too-deep"
    words = "calls of blocks are nested more than {limit} deep: {chain}"
    hint = "a block that calls itself must stop: use an `if` on a compile-time number"


class TooComplex(Finding):
    code = "too-complex"
    words = "this expression is nested too deeply together with the calls around it"
    hint = "give inner parts names of their own"


class RankTooLarge(Finding):
    rank: str
    limit: str
    code = "rank-too-large"
    words = "a tensor has {rank} axes; {limit} is the most"


class SizeTooLarge(Finding):
    type: str
    limit: str
    code = "size-too-large"
    words = "{type} is larger than {limit}"
