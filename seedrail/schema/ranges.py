"""Ranges of numbers that columns hold, where they hold less than a change file may say."""

import struct
from typing import Any

import sqlalchemy as sa


def limits_of(type_: sa.Integer) -> tuple[int, int] | None:
    """What a column of a narrower type holds; on every database, for a seed may go to any."""
    if isinstance(type_, sa.BigInteger):
        return None
    bits = 15 if isinstance(type_, sa.SmallInteger) else 31
    return -(2**bits), 2**bits - 1


_SINGLE_DIGITS = 24
"""The binary digits up to which PostgreSQL takes FLOAT(n) for single precision."""


def is_single(type_: sa.Float[Any]) -> bool:
    """Whether a column of a type has single precision."""
    return isinstance(type_, sa.REAL) or (type_.precision or _SINGLE_DIGITS + 1) <= _SINGLE_DIGITS


def check_single(number: float) -> None:
    """ValueError for what single precision takes for infinity or for nothing: PostgreSQL refuses it."""
    try:
        (stored,) = struct.unpack("<f", struct.pack("<f", number))
    except OverflowError:
        stored = 0.0
    if number and not stored:
        raise ValueError(f"does not fit the column, which has single precision: {number!r}")
