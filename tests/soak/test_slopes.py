"""The judgement of `make soak`: what grows is found, and what only wavers is not."""

import random

import pytest

from tests.soak.__main__ import left_over
from tests.soak.slopes import BATCHES, slope


@pytest.mark.parametrize("seed", range(20))
def test_what_wavers_does_not_grow(seed: int) -> None:
    dice = random.Random(seed)
    level, samples = 0.0, []
    for _ in range(2000):
        level = 0.8 * level + dice.gauss(0, 1)  # samples that follow each other are alike
        samples.append(100 + level)
    assert not slope(samples).grows(1.0)


@pytest.mark.parametrize("seed", range(20))
def test_what_grows_is_found_under_noise(seed: int) -> None:
    dice = random.Random(seed)
    samples = [100 + 5 * at / 2000 + dice.gauss(0, 2) for at in range(2000)]
    found = slope(samples)
    assert found.grows(1.0)
    assert abs(found.growth - 5) <= 3 * found.margin


def test_a_line_without_noise_has_no_margin() -> None:
    found = slope([float(at) for at in range(1001)])
    assert found.growth == pytest.approx(1000, rel=0.01)
    assert found.margin == pytest.approx(0, abs=1e-6)


def test_a_warm_up_is_left_out() -> None:
    assert not slope([min(at, 190) for at in range(1000)]).grows(0.1)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="run longer"):
        slope([1.0] * BATCHES)


def test_a_socket_is_left_over_if_no_engine_can_have_it() -> None:
    files, own = ["/srv/outbox.db", "pipe:[1]"], ["socket:[2]", "socket:[3]"]
    three = [f"socket:[{number}]" for number in (4, 5, 6)]
    assert left_over([*files, *own], 0) == 2
    assert left_over([*files, *own, *three], 3) == 2
    assert left_over([*files, *own, *three], 20) == 2
    assert left_over([*files, *own, *three], 1) == 4
    assert left_over([*files, *files, *own], 20) == 4
