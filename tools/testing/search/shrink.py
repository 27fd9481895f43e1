"""Makes evidence smaller for as long as it still breaks the law, so that a story is short."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from recloser.fsm.decisions import Phase
from recloser.fsm.record import Cause, Close
from recloser.fsm.timeouts import STABLE
from recloser.testing.evidence.ends import FLASH, HOUR, TAKES
from recloser.testing.evidence.stories import Act, Lose, Question, Story, Wait, story_of

_MOST: Final = 400
"""Tries; a story that is not the shortest is still a story."""
_PLAIN_CLOSE: Final[dict[str, Any]] = {
    "reason": "",
    "advice": None,
    "retry_after": None,
    "spread": None,
    "sent_code": None,
    "unsent": 0,
    "error": None,
    "headers": {},
    "body": "",
}
_PLAIN_CODES: Final = (1000, 1001, 1012, 4000)
"""Well-known codes, the plainest first."""
_PLAIN_WAITS: Final = (1.0, 60.0)
"""Seconds."""
_MIDDLE: Final = 0.5
_PLAIN_CONTEXT: Final[dict[str, Any]] = {
    "last_roll": None,
    "last_delay": None,
    "previous_immediate": False,
    "busy": 0,
    "spread": None,
    "refreshed": False,
    "can_refresh": False,
    "streak": 1,
    "refusals": 0,
    "been_open": False,
    "denied_for": 0.0,
    "engines": 1,
    "outage": None,
    "crowded": False,
    "budget_in": 0.0,
    "roll": _MIDDLE,
    "stable_after": STABLE,
}

Broken = Callable[[Any], bool]


def smallest(question: Question, broken: Broken) -> Question | Story:
    """Return the smallest story or question found that still breaks the law."""
    tries = 0
    improved = True
    while improved and tries < _MOST:
        improved = False
        for candidate in _simpler(question):
            tries += 1
            if candidate != question and broken(candidate):
                question, improved = candidate, True
                break
            if tries >= _MOST:
                break
    story = story_of(question)
    return story if story is not None and broken(story) else question


def _simpler(question: Question) -> Iterator[Question]:
    close, context = question.close, question.context
    for name, plain in _PLAIN_CLOSE.items():
        if getattr(close, name) != plain:
            yield Question(replace(close, **{name: plain}), context)
    yield from (Question(plainer, context) for plainer in _plainer_codes(close))
    usual: dict[str, Any] = {"attempt": 0 if close.intentional else 1, "streak": 1}
    if context.phase is Phase.OPEN:
        # After an hour the failures before are forgotten, so only a first one has lasted.
        up = HOUR if context.attempt <= 1 else FLASH
        usual |= {"uptime": up, "since_dial": up + TAKES, **_PLAIN_CONTEXT}
    else:
        usual |= {"since_dial": TAKES, **_PLAIN_CONTEXT}
    usual["elapsed"] = float(max(context.attempt - 1, 0))
    yield Question(close, context._replace(**{**usual, "roll": context.roll}))
    yield Question(close, context._replace(**usual))
    both: dict[str, Any] = {"attempt": max(context.streak, 1), "streak": max(context.streak, 1)}
    yield Question(close, context._replace(**both))
    for name, plain in usual.items():
        if getattr(context, name) != plain:
            yield Question(close, context._replace(**{name: plain}))
    for name in ("attempt", "streak", "busy", "refusals", "engines"):
        for count in _fewer(getattr(context, name), least=usual.get(name, 0)):
            fewer: dict[str, Any] = {name: count}
            changed = context._replace(**fewer)
            if changed.streak <= max(changed.attempt, 1):
                yield Question(close, changed)


def _fewer(count: int, *, least: int) -> Iterator[int]:
    """Halves first, then ever smaller steps down."""
    step = count - least
    while step > 0:
        yield count - step
        step //= 2


def shorter(story: Story, broken: Broken) -> Story:
    """Return a story with fewer acts and repetitions that still breaks the law."""
    tries = 0
    improved = True
    while improved and tries < _MOST:
        improved = False
        for candidate in _shorter(story):
            tries += 1
            if broken(candidate):
                story, improved = candidate, True
                break
            if tries >= _MOST:
                break
    return story


def _shorter(story: Story) -> Iterator[Story]:
    acts = story.acts
    for at, act in enumerate(acts):
        after = acts[at + 1] if at + 1 < len(acts) else None
        if isinstance(act, Lose) and isinstance(after, Lose) and alike(act, after):
            both = replace(act, times=act.times + after.times)
            yield replace(story, acts=(*acts[:at], both, *acts[at + 2 :]))
        if len(acts) > 1:
            yield replace(story, acts=(*acts[:at], *acts[at + 1 :]))
        for simpler in _simpler_acts(act):
            yield replace(story, acts=(*acts[:at], simpler, *acts[at + 1 :]))
    if story.can_refresh:
        yield replace(story, can_refresh=False)
    if story.roll not in (None, _MIDDLE):
        yield replace(story, roll=_MIDDLE)


def _simpler_acts(act: Act) -> Iterator[Act]:
    match act:
        case Wait(seconds):
            yield from (Wait(each) for each in _PLAIN_WAITS if each < seconds)
        case Lose(close, uptime, count):
            yield from (replace(act, times=times) for times in _fewer(count, least=1))
            for name in ("reason", "retry_after", "spread"):
                plain = _PLAIN_CLOSE[name]
                if getattr(close, name) != plain:
                    yield replace(act, close=replace(close, **{name: plain}))
            yield from (replace(act, close=plainer) for plainer in _plainer_codes(close))
            if uptime not in (None, FLASH):
                yield replace(act, uptime=FLASH)


def _plainer_codes(close: Close) -> Iterator[Close]:
    if close.cause is Cause.CLOSE_FRAME:
        for code in _PLAIN_CODES[: (*_PLAIN_CODES, close.code).index(close.code)]:
            yield replace(close, code=code)


def alike(one: Lose, other: Lose) -> bool:
    """Whether two acts differ in nothing but how often they happen."""
    return (one.close, one.uptime) == (other.close, other.uptime)
