"""`check_policy`: does a policy keep the laws? A plain function; no test runner is needed."""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from recloser.fsm.decisions import Policy
from recloser.testing.evidence.ends import describe
from recloser.testing.evidence.fleets import Fleet
from recloser.testing.evidence.interview import (
    DEFAULT_MAX_DELAY,
    Interview,
    Unanswered,
    brief,
)
from recloser.testing.evidence.play import play
from recloser.testing.evidence.stories import Call, Invoke, Question, Story
from recloser.testing.laws.groups import choose
from recloser.testing.laws.law import Law
from recloser.testing.search.breach import Breach, Evidence, MakePolicy, problem_of
from recloser.testing.search.effort import QUICK, WHOLE
from recloser.testing.search.search import Progress, Search
from recloser.testing.verdict.narrative import lines_of, lines_of_question, moments_of, path_of
from recloser.testing.verdict.source import policy_source, source_of
from recloser.testing.verdict.verdicts import BrokenLaw, Report, Verdict


def check_policy(
    make_policy: MakePolicy | Policy,
    *,
    laws: Iterable[Law | str] | None = None,
    examples: int | None = None,
    quick: bool = False,
    seed: int = 0,
    max_delay: float = DEFAULT_MAX_DELAY,
    progress: Progress | None = None,
) -> Report:
    """Check that a policy keeps the laws; raises `BrokenLaw`, an `AssertionError`, if it does not.

    make_policy: the policy's class, a function that makes one, or a policy.
    laws: laws, or names of laws; `default`, `optional` and `all` are names of several.
    examples: the number of random examples of each kind besides the exhaustive search; None: 200,
        or 30 where it is to be quick.
    quick: try a sixth of the finite part, with smaller fleets and one outage, in a second or two.
    seed: repeats the same search.
    max_delay: the longest delay in seconds that the law `bounded` allows.
    progress: called with the name of the present step and the share that is done.

    The message of the error is the story of the counterexample, with a test to paste. Raises
    `TypeError` or `ValueError` for bad arguments.
    """
    report = examine(
        make_policy,
        laws=laws,
        examples=examples,
        quick=quick,
        seed=seed,
        max_delay=max_delay,
        progress=progress,
    )
    if not report.sound:
        raise BrokenLaw(report.broken)
    return report


def examine(
    make_policy: MakePolicy | Policy,
    *,
    laws: Iterable[Law | str] | None = None,
    examples: int | None = None,
    quick: bool = False,
    seed: int = 0,
    max_delay: float = DEFAULT_MAX_DELAY,
    progress: Progress | None = None,
    source: tuple[str, str] | None = None,
    processes: int = 1,
) -> Report:
    """Check as `check_policy` does, but return the report also if laws are broken.

    `source` is the import, and the name, by which the tests to paste get at the policy. With
    `processes` above 1 a second process searches a part meanwhile, where a processor is left and
    this process is safe to fork: on Linux, while it has one thread. The report is the same.
    """
    make = maker(make_policy)
    chosen = choose(laws)
    effort = QUICK if quick else WHOLE
    examples = effort.examples if examples is None else examples
    if isinstance(examples, bool) or not isinstance(examples, int) or examples < 0:
        raise ValueError(f"examples must be a whole number of at least 0, not {examples!r}")
    if isinstance(processes, bool) or not isinstance(processes, int) or processes < 1:
        raise ValueError(f"processes must be a whole number of at least 1, not {processes!r}")
    if not max_delay > 0:
        raise ValueError(f"max_delay must be above 0 seconds, not {max_delay!r}")
    search = Search(
        make,
        chosen,
        effort=effort,
        examples=examples,
        seed=seed,
        max_delay=max_delay,
        progress=progress,
        processes=processes,
    )
    search.run()
    home = policy_source(make_policy) if source is None else source
    verdicts = (
        _verdict(search.found[law.name], make, home) if law.name in search.found else Verdict(law)
        for law in chosen
    )
    return Report(tuple(verdicts), search.questions, search.stories, seed)


def assert_law(
    law: Law | str,
    make_policy: MakePolicy | Policy,
    evidence: Evidence,
    *,
    max_delay: float = DEFAULT_MAX_DELAY,
) -> None:
    """Hold one law against one piece of evidence; raises `BrokenLaw` if it breaks the law.

    It is what the tests to paste call.
    """
    make = maker(make_policy)
    for each in choose([law]):
        problem = problem_of(each, make, evidence, max_delay=max_delay)
        if problem is not None:
            breach = Breach(each, evidence, problem)
            raise BrokenLaw((_verdict(breach, make, policy_source(make_policy)),))


def maker(given: MakePolicy | Policy) -> MakePolicy:
    """Return a function that makes the policy; raises `TypeError` if it makes none."""
    if not isinstance(given, type) and callable(getattr(given, "decide", None)):
        return lambda: cast("Policy", given)
    if not callable(given):
        raise TypeError(f"expected a policy, its class or a function that makes one, not {given!r}")
    make = given
    made = make()
    if not callable(getattr(made, "decide", None)):
        raise TypeError(f"{given!r} makes {made!r}, which has no decide(close, context)")
    return make


def _verdict(breach: Breach, make: MakePolicy, home: tuple[str, str]) -> Verdict:
    law, evidence = breach.law, breach.evidence
    path = ""
    moments: tuple[dict[str, object], ...] = ()
    match evidence:
        case Story():
            # The real client is closed at the end of every story.
            close = (Invoke(Call.CLOSE),) if law.client is not None else ()
            trace = play(make(), replace(evidence, acts=(*evidence.acts, *close)))
            lines, path, moments = lines_of(trace), path_of(trace), moments_of(trace)
        case Question(close, context):
            lines = lines_of_question(close, context, _answer(make, evidence))
        case Fleet():
            lines = [
                f"  1. {evidence.engines} engines {_past(evidence)}",
                f"  2. at one moment, for all of them: {describe(evidence.parting)}",
                f"  3. each dial after that: {describe(evidence.dials)}",
                f"  4. {breach.problem}",
            ]
        case _:
            lines = [
                f"  1. {evidence.engines} engines lose their server (code {evidence.close})",
                f"  2. for {evidence.outage:g} s it is away ({evidence.down.value} for each dial)",
                f"  3. then it takes {evidence.capacity:g} dials per second and refuses the rest",
                f"  4. {breach.problem}",
            ]
    test = source_of(law.name, home, evidence)
    return Verdict(law, breach.problem, "\n".join(lines), path, moments, test)


def _past(fleet: Fleet) -> str:
    if not fleet.before:
        return "have been open for an hour"
    return f"have dialled {fleet.before} times in vain, and a proxy holds the next dial of each"


def _answer(make: MakePolicy, question: Question) -> str:
    try:
        return brief(Interview(make)(question.close, question.context))
    except Unanswered as error:
        return str(error)
