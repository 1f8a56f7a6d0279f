"""Who sits where: rules without sockets."""

import pytest

from bridge.errors import ConflictError
from bridge.protocol.messages import BroadcastReport, Join, MediaState
from bridge.protocol.tokens import Grant
from bridge.rooms.model import Role
from bridge.server.presence import Presence

PROPOSITION = Grant("room", Role.PROPOSITION)
OPPOSITION = Grant("room", Role.OPPOSITION)
BRIDGE = Grant("room", Role.BROADCAST)
HOST = Grant("room", Role.HOST)
TAB = Join(seat_key="first-tab-key")
REPORT = BroadcastReport.model_validate(
    {"programme": {"ticks": 1, "skipped": 0, "late": 0}, "ingests": {}, "hls": "live"}
)


def refused(code: str):
    return pytest.raises(ConflictError, check=lambda error: error.code == code)


def test_a_vacant_seat_is_anybodys_who_has_its_token():
    presence = Presence()
    occupant, replaced = presence.join("a", PROPOSITION, Join())
    assert (occupant.seat, occupant.generation, replaced) == ("proposition", 1, None)
    assert [one.seat for one in presence.participants("room")] == ["proposition"]


def test_another_tab_does_not_throw_out_who_sits_there():
    presence = Presence()
    first, _ = presence.join("a", PROPOSITION, TAB)
    for join in (Join(seat_key="other-tab-key"), Join()):
        with refused("seat_taken"):
            presence.join("b", PROPOSITION, join)
    assert presence.find("a") == first
    with refused("not_joined"):
        presence.find("b")


def test_without_keys_nobody_is_the_same_tab():
    presence = Presence()
    presence.join("a", PROPOSITION, Join())
    with refused("seat_taken"):
        presence.join("b", PROPOSITION, Join())


def test_the_same_tab_replaces_its_old_connection():
    presence = Presence()
    first, _ = presence.join("a", PROPOSITION, TAB)
    second, replaced = presence.join("b", PROPOSITION, TAB)
    assert replaced == "a"
    assert second.generation == first.generation + 1
    assert second.session != first.session
    with refused("not_joined"):
        presence.find("a")


def test_the_late_disconnect_of_a_replaced_connection_vacates_nothing():
    presence = Presence()
    presence.join("a", PROPOSITION, TAB)
    presence.join("b", PROPOSITION, TAB)
    assert presence.leave("a") is None
    assert [one.session for one in presence.participants("room")] == [presence.find("b").session]


def test_joining_twice_on_one_connection_is_a_new_session():
    presence = Presence()
    first, _ = presence.join("a", PROPOSITION, Join())
    second, replaced = presence.join("a", PROPOSITION, Join())
    assert replaced is None
    assert (first.generation, second.generation) == (1, 2)


def test_generations_go_on_after_everybody_has_left():
    presence = Presence()
    presence.join("a", PROPOSITION, TAB)
    presence.leave("a")
    assert presence.join("b", PROPOSITION, Join())[0].generation == 2


def test_a_new_broadcast_takes_the_seat_of_the_old_one():
    presence = Presence()
    old, _ = presence.join("a", BRIDGE, Join())
    new, replaced = presence.join("b", BRIDGE, Join())
    assert replaced == "a"
    assert presence.bridge_session("room") == new.session != old.session


def test_the_bridge_is_no_participant():
    presence = Presence()
    presence.join("a", BRIDGE, Join())
    assert presence.participants("room") == ()
    assert presence.bridge_session("room")
    presence.leave("a")
    assert presence.bridge_session("room") is None


def test_hosts_are_many_and_take_no_seat():
    presence = Presence()
    for connection in "abc":
        assert presence.join(connection, HOST, Join())[1] is None
    assert presence.participants("room") == ()
    assert set(presence.connections("room")) == {"a", "b", "c"}
    presence.leave("b")
    assert set(presence.connections("room")) == {"a", "c"}


def test_debaters_and_the_bridge_reach_each_other_in_their_current_session_alone():
    presence = Presence()
    a, _ = presence.join("a", PROPOSITION, TAB)
    b, _ = presence.join("b", OPPOSITION, Join())
    bridge, _ = presence.join("c", BRIDGE, Join())
    for sender, receiver in ((a, b), (b, a), (a, bridge), (bridge, b)):
        assert presence.address(sender, receiver.seat, receiver.session) == receiver
    again, _ = presence.join("d", PROPOSITION, TAB)
    with refused("not_there"):
        presence.address(b, "proposition", a.session)
    assert presence.address(b, "proposition", again.session) == again


def test_nobody_reaches_himself_another_room_or_is_a_host():
    presence = Presence()
    a, _ = presence.join("a", PROPOSITION, Join())
    other, _ = presence.join("b", Grant("other", Role.OPPOSITION), Join())
    host, _ = presence.join("c", HOST, Join())
    for sender, seat, session in (
        (a, "proposition", a.session),
        (a, "opposition", other.session),
        (host, "proposition", a.session),
    ):
        with refused("not_there"):
            presence.address(sender, seat, session)


def test_media_are_seen_by_everybody():
    presence = Presence()
    presence.join("a", PROPOSITION, Join())
    presence.set_media("a", MediaState(microphone=False))
    assert not presence.participants("room")[0].media.microphone
    with refused("not_joined"):
        presence.set_media("b", MediaState())


def test_a_report_goes_with_the_broadcast_that_gave_it():
    presence = Presence()
    presence.join("a", PROPOSITION, Join())
    presence.join("b", BRIDGE, Join())
    with refused("token_role"):
        presence.set_report("a", REPORT)
    presence.set_report("b", REPORT)
    assert presence.report("room") == REPORT
    presence.forget_report("room")
    presence.forget_report("nosuchroom")
    assert presence.report("room") is None
    presence.set_report("b", REPORT)
    presence.leave("b")
    assert presence.report("room") is None


def test_an_unknown_room_is_empty():
    presence = Presence()
    assert presence.participants("room") == ()
    assert presence.connections("room") == {}
    assert presence.leave("nobody") is None
