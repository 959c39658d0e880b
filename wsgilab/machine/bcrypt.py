"""bcrypt, the one form in which Prometheus takes a password (https://www.usenix.org/legacy/events/usenix99/provos.html).

Written out, because Python has none and the passwords here are random and used on one machine: the lowest cost will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

COST = 4
"""The lowest there is. A higher cost slows down guessing, and nobody guesses 128 random bits."""
ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
MAGIC = b"OrpheanBeholderScryDoubt"
WORD = 0xFFFFFFFF
ROUNDS, BOXES, BOX_WORDS = 16, 4, 256


def hashed(password: str, salt: bytes) -> str:
    """`$2b$04$…` of a password of at most 72 bytes, with 16 bytes of salt."""
    cipher = _Blowfish()
    key = password.encode() + b"\0"
    cipher.expand(key, salt)
    for _ in range(2**COST):
        cipher.expand(key)
        cipher.expand(salt)
    blocks = [int.from_bytes(MAGIC[start : start + 4]) for start in range(0, len(MAGIC), 4)]
    for _ in range(64):
        blocks = [half for pair in zip(blocks[::2], blocks[1::2], strict=True) for half in cipher.encrypt(*pair)]
    digest = b"".join(block.to_bytes(4) for block in blocks)[:23]
    return f"$2b${COST:02}${_encoded(salt)}{_encoded(digest)}"


class _Blowfish:
    """The cipher's state: subkeys and substitution boxes, which begin as the digits of pi."""

    def __init__(self) -> None:
        digits = _pi_words()
        self._subkeys = digits[: ROUNDS + 2]
        self._boxes = [digits[start : start + BOX_WORDS] for start in range(ROUNDS + 2, len(digits), BOX_WORDS)]

    def expand(self, key: bytes, salt: bytes = b"") -> None:
        """Mix a key, and a salt if there is one, into the state."""
        keys = _words(key)
        self._subkeys = [subkey ^ next(keys) for subkey in self._subkeys]
        salts = _words(salt or bytes(4))
        left = right = 0
        for table in (self._subkeys, *self._boxes):
            for place in range(0, len(table), 2):
                left, right = self.encrypt(left ^ next(salts), right ^ next(salts))
                table[place : place + 2] = left, right

    def encrypt(self, left: int, right: int) -> tuple[int, int]:
        """One block of two words."""
        first, second, third, fourth = self._boxes
        for subkey in self._subkeys[:ROUNDS]:
            left ^= subkey
            mixed = (first[left >> 24] + second[left >> 16 & 255]) & WORD
            mixed = ((mixed ^ third[left >> 8 & 255]) + fourth[left & 255]) & WORD
            left, right = right ^ mixed, left
        return right ^ self._subkeys[-1], left ^ self._subkeys[-2]


def _words(data: bytes) -> Iterator[int]:
    """Words of four bytes, for ever round and round."""
    place = 0
    while True:
        yield int.from_bytes(bytes(data[(place + offset) % len(data)] for offset in range(4)))
        place += 4


@cache
def _pi_digits() -> tuple[int, ...]:
    """The fraction of pi in words of 32 bits, by Machin's formula."""
    count = ROUNDS + 2 + BOXES * BOX_WORDS
    unit = 1 << 32 * count + 64  # the last bits are not exact
    fraction = 4 * (4 * _arctan_of_inverse(5, unit) - _arctan_of_inverse(239, unit)) - 3 * unit >> 64
    return tuple(fraction >> 32 * place & WORD for place in reversed(range(count)))


def _arctan_of_inverse(number: int, unit: int) -> int:
    """arctan(1 / number) in multiples of 1 / unit."""
    power = total = unit // number
    divisor, sign = 1, 1
    while power:
        power //= number * number
        divisor, sign = divisor + 2, -sign
        total += sign * (power // divisor)
    return total


def _pi_words() -> list[int]:
    return list(_pi_digits())


def _encoded(data: bytes) -> str:
    """bcrypt's own base64: other letters, and none to fill up."""
    bits = "".join(f"{byte:08b}" for byte in data)
    return "".join(ALPHABET[int(bits[start : start + 6].ljust(6, "0"), 2)] for start in range(0, len(bits), 6))
