"""The relayer's credentials: read whole or refused, and shown nowhere."""

import pytest

from core.errors import CredentialError
from core.venue.credentials import BuilderKey, RelayerKey, relayer_key_from_environment

ADDRESS = "0x" + "ab" * 20
OWN = {"RELAYER_API_KEY": "hush-hush", "RELAYER_API_KEY_ADDRESS": ADDRESS}
BUILDER = {"POLY_BUILDER_API_KEY": "one", "POLY_BUILDER_SECRET": "two", "POLY_BUILDER_PASSPHRASE": "three"}


def test_without_any_there_is_none() -> None:
    assert relayer_key_from_environment({}) is None
    assert relayer_key_from_environment({"RELAYER_API_KEY": "  "}) is None


def test_a_relayer_key_comes_before_a_builders() -> None:
    own = relayer_key_from_environment(OWN | BUILDER)
    assert isinstance(own, RelayerKey) and (own.key.reveal(), own.address) == ("hush-hush", ADDRESS)
    builder = relayer_key_from_environment(BUILDER)
    assert isinstance(builder, BuilderKey) and builder.passphrase.reveal() == "three"
    assert "hush" not in repr(own) and "three" not in repr(builder)


@pytest.mark.parametrize("missing", [*OWN, *BUILDER])
def test_a_part_of_one_is_refused_by_the_name_of_what_is_missing(missing: str) -> None:
    whole = OWN if missing in OWN else BUILDER
    with pytest.raises(CredentialError, match=f"set {missing} too") as caught:
        relayer_key_from_environment({name: value for name, value in whole.items() if name != missing})
    assert not any(value in str(caught.value) for value in whole.values())


def test_a_malformed_address_is_refused() -> None:
    with pytest.raises(CredentialError, match="not an address") as caught:
        relayer_key_from_environment(OWN | {"RELAYER_API_KEY_ADDRESS": "0x12"})
    assert "0x12" not in str(caught.value)
