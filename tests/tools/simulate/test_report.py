"""What a person sees of a storm: tables, charts and pictures."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recloser.simulate import curves
from recloser.simulate.baselines import BASELINES
from recloser.simulate.curves import bars, chart, horizon, rate, recovered
from recloser.simulate.report import compare, report, table
from recloser.simulate.scenario import Refusal, Scenario
from recloser.simulate.storm import simulate
from recloser.simulate.sweep import OUTAGES, WINDOWS, cases, sweep

shares = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def outcomes():
    scenario = Scenario(engines=400, outage=10.0, capacity=40.0, alone=0.25)
    return {name: simulate(BASELINES[name](), scenario) for name in ("full-jitter", "fixed")}


@given(shares, st.integers(1, 6), st.booleans())
def test_bars_stand_as_high_as_their_shares(values, rows, ascii_only):
    lines = bars(values, rows, ascii_only=ascii_only)
    steps = " .:-=+*%#" if ascii_only else " ▁▂▃▄▅▆▇█"
    assert [len(line) for line in lines] == [len(values)] * rows
    for column, value in enumerate(values):
        height = sum(steps.index(line[column]) for line in lines)
        assert abs(height - value * rows * 8) <= 1
        assert (height > 0) == (value > 0)


def test_the_curves_hold_every_dial_and_every_engine(outcomes):
    outcome = outcomes["full-jitter"]
    end = horizon([outcome])
    assert end == outcome.fleet.time(1.0)
    drawn = rate(outcome.fleet.dials, end, 50)
    assert sum(drawn) * end / 50 == pytest.approx(len(outcome.fleet.dials))
    curve = recovered(outcome, end, 50)
    assert curve == sorted(curve)
    assert curve[-1] == 1.0
    assert curve[0] == 0.0


@pytest.mark.spec("L4")
@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_chart_fits_the_terminal(outcomes, width, ascii_only):
    lines = chart(
        "full-jitter",
        outcomes["full-jitter"],
        end=100.0,
        peak=400.0,
        width=width,
        ascii_only=ascii_only,
    )
    assert max(len(line) for line in lines[1:]) <= width
    assert lines[-1].endswith("100 s")
    assert "400/s" in lines[1]
    assert all(line.isascii() for line in lines) == ascii_only


def test_the_pointer_stands_where_the_server_is_back(outcomes):
    lines = chart("x", outcomes["fixed"], end=100.0, peak=400.0, width=113)
    assert lines[-1].index("^") == 13 + 10


def test_the_report_names_every_policy_and_those_alone(outcomes):
    lines = report(outcomes, width=80)
    assert "optimum 17.5 s" in lines[0]
    rows = {line.split()[0]: line.split() for line in lines[2:5]}
    got = outcomes["fixed"]
    assert rows["fixed"][1:4] == [f"{got.fleet.time(share):.1f}" for share in (0.5, 0.99, 1.0)]
    assert rows["fixed"][6] == str(got.peak)
    assert rows["fixed"][9] == f"{got.wait_ratio:.1f}"
    assert any(line.startswith("fixed, alone (100): t50") for line in lines)


def test_what_never_happens_is_said():
    scenario = Scenario(engines=50, outage=10.0, capacity=1.0, horizon=11.0)
    lines = report({"fixed": simulate(BASELINES["fixed"](), scenario)}, width=80)
    assert lines[3].split()[1:4] == ["never"] * 3
    assert lines[-1].endswith("11 s")


def test_a_table_is_aligned():
    assert table(("a", "bc"), [("def", "1"), ("g", "234")]) == ["a     bc", "def    1", "g    234"]


def test_the_sweep_has_the_cases_it_says():
    base = Scenario(engines=600)
    found = list(cases(base))
    assert len(found) == 72
    assert (OUTAGES[0], round(OUTAGES[-1], 6)) == (1.0, 600.0)
    assert {round(each.window, 6) for each in found} == set(WINDOWS)
    assert {each.refusal for each in found} == {Refusal.REFUSE, Refusal.MIXED}
    assert all(each.end == each.outage + 8 * each.fleet / each.capacity for each in found)
    assert all(each.spread is None for each in found)
    assert all(each.spread == each.window for each in cases(base, hint=True))
    with pytest.raises(ValueError, match="windows must be above 0"):
        list(cases(base, windows=[0.0]))


def test_a_sweep_sums_up_its_storms():
    several = list(
        cases(
            Scenario(engines=60),
            outages=[1.0, 10.0],
            windows=[5.0],
            refusals=[Refusal.REFUSE],
        )
    )
    told = []
    policy = BASELINES["full-jitter"]()
    got = sweep(policy, several, told.append)
    assert told == [0.5, 1.0]
    one, two = (simulate(policy, each) for each in several)
    figures = got.figures()
    assert figures["excess_t99"] == pytest.approx((one.excess(0.99) + two.excess(0.99)) / 2)
    assert figures["excess_t100_worst"] == max(one.excess(1.0), two.excess(1.0))
    assert figures["peak_ratio_worst"] == max(one.peak_after_return, two.peak_after_return) / 12
    assert figures["never"] == sum(each.fleet.time(0.99) is None for each in (one, two)) == 1
    assert figures["cases"] == 2
    assert figures["wait_ratio"] == figures["wait_ratio_worst"] == one.wait_ratio
    assert two.wait_ratio is None
    lines = compare({"full-jitter": got})
    assert lines[1].split()[0] == "full-jitter"
    assert lines[1].split()[-1] == "1/2"
    assert lines[1].split()[-3:-1] == [f"{one.wait_ratio:.1f}", f"({one.wait_ratio:.1f})"]
    late = compare({"full-jitter": sweep(policy, several[1:])})
    assert late[1].split()[-3:-1] == ["never", "(never)"]


def test_the_longest_wait_of_a_sweep_is_the_mean_and_the_worst_of_its_storms():
    base = Scenario(engines=60, horizon=None)
    several = list(cases(base, outages=[1.0], windows=[5.0, 20.0], refusals=[Refusal.REFUSE]))
    policy = BASELINES["full-jitter"]()
    low, high = sorted(simulate(policy, each).wait_ratio for each in several)
    figures = sweep(policy, several).figures()
    assert low < high
    assert figures["wait_ratio"] == pytest.approx((low + high) / 2)
    assert figures["wait_ratio_worst"] == high


@pytest.mark.parametrize("suffix", curves.FORMATS)
def test_the_picture(outcomes, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"storm{suffix}"
    curves.draw(outcomes, path)
    if suffix == ".png":
        assert path.read_bytes().startswith(b"\x89PNG\r\n")
    else:
        text = path.read_text("utf-8")
        assert "{10^{0}}" in text
        assert "{-10^{0}}" not in text  # nothing dials less than never
        ids = {each.get("id", "") for each in ET.fromstring(text).iter()}
        # Two axes; two policies in each, and the lines for return, capacity and optimum.
        assert {"axes_1", "axes_2"} <= ids
        assert len([each for each in ids if each.startswith("line2d_")]) >= 8
