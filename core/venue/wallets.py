"""Which contract wallets belong to a key: CREATE2 addresses of the wallet factories (polymarket-api.md 3.1, 3.6).

Signature type 1 is the proxy of e-mail accounts, 2 the Safe of browser accounts, 3 a deposit wallet, of which an
older (UUPS) and the present (beacon) form exist.
"""

from functools import lru_cache
from typing import Final

from eth_hash.auto import keccak

from core.errors import CredentialError
from core.exchange.signing import address_bytes, address_of_key, checksummed
from core.venue.credentials import Secret

_PROXY_FACTORY: Final = address_bytes("0xaB45c5A4B0c941a2F231C04C3f49182e1A254052")
_PROXY_TARGET: Final = address_bytes("0x44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f")
_SAFE_FACTORY: Final = address_bytes("0xaacFeEa03eb1561C4e67d661e40682Bd20E3541b")
_SAFE_CODE_HASH: Final = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
_DEPOSIT_FACTORY: Final = address_bytes("0x00000000000Fb5C9ADea0298D729A0CB3823Cc07")
_DEPOSIT_TARGET: Final = address_bytes("0x58CA52ebe0DadfdF531Cde7062e76746de4Db1eB")
_DEPOSIT_BEACON: Final = address_bytes("0x7A18EDfe055488A3128f01F563e5B479D92ffc3a")

_PROXY_HEAD: Final = bytes.fromhex("3d3d606380380380913d393d73")
_PROXY_MIDDLE: Final = bytes.fromhex("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73")
_PROXY_TAIL: Final = bytes.fromhex("5af43d82803e903d91602b57fd5bf352e831dd") + (32).to_bytes(32, "big") + bytes(32)
_UUPS_HEAD: Final = 0x61003D3D8160233D3973
_UUPS_TAIL: Final = bytes.fromhex(
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076"
    "cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_HEAD: Final = 0x6100523D8160233D3973
_BEACON_TAIL: Final = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)


def signer_of(key: Secret) -> str:
    """The checksummed address of a private key of 64 hexadecimal digits.

    Raises:
        CredentialError: it is no number of the curve.
    """
    try:
        return address_of_key(bytes.fromhex(key.reveal().removeprefix("0x")))
    except ValueError:
        raise CredentialError("PK is not a private key: it is no number of the curve") from None


@lru_cache(maxsize=1024)
def wallets_of(owner: str, signature_type: int) -> tuple[str, ...]:
    """Funders a key may use with a signature type, the usual one first; checksummed, none for an unknown type."""
    raw = address_bytes(owner)
    padded = raw.rjust(32, b"\0")
    if signature_type == 0:
        return (checksummed(raw),)
    if signature_type == 1:
        code = _PROXY_HEAD + _PROXY_FACTORY + _PROXY_MIDDLE + _PROXY_TARGET + _PROXY_TAIL
        return (_create2(_PROXY_FACTORY, keccak(raw), keccak(code)),)
    if signature_type == 2:
        return (_create2(_SAFE_FACTORY, keccak(padded), _SAFE_CODE_HASH),)
    if signature_type != 3:
        return ()
    arguments = _DEPOSIT_FACTORY.rjust(32, b"\0") + padded
    pairs = ((_UUPS_HEAD, _DEPOSIT_TARGET, _UUPS_TAIL), (_BEACON_HEAD, _DEPOSIT_BEACON, _BEACON_TAIL))
    codes = ((head + (len(arguments) << 56)).to_bytes(10, "big") + where + tail for head, where, tail in pairs)
    return tuple(_create2(_DEPOSIT_FACTORY, keccak(arguments), keccak(code + arguments)) for code in codes)


def _create2(factory: bytes, salt: bytes, code_hash: bytes) -> str:
    return checksummed(keccak(b"\xff" + factory + salt + code_hash)[12:])
