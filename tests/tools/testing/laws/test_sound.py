"""Sound policies keep every law: what is shipped, and simple ones of somebody's own."""

from dataclasses import replace
from functools import partial

import pytest

from recloser import Close, Context, Hold, Retry, Stop, policies
from recloser.fsm import Decision
from recloser.policies import hold, limit, services
from recloser.testing import check_policy
from recloser.testing.laws.groups import choose


class OfficeHours:
    """The one of the README."""

    def decide(self, close: Close, context: Context) -> Retry | Hold | Stop:
        if close.intentional or close.status in (401, 403):
            return Stop(rule="final")
        if close.code == 4000:
            return Hold(rule="night")
        return Retry(1.0 + 4.0 * context.roll, rule="soon")


class FullJitter:
    """As AWS published it: with a low roll it is quick, and that is no loop."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop()
        return Retry(min(60.0, 2.0 ** min(context.attempt - 1, 10)) * context.roll)


class NeverAgain:
    """Ends whenever anything ends: odd, and nobody is harmed."""

    def decide(self, close: Close, context: Context) -> Decision:
        return Stop()


class Refreshing:
    """Asks for a token once, and believes the second refusal."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop()
        if close.status == 401 or "token expired" in close.reason.lower():
            if context.can_refresh and not context.refreshed:
                return Retry(0.0, refresh=True)
            return Stop()
        return Retry(min(30.0, 1.5 ** min(context.attempt, 12)) * (0.5 + context.roll / 2))


def decorrelated(base: float, cap: float, factor: float = 3.0) -> type:
    """Decorrelated jitter with a cap, as AWS published it: many delays are exactly the cap."""

    class Decorrelated:
        def decide(self, close: Close, context: Context) -> Decision:
            if close.intentional:
                return Stop()
            last = context.last_delay or base
            return Retry(min(cap, base + context.roll * (factor * last - base)))

    return Decorrelated


class RandomExponential:
    """As tenacity's wait_random_exponential: full jitter with a floor."""

    def decide(self, close: Close, context: Context) -> Decision:
        if close.intentional:
            return Stop()
        return Retry(0.5 + context.roll * min(120.0, 2.0 ** min(context.attempt, 20)))


MEETING_THE_CAP = {
    "tenacity": RandomExponential,
    **{
        f"{base:g} to {cap:g} by {factor:g}": decorrelated(base, cap, factor)
        for base, cap, factor in (
            (1.0, 60.0, 3.0),
            (0.5, 20.0, 3.0),
            (1.0, 300.0, 3.0),
            (2.0, 30.0, 3.0),
            (1.0, 60.0, 2.0),
        )
    },
}


@pytest.mark.spec("K1.2")
@pytest.mark.parametrize("name", MEETING_THE_CAP)
def test_jitter_that_meets_its_cap_now_and_then_brings_no_fleet_together(name: str) -> None:
    laws = [replace(law, decision=None, life=None) for law in choose(["spreads-a-fleet"])]
    assert check_policy(MEETING_THE_CAP[name], laws=laws, examples=0).sound


@pytest.mark.slow
@pytest.mark.spec("K1.2")
@pytest.mark.parametrize("name", MEETING_THE_CAP)
def test_jitter_that_meets_its_cap_keeps_all(name: str) -> None:
    assert check_policy(MEETING_THE_CAP[name]).sound


CLAIMED = [
    "strict-gaps",
    "honours-retry-after",
    "spreads-retry-after",
    "refusals-end",
    "peer-normal-returns",
    "never-gives-up",
    "names-its-rule",
]


@pytest.mark.spec("K1.2", "B13", "D3.1", "D4.4", "B10")
def test_the_standard_policy_keeps_all_and_the_optional_laws_that_it_claims() -> None:
    report = check_policy(policies.standard, laws=["default", *CLAIMED])
    assert report.sound
    assert report.questions > 250_000


def patient() -> policies.RulePolicy:
    return limit(policies.standard(), attempts=30, then=hold())


@pytest.mark.spec("K1.2")
def test_to_rest_and_never_to_give_up_do_not_contradict_each_other() -> None:
    laws = ["comes-to-rest", "never-gives-up"]
    assert check_policy(patient, laws=laws, examples=20).sound


@pytest.mark.slow
@pytest.mark.spec("K1.2")
def test_one_policy_keeps_all_laws() -> None:
    assert check_policy(patient, laws=["all"]).sound


@pytest.mark.slow
@pytest.mark.parametrize("make", [policies.basic, OfficeHours, FullJitter, NeverAgain, Refreshing])
def test_others_keep_all(make: type[FullJitter]) -> None:
    assert check_policy(make).sound


ABOUT_LIVES = ("no-hot-loop", "eventually-settles", "refresh-once", "spreads-a-fleet")


@pytest.mark.parametrize("make", [policies.basic, OfficeHours, FullJitter, NeverAgain, Refreshing])
def test_the_laws_that_are_a_matter_of_degree_spare_them(make: type[FullJitter]) -> None:
    laws = [replace(law, decision=None) for law in choose(ABOUT_LIVES)]
    assert check_policy(make, laws=laws, examples=30).sound


@pytest.mark.spec("B14.1", "D4.4")
@pytest.mark.parametrize("service", services()[::9])
def test_services_of_the_catalogue_keep_their_dials_apart(service: str) -> None:
    make = partial(policies.for_service, service)
    assert check_policy(make, laws=["strict-gaps"], examples=30).sound


@pytest.mark.slow
@pytest.mark.spec("K1.2", "B14.1")
@pytest.mark.parametrize("service", services())
def test_every_service_of_the_catalogue_keeps_all(service: str) -> None:
    laws = ["default", "strict-gaps"]
    assert check_policy(partial(policies.for_service, service), laws=laws).sound
