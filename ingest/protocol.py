"""What a protocol is made of: where it is mounted, how it is decoded, and what its clients are answered.

All of it is functions of values: the server reads bodies, makes records durable and sends answers.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ingest.grpc_status import Code, code_of
from ingest.reader import Reader
from ingest.request import Decode, Decoded, Head, Limits, Request
from logstore.errors import LogstoreError

GRPC_MESSAGE: Final = "grpc-message"
"""Header of an answer to a call: the text that goes with its status."""
CHALLENGE: Final = 'Bearer realm="logstore"'
"""Basic is taken as well but not offered: browsers would put their own dialogue before the page's."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP."""

    status: int
    body: bytes = b""
    media_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Join:
    """How bodies of requests that wait at the same time become one (ingest/joining.py)."""

    kind: Callable[[Head], Hashable]
    """Bodies of requests with the same one mean the same; None: no other body does."""
    body: Callable[[Sequence[bytes]], tuple[bytes, list[int]] | None]
    """The bodies as one, and how many records each has if nothing in it is rejected or skipped; None: they are none."""


@dataclass(frozen=True, slots=True)
class Take:
    """Requests whose bodies hold records. `{name}` in a pattern stands for one segment of a path."""

    methods: tuple[str, ...]
    patterns: tuple[str, ...]
    decode: Decode
    answer: Callable[[Request, Decoded], Answer]
    """What is sent once the records are durable."""
    inflate: Callable[[bytes, Head, int], bytes] | None = None
    """Takes content codings off a body, at most so many bytes of content; None: as `ingest.body.inflate` does."""
    keeps_answer: bool = False
    """A repeat of a keyed batch is sent the first one's answer, byte for byte."""
    join: Join | None = None
    """Where small bodies of several requests can be decoded as one; what is answered then depends on the records alone.
    """


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests whose bodies may never end: their records are durable and visible while they still come."""

    methods: tuple[str, ...]
    patterns: tuple[str, ...]
    open: Callable[[Head, Limits], Reader]
    answer: Callable[[Head], Answer]
    """What is sent once the body is over and all its records are durable."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Requests that clients send before, or between, those with records."""

    methods: tuple[str, ...]
    patterns: tuple[str, ...]
    answer: Callable[[Head, bytes], Answer]
    """Of the head and the body, which is bounded by 1 MiB."""
    is_for: Callable[[Head], bool] | None = None
    """Which of these requests are meant, where others share their path."""
    is_open: bool = False
    """Answered without a token, as what looks after a server's health carries none."""


@dataclass(frozen=True, slots=True)
class Call:
    """A method of a service of gRPC, whose message holds records.

    Its answer is the method's, or, with a status from 400, the google.rpc.Status that ends the call.
    """

    protocol: str
    take: Take
    """The one pattern is the method's path, `/SERVICE/METHOD`."""
    code: Callable[[int], Code] = code_of
    """The code that makes its clients do what an HTTP status does."""

    @property
    def path(self) -> str:
        return self.take.patterns[0]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was not taken; 401 where it had no token, or none that is known."""

    status: int
    message: str
    error: LogstoreError | None = None
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol over HTTP."""

    name: str
    takes: tuple[Take, ...]
    refuse: Callable[[Head, Refusal], Answer]
    """The form that its clients understand; `Retry-After` is added by the server."""
    probes: tuple[Probe, ...] = ()
    prefixes: tuple[str, ...] = ("",)
    """All patterns are mounted below each of these."""
    credential: Callable[[Head], str] = lambda _head: ""
    """The token, where clients carry it elsewhere than in `Authorization`; '' if they do not."""
    challenge: str = CHALLENGE
    """`WWW-Authenticate` of a 401."""
    streams: tuple[Stream, ...] = ()
