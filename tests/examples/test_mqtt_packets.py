"""The frames of the MQTT example, without a broker: packets survive any cutting."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

PATH = Path(__file__).parents[2] / "examples" / "mqtt_subscription.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mqtt_subscription", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MQTT = load()


@given(
    bodies=st.lists(st.binary(max_size=300), max_size=5),
    cuts=st.lists(st.integers(1, 50), max_size=40),
)
def test_packets_are_found_however_they_are_cut(bodies: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(MQTT.packet(MQTT.PUBLISH, body) for body in bodies)
    packets, found = MQTT.Packets(), []
    for cut in [*cuts, len(stream)]:
        found += list(packets.feed(stream[:cut]))
        stream = stream[cut:]
    assert found == [(MQTT.PUBLISH, body) for body in bodies]


@pytest.mark.parametrize(
    ("size", "header"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16_383, "ff7f"), (16_384, "808001")],
)
def test_lengths_are_those_of_the_standard(size: int, header: str) -> None:
    """MQTT 3.1.1, table 2.4."""
    assert MQTT.packet(0x30, bytes(size))[: 1 + len(header) // 2].hex() == "30" + header


def test_one_that_is_taken_is_gone_even_if_the_rest_is_not_asked_for() -> None:
    packets = MQTT.Packets()
    both = MQTT.packet(MQTT.CONNACK, b"\0\0") + MQTT.packet(MQTT.SUBACK, b"\0\1\0")
    assert next(packets.feed(both)) == (MQTT.CONNACK, b"\0\0")
    assert list(packets.feed(b"")) == [(MQTT.SUBACK, b"\0\1\0")]


def test_text_is_refused() -> None:
    with pytest.raises(TypeError, match="binary"):
        list(MQTT.Packets().feed("x"))
