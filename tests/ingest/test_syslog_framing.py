"""Where syslog messages end on a stream, and how messages of many senders travel as one body."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.messages import Message, pack, unpack, whole
from ingest.protocols.syslog.framing import Framer, of_datagram
from logstore.errors import InvalidInput


def messages_of(packed: bytes) -> list[Message]:
    return [message for _, message in unpack(packed)]


def contents(packed: bytes) -> list[bytes]:
    return [message.content for message in messages_of(packed)]


def framed(*chunks: bytes, max_bytes: int = 1000) -> list[bytes]:
    framer = Framer(max_bytes)
    return contents(b"".join(map(framer.feed, chunks)) + framer.finish())


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"<13>a\n<14>b\n", [b"<13>a", b"<14>b"]),
        (b"<13>a\r\n\r\n<14>b\r\n", [b"<13>a", b"<14>b"]),
        (b"6 <13>ab6 <14>cd", [b"<13>ab", b"<14>cd"]),
        (b"6 <13>ab\n6 <14>cd\n", [b"<13>ab", b"<14>cd"]),
        (b"6 <13>a\n6 <14>cd", [b"<13>a", b"<14>cd"]),
        (b"9 <13>a\nb\nc6 <14>cd", [b"<13>a\nb\nc", b"<14>cd"]),
        (b"<13>a\n7 <14>b\n\n<15>c\n7 <16>d\0\0", [b"<13>a", b"<14>b", b"<15>c", b"<16>d"]),
        (b"<13>a\0<14>b\0", [b"<13>a", b"<14>b"]),
        (b"<13>a\nTraceback\n  File\0<14>b\0", [b"<13>a\nTraceback\n  File", b"<14>b"]),
        (b"<13>a\0\n<14>b\0\n", [b"<13>a", b"<14>b"]),
        (b"<13>a\n\0<14>b\n\0", [b"<13>a", b"<14>b"]),
        (b"200 OK\n404 Not found\n", [b"200 OK", b"404 Not found"]),
        (b"2024-01-02T03:04:05Z host app: x\n", [b"2024-01-02T03:04:05Z host app: x"]),
        (b"6 <13>ab3 abc", [b"<13>ab", b"abc"]),
        (b"0 <13>a\n", [b"0 <13>a"]),
        (b"123456789 <13>a\n", [b"123456789 <13>a"]),
        (b"<13>no end", [b"<13>no end"]),
        (b"\n\0 \r\n", []),
        (b"", []),
    ],
)
def test_a_stream_is_cut_into_messages_however_it_arrives(stream: bytes, expected: list[bytes]) -> None:
    assert framed(stream) == expected
    middle = len(stream) // 2
    if not stream.endswith(b"\0"):  # what a message ends with is told by what comes together
        assert framed(stream[:middle], stream[middle:]) == expected
        assert framed(*(stream[at : at + 1] for at in range(len(stream)))) == expected


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"<13>a\0 b\n<14>c\n", [b"<13>a\0 b", b"<14>c"]),
        (b"<13>a\0\0b\n<14>c\0<15>d\n", [b"<13>a\0\0b", b"<14>c", b"<15>d"]),
        (b"<13>a\0 b\n6 <14>c\0", [b"<13>a", b"b", b"<14>c"]),
    ],
)
def test_a_nul_belongs_to_the_message_of_a_sender_that_ends_with_lines(stream: bytes, expected: list[bytes]) -> None:
    assert framed(stream) == expected


def test_a_message_that_is_too_long_is_cut_and_the_next_one_is_whole() -> None:
    framer = Framer(8)
    assert framer.feed(b"<13>" + b"x" * 50) == b""
    assert framer.held_bytes == 8
    second = framer.feed(b"yyy\n<14>b\n100 <15>" + b"z" * 40)
    assert messages_of(second) == [Message(b"<13>xxxx", 57), whole(b"<14>b")]
    assert messages_of(framer.feed(b"z" * 56 + b"<16>d\n")) == [Message(b"<15>zzzz", 100), whole(b"<16>d")]
    assert framer.held_bytes == 0
    assert Message(b"<13>xxxx", 57).missing == "cut off after 8 of 57 bytes"


def test_a_counted_message_of_which_the_end_never_comes_says_so() -> None:
    framer = Framer(1 << 18)
    assert framer.feed(b"100 <13>only this") == b""
    assert messages_of(framer.finish()) == [Message(b"<13>only this", 100)]
    assert framer.finish() == b""


def test_a_datagram_is_one_message_without_its_trailers() -> None:
    assert contents(of_datagram(b"<13>a\nb\n\0")) == [b"<13>a\nb"]
    assert of_datagram(b"\0\n") == b""


messages = st.binary(min_size=1, max_size=40).map(lambda text: b"<13>x" + text.replace(b"\0", b"") + b"x")


@given(st.lists(st.tuples(messages, st.booleans()), max_size=8), st.integers(1, 20))
def test_what_is_framed_either_way_comes_out_as_it_was(sent: list[tuple[bytes, bool]], size: int) -> None:
    lines = [(text if is_counted else text.replace(b"\n", b" "), is_counted) for text, is_counted in sent]
    stream = b"".join(b"%d %s" % (len(text), text) if counted else text + b"\n" for text, counted in lines)
    assert framed(*(stream[at : at + size] for at in range(0, len(stream), size))) == [text for text, _ in lines]


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"\0", b"\n", b"5 <", b"99 ", b"<1>"]), max_size=12))
def test_no_bytes_break_the_framer_nor_grow_what_it_holds(chunks: list[bytes]) -> None:
    framer = Framer(16)
    taken = 0
    for chunk in chunks:
        for message in messages_of(framer.feed(chunk)):
            assert 0 < len(message.content) <= 16 and message.whole_bytes >= len(message.content)
            taken += 1
        assert framer.held_bytes <= 16 + 10
    taken += len(messages_of(framer.finish()))
    assert taken <= sum(map(len, chunks))


FRAMES = st.sampled_from(
    [b"<1>a", b"<1>", b"\n", b"\r\n", b" ", b"6 <1>abc", b"3 <1>", b"2 a\n", b"20 <1>", b"0 ", b"x", b"12345678 "]
)


@given(st.lists(FRAMES, max_size=20).map(b"".join), st.integers(1, 20))
@example(b"2 a\n6 <1>abc\n2 a\n", 13)
def test_what_is_taken_at_once_is_what_comes_byte_by_byte(stream: bytes, size: int) -> None:
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert framed(stream) == framed(*pieces) == framed(*(stream[at : at + 1] for at in range(len(stream))))


@given(st.lists(st.tuples(st.text(max_size=9), st.lists(st.binary(max_size=30), max_size=3)), max_size=5))
def test_packed_messages_of_many_senders_come_back(sent: list[tuple[str, list[bytes]]]) -> None:
    body = b"".join(pack(map(whole, texts), peer) for peer, texts in sent)
    expected = [
        (peer.replace("\n", " ").encode("utf-8", "replace").decode(), text) for peer, texts in sent for text in texts
    ]
    assert [(peer, message.content) for peer, message in unpack(body)] == expected


def test_a_body_that_was_not_packed_is_refused() -> None:
    with pytest.raises(InvalidInput):
        list(unpack(b"hello"))
