"""Small messages of Protocol Buffers, written (protobuf.dev, "Encoding"); large ones are read by the kernels."""

Value = int | str | bytes


def message(*fields: tuple[int, Value]) -> bytes:
    """Fields by number; a number that is zero and an empty text are left out, as proto3 does."""
    return b"".join(_field(number, value) for number, value in fields if value)


def varint(number: int) -> bytes:
    """A number of at most 64 bits."""
    encoded = bytearray()
    number &= 0xFFFF_FFFF_FFFF_FFFF
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content
