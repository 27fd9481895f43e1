"""The table of one message keeps the house rules, and is refused where it breaks one."""

from itertools import product

import pytest

from recloser.outbox.table import (
    FINAL,
    IGNORED,
    SKIPPED,
    TABLE,
    TARGETS,
    BrokenMessageTableError,
    Kind,
    MessageState,
    MessageTrigger,
    Skipped,
    Transition,
    check,
)

S, T, K = MessageState, MessageTrigger, Kind


@pytest.mark.spec("G1.2")
def test_each_kind_of_message_has_one_next_state() -> None:
    for source, trigger, kind in product(S, T, K):
        targets = [
            row.target
            for row in TABLE
            if (row.source, row.trigger) == (source, trigger) and row.guard in (None, kind)
        ]
        found = TARGETS.get((source, trigger, kind))
        assert targets == ([] if found is None else [found])
    assert {(each.source, each.trigger) for each in SKIPPED} == IGNORED
    assert not {(source, trigger) for source, trigger, _ in TARGETS} & IGNORED
    assert {source for source, _, _ in TARGETS} | FINAL == set(S)


def test_the_table_keeps_the_rules() -> None:
    check()
    check(TABLE, SKIPPED)


BROKEN: list[tuple[tuple[Transition, ...], tuple[Skipped, ...], str]] = [
    (
        (*TABLE, Transition(S.OFFERED, T.ADMIT, None, S.DROPPED)),
        SKIPPED,
        "(offered, admit) has two entries for one kind of message",
    ),
    (
        TABLE,
        (*SKIPPED, Skipped(S.OFFERED, T.ADMIT, "of no use")),
        "(offered, admit) has two entries for one kind of message",
    ),
    (
        (*TABLE, Transition(S.HANDED_OVER, T.SENT, K.PLAIN, S.SETTLED)),
        SKIPPED,
        "(handed over, sent) has two entries for one kind of message",
    ),
    (
        tuple(each for each in TABLE if each.guard is not K.PLAIN),
        SKIPPED,
        "(handed over, sent) must have one entry, or one for each kind",
    ),
    (
        (*TABLE, Transition(S.OFFERED, T.ADMIT, K.PLAIN, S.WAITING)),
        SKIPPED,
        "(offered, admit) must have one entry, or one for each kind",
    ),
    (
        (*TABLE, Transition(S.SETTLED, T.OVERDUE, None, S.WAITING)),
        SKIPPED,
        "settled is final, and must not be left",
    ),
    (
        tuple(each for each in TABLE if each.target is not S.WITHDRAWN),
        SKIPPED,
        "nothing leads to withdrawn",
    ),
    (
        tuple(
            each for each in TABLE if each.source is not S.ON_THE_WIRE or each.trigger is T.RETURN
        ),
        tuple(each for each in SKIPPED if each.source is not S.ON_THE_WIRE),
        "",
    ),
    (
        tuple(each for each in TABLE if each.source is not S.ON_THE_WIRE),
        tuple(each for each in SKIPPED if each.source is not S.ON_THE_WIRE),
        "on the wire leads to no final state",
    ),
]


@pytest.mark.parametrize(("table", "skipped", "said"), BROKEN)
def test_a_table_that_breaks_a_rule_is_refused(
    table: tuple[Transition, ...], skipped: tuple[Skipped, ...], said: str
) -> None:
    if not said:  # a longer way is a way
        check(table, skipped)
        return
    with pytest.raises(BrokenMessageTableError) as raised:
        check(table, skipped)
    assert str(raised.value) == said
