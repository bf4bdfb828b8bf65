"""Random bodies: mostly records as agents send them, in every way of writing them, and some that are none."""

from random import Random
from typing import TypeVar

T = TypeVar("T")

KEYS = (
    *("time", "_time", "ts", "timestamp", "@timestamp", "message", "msg", "log", "_msg", "severity", "level"),
    *("cluster", "namespace", "pod", "container", "stream", "labels", "attributes", "trace_id", "span_id"),
    *("user", "a", "b", "", "a b", "ключ", "_escape", "k\\u0065y", "key", "p\\u006fd", '\\"', "\\ud800", "user_id"),
)
TIMES = (
    *('"2024-02-29T23:59:60.123456789123Z"', '"2024-01-02 03:04:05+05:30"', '"2023-02-29T00:00:00Z"', '"yesterday"'),
    *('"0000-01-01T00:00:00Z"', '"2261-12-31T23:59:59.999999999Z"', '"2262-01-01T00:00:00Z"', '"1677-12-31T23:59:59Z"'),
    *('"2024-01-02T03:04:05"', '"2024-01-02t03:04:05.5z"', '"2024-01-02T03:04:05-0700"', "1700000000", "1.7e9"),
    *("1700000000.123456789", "1700000000123", "1700000000123456", "1700000000123456789", "-1", "0", "99999999999"),
    *("100000000000", "12345678901234567890", "1e400", "1e-400", '"1700000000.5"', "true", "{}", "null", '""'),
    *("9214646400", "-9214560000", "-9214560000.1", "-0.0000000005", "0e5", "1e", '"\\u0031700000000"'),
)
STRINGS = (
    *("", "plain text", "line\\n", "two\\nlines\\n", "tab\\t", 'quote \\" and \\\\ and \\/', "\\u0000", "é", "日本語"),
    *("\\ud83d\\ude00", "\\ud800", "\\udc00\\ud800", "\\uD83D", "INFO started", "[error] x", "warning: x", "\x7f"),
    *("\\u001b[31mred\\u001b[0m", "a=1 b=2", "x" * 300, "x" * 253, "\\u00e9" * 127, "bad \udcff byte", "\udce2\udc82"),
)
WORDS = ("warn", "WARNING", "Error", "notice", "3", "30", "foo", "", "emerg", "I")
MUTATIONS = b'{}[]",:\\ \n\r\t\0\x1f\x80\xff0123456789eE+-.tfnuDd8'


class Bodies:
    """Bodies from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def ndjson(self) -> bytes:
        lines = [self._line() for _ in range(self._random.randrange(6))]
        return self._maybe_mutated(self._pick(("\n", "\n", "\r\n")).join(lines))

    def array(self) -> bytes:
        items = [self._value(3) if self._is(8) else self._record() for _ in range(self._random.randrange(5))]
        body = self._space() + "[" + self._space() + (self._space() + "," + self._space()).join(items) + "]"
        return self._maybe_mutated(body + self._space() + ("x" if self._is(20) else ""))

    def text(self) -> bytes:
        return self._maybe_mutated("".join(self._pick(STRINGS) + self._pick(("\n", "\r\n", "")) for _ in range(5)))

    def message(self) -> str:
        """A line as an app might write it."""
        line = self._pick((self._record, self._logfmt, self._klog, self._plain))()
        mutated = self._maybe_mutated(self._space() + line + self._space())
        return mutated.decode("utf-8", "replace")

    def attributes(self) -> bytes:
        return self._record().encode("utf-8", "surrogateescape")

    def _is(self, one_in: int) -> bool:
        return self._random.randrange(one_in) == 0

    def _pick(self, choices: tuple[T, ...]) -> T:
        return self._random.choice(choices)

    def _space(self) -> str:
        return self._pick(("", "", "", " ", "\t ", "  "))

    def _line(self) -> str:
        if self._is(12):
            return self._pick(("", "  ", "x", "7", '"s"', "{", "null", "{}{}", "[1]"))
        return self._space() + self._record() + self._space()

    def _record(self) -> str:
        if self._is(40):
            return '{"deep":' + "[" * self._pick((126, 127, 128, 129)) + "]" * self._pick((126, 127, 128)) + "}"
        count = self._random.randrange(40) if self._is(20) else self._random.randrange(7)
        members = [self._member(self._pick(KEYS) + ("" if count < 10 else str(i % 30))) for i in range(count)]
        return "{" + self._space() + ("," + self._space()).join(members) + self._space() + "}"

    def _member(self, key: str) -> str:
        if key.strip("_@") in ("time", "ts", "timestamp") and not self._is(6):
            value = self._pick(TIMES)
        elif key in ("severity", "level") and not self._is(4):
            value = self._pick((self._pick(("3", "30", "60", "7", "8", "3.0")), f'"{self._pick(WORDS)}"'))
        elif key in ("labels", "attributes") and not self._is(4):
            value = self._object(2)
        else:
            value = self._value(2)
        return f'"{key}"{self._space()}:{self._space()}{value}'

    def _value(self, levels: int) -> str:
        kind = self._random.randrange(10 if levels else 8)
        if kind < 4:
            return f'"{self._pick(STRINGS)}"'
        if kind < 8:
            return self._pick(
                ("0", "-1", "1.50", "1e5", "123456789012345678901234567890", "true", "false", "null", "-0")
            )
        if kind == 8:
            return self._object(levels)
        return "[" + ", ".join(self._value(levels - 1) for _ in range(self._random.randrange(4))) + "]"

    def _object(self, levels: int) -> str:
        members = [f'"{self._pick(KEYS)}": {self._value(levels - 1)}' for _ in range(self._random.randrange(4))]
        return "{" + ", ".join(members) + "}"

    def _logfmt(self) -> str:
        keys = ("level", "msg", "a", "b.c", "_x", "@t", "a", "lvl", "9")
        values = ('"x y"', "3", "", "warn", '"\\"q\\""', "/a/b", "C:\\dir", '"\\u00e9"', '"bad\\x"', "a=b", "é", '"z"z')
        pairs = [f"{self._pick(keys)}={self._pick(values)}" for _ in range(self._random.randrange(1, 5))]
        return self._pick((" ", " ", "  ", "\t")).join(pairs)

    def _klog(self) -> str:
        number = self._pick(("1", "  1234", "007", "12345678901"))
        source = self._pick(("file.go:12", "a-b_c.go:0", "x.go:01", "x.go", ":3"))
        return f"{self._pick(('I', 'W', 'E', 'F', 'D'))}0102 15:04:05.123456 {number} {source}] {self._plain()}"

    def _plain(self) -> str:
        starts = ("", "2024-01-02 ", "[", "<", "app: ", "x" * 90 + " ", "[core:")
        ends = ("", " ", "] ", ": ", ", ", "5 ", "> ", ".")
        words = ("INFO", "WARN", "error", "ERROR", "Notice", "FATALITY", "ERR", "FINE", "informational", "hello", "LOG")
        return self._pick(starts) + self._pick(words) + self._pick(ends) + self._pick(("", "tail", "WARN tail"))

    def _maybe_mutated(self, body: str) -> bytes:
        mutated = bytearray(body.encode("utf-8", "surrogateescape"))
        while self._is(3):
            at = self._random.randrange(len(mutated) + 1)
            match self._random.randrange(4):
                case 0:
                    mutated[at : at + 1] = bytes([self._random.choice(MUTATIONS)])
                case 1:
                    mutated.insert(at, self._random.choice(MUTATIONS))
                case 2:
                    del mutated[at : at + 1 + self._random.randrange(3)]
                case _:
                    del mutated[at:]
        return bytes(mutated)
