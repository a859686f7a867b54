"""Addresses: what is written is read back; nothing that ssh would take for an option gets through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choline_jupyter.transport.address import Address, parse_address

names = st.from_regex(r"[A-Za-z0-9_.][A-Za-z0-9_.\-]{0,20}", fullmatch=True) | st.ip_addresses().map(str)
users = st.just("") | st.from_regex(r"[A-Za-z0-9_.][A-Za-z0-9_.\-]{0,20}", fullmatch=True)


@settings(deadline=None)
@given(st.builds(Address, names, users, st.integers(0, 65535)))
def test_an_address_is_read_back_as_it_was_written(address: Address) -> None:
    assert parse_address(str(address)) == address


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_an_address_without_options_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert address.name
    assert not address.name.startswith("-")
    assert not address.user.startswith("-")
    assert not any(character.isspace() for character in address.name + address.user)
    assert 0 <= address.port <= 65535


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("lab", Address("lab")),
        ("anna@lab", Address("lab", "anna")),
        ("anna@lab:22", Address("lab", "anna", 22)),
        ("[::1]:22", Address("::1", "", 22)),
        ("anna@[fe80::1%eth0]", Address("fe80::1%eth0", "anna")),
    ],
)
def test_forms(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "-oProxyCommand=x", "anna@-oProxyCommand=x", "-l@lab", "a b", "lab\n", "lab:", "lab:99999", "a@b@c", "::1",
     "[lab]", "@lab", "lab:x"],
)  # fmt: skip
def test_these_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="user@name"):
        parse_address(text)
