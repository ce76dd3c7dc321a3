"""`train`: settings, data, steps and rules; one graph for each step, one for evaluation, one for prediction (R15-R20)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dslc.diagnostics import SpecError
from dslc.elaborate import apply, data, errors, names, reach, settings
from dslc.elaborate.calls import Given
from dslc.elaborate.evaluation import evaluate, run_body
from dslc.elaborate.files import FileScope
from dslc.elaborate.frame import Frame
from dslc.elaborate.graphs import pruned
from dslc.elaborate.match import matches
from dslc.elaborate.networks import made_alike
from dslc.elaborate.overrides import COUNTED, OF_STEP, WORDS
from dslc.elaborate.params import Given as Overrides
from dslc.elaborate.scope import Scope
from dslc.elaborate.session import GRAPH, LETTERS, Session
from dslc.elaborate.settings import Settings
from dslc.elaborate.suggest import listed, meant, nearest
from dslc.elaborate.tape import Tape
from dslc.elaborate.values import POISON, Binding, DataValue, NetworkDecl, NetworkValue, Poison, Value, is_poison, words_of
from dslc.elaborate.walk import nodes
from dslc.elaborate.weights import initial
from dslc.ops.value import Builder, Val
from dslc.program import Call, Init, ParamValue, Rule, State, StepProgram, Training, Weight
from dslc.source import Span
from dslc.syntax import ast

RULE_VALUES: dict[str, Callable[[Frame, ast.Setting], Any]] = {
    "frozen": settings.flag,
    "rate": settings.number,
    "weight_decay": settings.number,
    "init": lambda frame, node: initial(frame, node.value),
    "constraint": settings.word,
}
DEFAULTS = {"batch_size": 32, "epochs": 1}
CONSTANT = Call(name="constant", args={"warmup": 0.0})


@dataclass(eq=False)
class Term:
    """A loss or metric: its name, value and place."""

    name: str
    value: Val
    span: Span


@dataclass(eq=False)
class StepBody:
    """One `step` as it stands in the text."""

    node: ast.Step | None
    name: str
    settings: Settings
    losses: list[Term] = field(default_factory=list)
    metrics: list[Term] = field(default_factory=list)
    trains: list[tuple[str, Span]] | None = None


@dataclass(eq=False)
class TrainBody:
    """One run over a train body. `only`: the step whose body runs ("" for all of them, as in evaluation)."""

    node: ast.Train
    only: ast.Step | None
    all_steps: bool
    settings: Settings = field(default_factory=lambda: Settings("train"))
    steps: dict[int, StepBody] = field(default_factory=dict)
    losses: list[Term] = field(default_factory=list)
    metrics: list[Term] = field(default_factory=list)
    data: dict[str, DataValue] = field(default_factory=dict)
    calls: list[tuple[NetworkValue, Mapping[str, tuple[Value, Given]]]] = field(default_factory=list)
    rules: list[tuple[ast.Rule, dict[str, Any]]] = field(default_factory=list)
    starts: dict[str, Val] = field(default_factory=dict)
    current: StepBody | None = None
    unknown_data: str = ""  # whose file is not there

    # -- statements

    def source(self, frame: Frame, name: ast.Name, value: ast.Expr) -> bool:
        """`data = dataset(…)`: True if the assignment was one of a data source."""
        if not data.is_source(frame, value):
            return False
        assert isinstance(value, ast.Call)
        found = data.data_value(frame, name.id, value, name.span)
        if isinstance(found, DataValue):
            self.data[name.id] = found
            self.unknown_data = self.unknown_data or (name.id if found.types is None else "")
        frame.scope.assign(name.id, Binding(found, name.span, "data"))
        return True

    def called(self, frame: Frame, value: NetworkValue, given: Mapping[str, tuple[Value, Given]]) -> None:
        self.calls.append((value, given))

    def setting(self, frame: Frame, node: ast.Setting) -> None:
        body = self.current
        place = self.settings if body is None else body.settings
        key = node.key.id
        if not place.claim(frame, node, metric_name(node.value) if key == "metric" else ""):
            return
        if key in ("loss", "metric"):
            self.term(frame, node, body)
        elif key == "trains" and body is not None:
            body.trains = trained(frame, node.value)
        elif key in settings.COUNTS:
            place.values[key] = settings.count(frame, node)
        elif key == "ema":
            place.values[key] = settings.between(frame, node)
        else:
            place.values[key] = settings.word(frame, node)

    def term(self, frame: Frame, node: ast.Setting, body: StepBody | None) -> None:
        """`loss: e` is one number; `metric: e` has no axis `batch` left."""
        value = evaluate(frame, node.value)
        key = node.key.id
        if not isinstance(value, Val):
            if not isinstance(value, Poison):
                found = words_of(value)
                frame.report(errors.SettingValue(span=node.value.span, name=key, wanted="a tensor", found=found))
            return
        name = node.name.id if node.name is not None else ""
        if key == "metric":
            name = name or metric_name(node.value)
            if "batch" in value.type.names:
                frame.report(errors.MetricBatch(span=node.value.span, name=name, type=str(value.type)))
                return
            if value.type.names:
                wanted = "a number, or a tensor of fixed sizes"
                frame.report(errors.SettingValue(span=node.value.span, name=key, wanted=wanted, found=f"{value.type}"))
                return
        elif value.type.rank or not value.type.dtype.is_float:
            frame.report(errors.LossShape(span=node.value.span, type=str(value.type)))
            return
        owner: Any = self if body is None else body
        (owner.losses if key == "loss" else owner.metrics).append(Term(name, value, node.value.span))

    def step(self, frame: Frame, node: ast.Step) -> None:
        if any(other.name == node.name.id and other.node is not node for other in self.steps.values()):
            frame.report(errors.DuplicateName(span=node.name.span, name=node.name.id, what="a step"))
        body = self.steps.setdefault(id(node), StepBody(node, node.name.id, Settings("step")))
        if self.all_steps or node is self.only:
            self.current = body
            run_body(frame.inside(), node.body)
            self.current = None

    def rule(self, frame: Frame, node: ast.Rule) -> None:
        """`rule "pattern" { frozen: true }`."""
        place = Settings("rule")
        found: dict[str, Any] = {}
        for statement in node.body.statements:
            if isinstance(statement, ast.Setting) and place.claim(frame, statement):
                value = RULE_VALUES[statement.key.id](frame, statement)
                if value is not None and not isinstance(value, Poison):
                    found[statement.key.id] = value
        self.rules.append((node, found))


def trained(frame: Frame, node: ast.Expr) -> list[tuple[str, Span]] | None:
    """`trains: Critic`, `trains: "Critic.conv*"`, or a list of them, as patterns with their places; None (reported) for anything else."""
    items = node.items if isinstance(node, ast.List) else (node,)
    found: list[tuple[str, Span]] = []
    for item in items:
        if isinstance(item, ast.String):
            found.append((item.value, item.span))
            continue
        binding = frame.file.find(item.id) if isinstance(item, ast.Name) else None
        if isinstance(item, ast.Name) and binding is not None and isinstance(binding.value, NetworkDecl):
            found.append((item.id, item.span))
        elif isinstance(item, ast.Name) and is_poison(names.value(frame, item)):
            return None
        else:
            frame.report(errors.SettingValue(span=item.span, name="trains", wanted="networks or patterns in quotes", found="this"))
            return None
    return found


def metric_name(node: ast.Expr) -> str:
    """A metric without a name is called by its operator."""
    if isinstance(node, ast.Paren):
        return metric_name(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id
    return node.stages[-1].path[-1].id if isinstance(node, ast.Pipe) else "metric"


# ---- the whole training ------------------------------------------------------------------------------------------------------------


class TrainElaborator:
    """One `train` of the root file."""

    def __init__(self, session: Session, file: FileScope, node: ast.Train, overrides: Overrides) -> None:
        self.session = session
        self.file = file
        self.node = node
        self.overrides = overrides
        self.name = node.name.id if node.name is not None else "train"
        self.span = node.name.span if node.name is not None else head(node)
        self.unread = ""

    def frame(self, tape: Tape, body: TrainBody, frozen: frozenset[str] = frozenset()) -> Frame:
        return Frame(
            session=self.session, file=self.file, tape=tape, scope=Scope(), kind="train", name=self.name, address=self.name,
            training=tape.training, numbers=self.session.library.numbers(self.node.body), body=body, frozen=frozen,
        )  # fmt: skip

    def run(self, training: bool, only: ast.Step | None, all_steps: bool, frozen: frozenset[str]) -> tuple[Frame, TrainBody]:
        body = TrainBody(self.node, only, all_steps)
        frame = self.frame(Tape(Builder(self.name), training), body, frozen)
        run_body(frame, self.node.body)
        self.session.step(self.span, GRAPH * len(frame.tape.builder.nodes))
        self.set_words(body)
        self.shows_batch(frame, body)
        return frame, body

    def set_words(self, body: TrainBody) -> None:
        """Settings from outside that are no numbers of the training stand in place of those in the text."""
        places = {"": body.settings} | {step.name: step.settings for step in body.steps.values()}
        for key, setting in self.overrides.items():
            step, _, last = key.rpartition(".")
            if (step or last in WORDS) and step in places and not isinstance(setting.value, Poison):
                places[step].values[last] = setting.value

    def shows_batch(self, frame: Frame, body: TrainBody) -> None:
        """A graph that reads no data (a generator's step) knows the size of its batch from a field, which stays where nothing else does."""
        for item in body.data.values():
            name = next((name for name, type in (item.types or {}).items() if "batch" in type.names), None)
            if name is not None and item.types is not None:
                frame.tape.input("data", f"{item.source.variable}.{name}", item.types[name], item.span.place)
                return

    def elaborate(self) -> tuple[Training | None, tuple[ParamValue, ...]]:
        """The training, or None where something failed or the schema of its data is not known."""
        before = self.errors
        frame, body = self.run(False, None, True, frozenset())
        broken = any(isinstance(node, ast.Error) for node in nodes((self.node.body,)))
        if not broken:  # else what is missing may be what was not understood
            self.required(frame, body, before)
        values, shown = self.counts(frame, body)
        rules = self.rules(frame, body)
        frozen = frozenset(self.frozen(frame, rules))
        self.unread = body.unknown_data
        if self.errors != before or body.unknown_data or broken:
            return None, shown
        steps = self.steps(frame, body, rules, frozen)
        if self.errors != before or steps is None or not all_terms(body)[0]:  # a loss may fail where its network did
            return None, shown
        training = self.finished(frame, body, values, rules, steps)
        return (training if self.joined(frame, body, training) else None), shown

    @property
    def errors(self) -> int:
        return self.session.sink.error_count + self.session.sink.dropped

    # -- settings

    def required(self, frame: Frame, body: TrainBody, before: int) -> None:
        """Each step has a loss and an optimizer; something is called."""
        examples = {"loss": "loss: cross_entropy(net.logits, data.label)", "optimizer": "optimizer: sgd(0.1)"}
        steps = list(body.steps.values())
        for key, example in examples.items():
            set_outside = key in self.overrides
            if (
                not steps
                and not set_outside
                and key not in body.settings.missed
                and not any(name == key for name, _ in body.settings.spans)
            ):
                frame.report(errors.MissingSetting(span=self.span, name=key, place=f"`{self.name}`", example=example))
            for step in steps:
                here = key in step.settings.missed or any(name == key for name, _ in step.settings.spans)
                around = key == "optimizer" and (set_outside or ("optimizer", "") in body.settings.spans)
                if not here and not around and step.node is not None:
                    frame.report(
                        errors.MissingSetting(span=step.node.name.span, name=key, place=f"the step `{step.name}`", example=example)
                    )
        if steps:
            for (key, _), span in body.settings.spans.items():
                if key == "loss":
                    frame.report(errors.StepPlace(span=span, name=key))
                if key in OF_STEP and all((key, "") in step.settings.spans for step in steps):
                    frame.report(errors.UnusedSetting(span=span, name=key))
        failed = any(binding.value is POISON for binding in frame.scope.names.values())
        if not (body.calls or body.unknown_data or failed) and self.errors == before:
            frame.report(errors.NoNetwork(span=self.span, place=f"`{self.name}`"))

    def counts(self, frame: Frame, body: TrainBody) -> tuple[dict[str, Any], tuple[ParamValue, ...]]:
        """The numbers of the training, each with where it came from; then what else was set from outside, as it was written there."""
        values: dict[str, Any] = {}
        shown: list[ParamValue] = []
        for key in COUNTED:
            value, origin = settings.overridden(key, self.overrides, body.settings.values.get(key))
            if value is None and key in DEFAULTS and not (key == "epochs" and values_of(body, self.overrides, "steps")):
                value, origin = DEFAULTS[key], "default"
            values[key] = value
            if value is not None:
                kind = "float" if isinstance(value, float) else "int"
                shown.append(self.shown(body.settings, key, kind, value, origin))
        places = {step.name: step.settings for step in body.steps.values()}
        for key, setting in self.overrides.items():
            if key not in COUNTED or setting.value is None:
                text = "none" if setting.value is None else str(setting.value) if setting.span is None else setting.span.text
                shown.append(self.shown(places.get(key.rpartition(".")[0], body.settings), key, "text", text, setting.origin))
        return values, tuple(shown)

    def shown(self, place: Settings, key: str, kind: str, value: Any, origin: str) -> ParamValue:
        span = place.spans.get((key.rpartition(".")[2], ""))
        return ParamValue(name=f"{self.name}.{key}", type=kind, value=value, origin=origin, place=span.place if span is not None else "")

    # -- rules and steps

    def networks(self, frame: Frame) -> tuple[str, ...]:
        """The networks of the weights in a graph, in order of their first call."""
        body: TrainBody = frame.body
        return tuple(dict.fromkeys(value.name for value, _ in body.calls))

    def rules(self, frame: Frame, body: TrainBody) -> tuple[Rule, ...]:
        found = []
        addresses = [*frame.tape.weights, *frame.tape.states]
        networks = self.networks(frame)
        letters = sum(map(len, addresses))
        for node, values in body.rules:
            self.session.work(node.span, letters * (1 + node.pattern.value.count("*")), LETTERS)
            hit = tuple(address for address in addresses if matches(node.pattern.value, address, networks))
            if not hit and body.calls:
                near = nearest(node.pattern.value, [a.removeprefix(f"{networks[0]}.") for a in addresses])
                frame.report(errors.NoMatch(span=node.pattern.span, pattern=node.pattern.value, meant=meant(near)))
            if hit and frame.tape.weights.keys().isdisjoint(hit):
                states_only(frame, node, hit)
            found.append(Rule(pattern=node.pattern.value, settings=values, matches=hit, place=node.span.place))
        return tuple(found)

    def frozen(self, frame: Frame, rules: tuple[Rule, ...]) -> list[str]:
        """Weights and states that do not move; later rules win."""
        state: dict[str, bool] = {}
        for rule in rules:
            if "frozen" in rule.settings:
                state |= dict.fromkeys(rule.matches, bool(rule.settings["frozen"]))
        return [address for address, frozen in state.items() if frozen]

    def initialised(self, weights: Mapping[str, Weight], rules: tuple[Rule, ...]) -> dict[str, Weight]:
        """The weights with the initialisers that rules give them; later rules win."""
        found = dict(weights)
        for rule in rules:
            init = rule.settings.get("init")
            if isinstance(init, Init):
                found |= {name: found[name].model_copy(update={"init": init}) for name in rule.matches if name in found}
        return found

    def steps(self, frame: Frame, body: TrainBody, rules: tuple[Rule, ...], frozen: frozenset[str]) -> list[StepProgram] | None:
        optimizer = body.settings.values.get("optimizer")
        found: list[StepProgram] = []
        aims: dict[str, Span] = {}  # weights that some step means to train, and their places
        for node in [step.node for step in body.steps.values()] or [None]:
            inner, run = self.run(True, node, False, frozen)
            self.phases_agree(frame, inner)
            own = run.steps[id(node)] if node is not None else None
            step_optimizer = (own.settings.values.get("optimizer") if own is not None else None) or optimizer
            losses = own.losses if own is not None else run.losses
            if not isinstance(step_optimizer, Call) or not losses:
                return None
            before = self.errors
            wanted = self.trains(inner, own, frozen)
            if self.errors != before:
                continue
            trains = reach.reached(inner, [term.value for term in losses], wanted)
            if inner.tape.weights and not trains:
                place = f"the step `{own.name}`" if own is not None else f"`{self.name}`"
                reason = "no gradient of its loss comes to a weight" if wanted else "it has no weight that is not frozen"
                inner.report(errors.NothingToTrain(span=losses[0].span, place=place, reason=reason))
                continue
            aims |= {address: inner.tape.spans[address] for address in wanted}
            values = own.settings.values if own is not None else {}
            clip = values.get("clip") or body.settings.values.get("clip")
            metrics = own.metrics if own is not None else run.metrics
            name = own.name if own is not None else "step"
            graph = pruned(inner.tape, name, outputs(inner, losses, metrics), self.updates(inner, trains, frozen), keep=trains)
            found.append(
                StepProgram(
                    name=name, graph=graph, trains=trains, losses=tuple(t.name for t in losses),
                    optimizer=step_optimizer, times=values.get("times") or 1, clip=clip, schedule=values.get("schedule"),
                )
            )  # fmt: skip
        moving = {address for step in found for address in step.trains}
        reach.warn(self.session, {address: span for address, span in aims.items() if address not in moving})
        return found

    def phases_agree(self, frame: Frame, inner: Frame) -> None:
        """What only the training has (`if training`) belongs to the program too; what both have is the same (R13)."""
        known, more = frame.tape, inner.tape
        made_alike(self.session, self.span, "weight", known.weights, more.weights)
        made_alike(self.session, self.span, "state", known.states, more.states)
        known.weights |= {address: item for address, item in more.weights.items() if address not in known.weights}
        known.states |= {address: item for address, item in more.states.items() if address not in known.states}

    def trains(self, frame: Frame, step: StepBody | None, frozen: frozenset[str]) -> tuple[str, ...]:
        """Addresses of the weights that a step trains."""
        every = [address for address in frame.tape.weights if address not in frozen]
        if step is None or step.trains is None:
            return tuple(every)
        networks = self.networks(frame)
        chosen: set[str] = set()
        for pattern, span in step.trains:
            hit = {address for address in every if matches(pattern, address, networks)}
            if not hit:
                near = nearest(pattern, networks)
                frame.report(errors.NoMatch(span=span, pattern=pattern, meant=meant(near)))
            chosen |= hit
        return tuple(address for address in every if address in chosen)

    def updates(self, frame: Frame, trains: tuple[str, ...], frozen: frozenset[str]) -> dict[str, Val]:
        """State updates: those of the training itself, and of trained networks (R19, R20)."""
        moving = {address.split(".")[0] for address in trains}
        found: dict[str, Val] = {}
        for address, (value, _) in frame.tape.updates.items():
            own = frame.tape.states[address].scope == "train"
            if own or (address.split(".")[0] in moving and address not in frozen):
                found[address] = value
        return found

    # -- the result

    def joined(self, frame: Frame, body: TrainBody, training: Training) -> bool:
        """Losses and metrics can be computed over a whole split, batch by batch (R16)."""
        if self.session.signature_only:
            return True
        from dslc.passes.accumulate import accumulate

        losses, metrics = all_terms(body)
        spans = {"loss": losses[0].span} | {f"loss.{term.name}": term.span for term in losses}
        spans |= {f"metric.{term.name}": term.span for term in metrics}
        try:
            accumulate(training.evaluate)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                frame.report(replace(diagnostic, span=spans.get(getattr(diagnostic, "name", ""), self.span)))
            return False
        return True

    def finished(
        self, frame: Frame, body: TrainBody, values: dict[str, Any], rules: tuple[Rule, ...], steps: list[StepProgram]
    ) -> Training:  # fmt: skip
        losses, metrics = all_terms(body)
        first, given = body.calls[0]
        own = {key: update for key, (update, _) in frame.tape.updates.items() if frame.tape.states[key].scope == "train"}
        evaluate_graph = pruned(frame.tape, "evaluate", outputs(frame, losses, metrics), own)
        results = {name: value for name in first.outputs if isinstance(value := first.names[name], Val)}
        states: dict[str, State] = dict(frame.tape.states)
        weights = self.initialised(frame.tape.weights, rules)
        return Training(
            name=self.name, networks=self.networks(frame), data=tuple(item.source for item in body.data.values()), steps=tuple(steps),
            evaluate=evaluate_graph, predict=pruned(frame.tape, "predict", results, {}),
            contract={name: argument.text for name, (_, argument) in given.items()},
            metrics=tuple(term.name for term in metrics), weights=tuple(weights.values()), states=tuple(states.values()),
            schedule=body.settings.values.get("schedule") or CONSTANT, clip=body.settings.values.get("clip"),
            batch_size=values["batch_size"] or 1, epochs=values["epochs"], max_steps=values["steps"],
            accumulate=values["accumulate"] or 1, ema=values["ema"],
            start=body.settings.values.get("start"), rules=rules, place=self.span.place,
        )  # fmt: skip


def states_only(frame: Frame, node: ast.Rule, hit: tuple[str, ...]) -> None:
    """A rule that matches states only can freeze them; every other setting of it would be ignored."""
    for statement in node.body.statements:
        if isinstance(statement, ast.Setting) and statement.key.id in RULE_VALUES and statement.key.id != "frozen":
            name, pattern = statement.key.id, node.pattern.value
            frame.report(errors.RuleStates(span=statement.key.span, pattern=pattern, name=name, states=listed(hit, 3)))


def values_of(body: TrainBody, overrides: Overrides, key: str) -> bool:
    """Whether a count is given anywhere; `none` from outside takes it away."""
    if key in overrides:
        return overrides[key].value is not None
    return body.settings.values.get(key) is not None


def head(node: ast.Train) -> Span:
    """The keyword `train`."""
    return Span(node.span.source, node.span.start, node.span.start + len("train"))


def all_terms(body: TrainBody) -> tuple[list[Term], list[Term]]:
    """Losses and metrics of the body and of all its steps, the latter by the step's name."""
    losses, metrics = list(body.losses), list(body.metrics)
    for step in body.steps.values():
        losses += [Term(f"{step.name}.{term.name}" if term.name else step.name, term.value, term.span) for term in step.losses]
        metrics += [Term(f"{step.name}.{term.name}", term.value, term.span) for term in step.metrics]
    return losses, metrics


def outputs(frame: Frame, losses: list[Term], metrics: list[Term]) -> dict[str, Val]:
    """`loss` (the sum), `loss.NAME` and `metric.NAME`."""
    found: dict[str, Val] = {}
    total: Value = losses[0].value if losses else None
    for term in losses[1:]:
        total = apply.emit(frame, "add", (total, term.value), {}, term.span)
    if isinstance(total, Val):
        found["loss"] = total
    found |= {f"loss.{term.name}": term.value for term in losses if term.name}
    return found | {f"metric.{term.name}": term.value for term in metrics}
