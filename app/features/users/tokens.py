"""API tokens as text: a prefix, 256 random bits in base62, and a checksum that finds typing errors.

The form is that of GitHub's tokens: scanners recognize a leaked one, and a malformed one needs no query.
"""

import hashlib
import re
import secrets
import zlib

from pydantic import SecretStr

PREFIX = "srl_"
BITS = 256
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY, _CHECK = 43, 6
"""Base62 digits of 256 bits and of a CRC32."""
_SHOWN = len(PREFIX) + 6
_VALUE = re.compile(f"{PREFIX}[0-9A-Za-z]{{{_BODY + _CHECK}}}")
_ALIKE = re.compile(f"{PREFIX}[0-9A-Za-z]{{20,}}")
"""A token, or enough of one to be a secret."""


def new_token() -> SecretStr:
    """A fresh token."""
    body = _base62(secrets.randbits(BITS), _BODY)
    return SecretStr(PREFIX + body + _checksum(body))


def is_well_formed(raw: str) -> bool:
    """Whether a text can be a token at all: prefix, length, alphabet and checksum."""
    if not raw.startswith(PREFIX) or len(raw) != len(PREFIX) + _BODY + _CHECK or not raw.isascii():
        return False
    body, check = raw[len(PREFIX) : -_CHECK], raw[-_CHECK:]
    return body.isalnum() and check == _checksum(body)


def found_in(text: str) -> tuple[list[SecretStr], int]:
    """The tokens in a text, each once, and how many other places look like one and have no checksum."""
    found = dict.fromkeys(value for value in _VALUE.findall(text) if is_well_formed(value))
    damaged = sum(not any(value in found for value in _VALUE.findall(one)) for one in _ALIKE.findall(text))
    return [SecretStr(value) for value in found], damaged


def is_alike(text: str) -> bool:
    """Whether a text holds a token, or most of one."""
    return _ALIKE.search(text) is not None


def redacted(text: str) -> str:
    """The text without tokens, as far as it held any."""
    return _ALIKE.sub(f"{PREFIX}…", text)


def token_hash(token: SecretStr) -> str:
    """What is stored: SHA-256 as hex. A token is random, so that a slow hash would add nothing."""
    return hashlib.sha256(token.get_secret_value().encode()).hexdigest()


def display_prefix(token: SecretStr) -> str:
    """The part of a token that lists may show."""
    return token.get_secret_value()[:_SHOWN]


def _checksum(body: str) -> str:
    return _base62(zlib.crc32((PREFIX + body).encode()), _CHECK)


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits.rjust(width, _ALPHABET[0])
