"""RTP counters without their wraps."""


class Unwrapper:
    """Makes a counter of `bits` bits endless, by the signed distance to the highest value seen.

    A value less than half a turn behind stays behind; it never becomes a wrap (the stock mapper
    takes any backward step for one, notes/aiortc.md 1). The first value is its own number.
    """

    def __init__(self, bits: int) -> None:
        self._turn = 1 << bits
        self.highest: int | None = None

    def peek(self, value: int) -> int:
        """Return the endless number of `value` without remembering it."""
        if self.highest is None:
            return value
        distance = (value - self.highest) % self._turn
        if distance >= self._turn // 2:
            distance -= self._turn
        return self.highest + distance

    def unwrap(self, value: int) -> int:
        """Return the endless number of `value`; later values are measured from the highest."""
        number = self.peek(value)
        if self.highest is None or number > self.highest:
            self.highest = number
        return number

    def restart(self) -> None:
        """Forget: the next value is its own number again."""
        self.highest = None
