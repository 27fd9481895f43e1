"""Holds one law against one piece of evidence: a question, a story, a fleet, a storm."""

from collections.abc import Callable
from dataclasses import dataclass

from recloser.fsm.decisions import Policy
from recloser.simulate.scenario import Scenario
from recloser.testing.evidence.fleets import Fleet
from recloser.testing.evidence.interview import DEFAULT_MAX_DELAY, Interview, Unanswered
from recloser.testing.evidence.play import life_of, play
from recloser.testing.evidence.stories import Question, Story
from recloser.testing.laws.law import Law

Evidence = Question | Story | Fleet | Scenario
"""Evidence that can break a law."""

MakePolicy = Callable[[], Policy]

_PATIENT = 1000
"""Number of times that a single question is asked again."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A law, the evidence that broke it, and the fault in one sentence."""

    law: Law
    evidence: Evidence
    problem: str


def problem_of(
    law: Law,
    make_policy: MakePolicy,
    evidence: Evidence,
    *,
    max_delay: float = DEFAULT_MAX_DELAY,
) -> str | None:
    """Return the fault in one sentence; None if the law holds on this evidence.

    A question without a valid answer counts for the law `total` alone.
    """
    try:
        match evidence:
            case Question():
                return _of_questions(law, make_policy, [evidence], max_delay, _PATIENT)
            case Story():
                return _of_story(law, make_policy, evidence, max_delay)
            case Fleet():
                return law.fleet(make_policy(), evidence) if law.fleet is not None else None
            case Scenario():
                return law.storm(make_policy(), evidence) if law.storm is not None else None
    except Unanswered:
        return None


def _of_questions(
    law: Law, make_policy: MakePolicy, questions: list[Question], max_delay: float, patience: int
) -> str | None:
    if law.decision is None:
        return None
    asker = Interview(make_policy, max_delay=max_delay, patience=patience)
    for each in questions:
        try:
            problem = law.decision(asker, each.close, each.context)
        except Unanswered:
            continue
        if problem is not None:
            return problem
    return None


def _of_story(law: Law, make_policy: MakePolicy, story: Story, max_delay: float) -> str | None:
    if law.client is not None:
        return law.client(make_policy(), story)
    policy = make_policy()
    trace = play(policy, story)
    problem = _of_questions(law, make_policy, list(trace.questions), max_delay, 1)
    if problem is None and law.life is not None:
        problem = law.life(life_of(policy, trace))
    return problem
