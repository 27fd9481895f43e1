"""The parameters of transports and wires."""

from typing import Any

import recloser
from recloser.transport import DialFailed, Heartbeat, Request
from tests.parameters.rows import Table, kept, made_by, probes, shown


def joined(*, headers: dict[str, str]) -> object:
    return dict(Request("ws://feed.example/", {"A": "1"}).with_headers(headers).headers)


def beats(**given: Any) -> object:
    made = Heartbeat(**given)
    return made.interval, made.timeout, made.ping()


WIRE = "transport/test_wire.py::"
RESUMPTION = "transport/test_resumption.py::"
AIOHTTP = "transport/test_lent_sessions.py::"
TABLE: Table = {
    **shown(
        "AiohttpTransport",
        session=f"{AIOHTTP}test_a_parameter_is_used_or_refused",
        ssl="transport/test_dialling_tls.py::test_a_certificate_that_is_not_accepted_is_1015",
        proxy="transport/test_dialling.py::"
        "test_a_proxy_that_refuses_the_tunnel_is_no_refusal_of_the_peers",
        max_message_size="transport/test_peer_ends.py::"
        "test_a_message_over_the_limit_is_refused_with_1009_which_arrives",
        heartbeat="transport/test_liveness.py::"
        "test_a_silent_peer_is_reported_at_the_bound_and_dropped_without_a_word",
        follow_redirects=f"{AIOHTTP}test_a_location_is_never_quoted_anew",
        backlogged="transport/test_receiving.py::test_a_backlog_is_bounded_and_nothing_of_it_is_lost",
        pings_missed="transport/test_liveness.py::"
        "test_a_peer_that_sends_and_hears_no_more_is_told_of_and_left",
        compression="transport/test_compression.py::test_the_offer",
        ask_kernel="transport/test_liveness.py::test_any_frame_is_life_and_pings_go_out_all_the_same",
    ),
    **shown(
        "ResumingContext",
        cafile=f"{RESUMPTION}test_the_settings_are_those_of_the_default_context",
        capath=f"{RESUMPTION}test_the_settings_are_those_of_the_default_context",
        cadata=f"{RESUMPTION}test_the_settings_are_those_of_the_default_context",
    ),
    **shown(
        "ResumingContext.load_cert_chain",
        certfile=f"{RESUMPTION}test_a_certificate_of_the_client_is_loaded_as_ssl_does",
        keyfile=f"{RESUMPTION}test_a_certificate_of_the_client_is_loaded_as_ssl_does",
        password=f"{RESUMPTION}test_a_certificate_of_the_client_is_loaded_as_ssl_does",
    ),
    **shown(
        "ResumingContext.load_verify_locations",
        cafile=f"{RESUMPTION}test_the_settings_are_those_of_the_default_context",
        capath=f"{RESUMPTION}test_the_settings_are_those_of_the_default_context",
        cadata=f"{RESUMPTION}test_the_settings_are_those_of_the_default_context",
    ),
    **made_by(
        "connect",
        "ResumingContext.wrap_bio",
        "incoming",
        "outgoing",
        "server_side",
        "server_hostname",
    ),
    **shown(
        "ResumingContext.wrap_bio",
        session=f"{RESUMPTION}test_a_session_that_is_given_is_offered",
    ),
    **made_by("connect", "AiohttpTransport.dial", "request", "ended"),
    **kept(DialFailed),
    **kept(Request),
    **probes("Request.with_headers", joined, {"headers": {"A": "2"}}, headers={"B": "2"}),
    **shown(
        "Heartbeat",
        interval="transport/test_heartbeat_messages.py::"
        "test_messages_go_out_on_schedule_in_the_place_of_pings",
        timeout="transport/test_liveness.py::"
        "test_a_timeout_longer_than_the_interval_counts_from_the_first_ping",
        message="transport/test_heartbeat_messages.py::"
        "test_messages_go_out_on_schedule_in_the_place_of_pings",
        quiet_only="transport/test_quiet_only.py::"
        "test_a_ping_is_left_out_where_bytes_have_come_and_left",
    ),
    **shown(
        "Wire",
        read=f"{WIRE}test_a_read_that_yields_without_a_future_is_driven_on",
        ended=f"{WIRE}test_the_end_is_told_once_and_an_abort_tells_nobody",
    ),
    **shown("Wire.end", close=f"{WIRE}test_the_end_is_told_once_and_an_abort_tells_nobody"),
    **kept(recloser.UnsupportedAiohttp),
    **made_by(
        "AiohttpTransport", "SocketWire", "owner", "ended", "read", "transport", "lost", "outgoing"
    ),
    **made_by("connect", "SocketWire.close", "code", "reason"),
    **made_by("connect", "SocketWire.condemned", "error"),
    **made_by("connect", "SocketWire.connection_lost", "error"),
    **made_by("connect", "SocketWire.control_received", "frame"),
    **made_by("connect", "SocketWire.last_exchange", "now"),
    **made_by("connect", "SocketWire.last_received", "now"),
    **made_by("connect", "SocketWire.let_go", "linger"),
    **made_by("connect", "SocketWire.on_undeliverable", "callback", "resend"),
    **made_by("connect", "SocketWire.ping", "message"),
    **made_by("connect", "SocketWire.pings_missed", "count", "answered_before"),
    **made_by("connect", "SocketWire.postpone", "until"),
    **made_by("AiohttpTransport", "Outgoing", "flow", "transport", "writer"),
    **made_by("connect", "Outgoing.close", "code", "reason"),
    **shown(
        "Outgoing.restrict",
        allowed="transport/test_restricted.py::test_nothing_is_written_once_it_is_not_allowed",
    ),
    **shown(
        "SocketWire.restrict",
        allowed="transport/test_restricted.py::test_nothing_is_written_once_it_is_not_allowed",
    ),
    **shown(
        "Wire.restrict",
        allowed="engine/fleet/test_lease.py::test_a_wire_that_cannot_stop_writing_is_refused",
    ),
    **made_by("connect", "Outgoing.note", "item", "size"),
    **made_by("connect", "Outgoing.ping", "message"),
    **made_by("connect", "Outgoing.pong", "payload"),
    **made_by("connect", "Outgoing.push", "opcode", "payload"),
    **made_by("connect", "Outgoing.push_close", "code", "reason"),
    **made_by("connect", "Outgoing.send", "message", "item"),
    **made_by("connect", "Wire.close", "code", "reason"),
    **made_by("connect", "Wire.connection_lost", "error"),
    **made_by("connect", "Wire.control", "frame"),
    **made_by("connect", "Wire.control_received", "frame"),
    **made_by("connect", "Wire.follow", "earlier"),
    **made_by("connect", "Wire.intercept", "interceptor"),
    **made_by("connect", "Wire.on_undeliverable", "callback", "resend"),
    **made_by("connect", "Wire.put_first", "messages"),
    **made_by("connect", "Wire.read_failed", "error"),
    **made_by("connect", "Wire.send", "message", "item"),
    **made_by("Opening.set_heartbeat", "Wire.set_heartbeat", "heartbeat"),
    **made_by("Opening.set_heartbeat", "SocketWire.set_heartbeat", "heartbeat"),
}
