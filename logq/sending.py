"""Posting a batch of lines until the server has it: the same body under the same key, again and again."""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from logq.client import Client, blocks, rejections
from logq.errors import LogqError, Refusal, Unreachable
from logq.follow import RETRIED_STATUS

RETRY_FIRST_S: Final = 0.05
RETRY_MAX_S: Final = 10.0
RETRY_AFTER_MAX_S: Final = 300.0
TELL_EVERY_S: Final = 60.0


class Stopped(LogqError):
    """The user asked to stop while a batch was waiting for the server."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch; `rejected` are (line in the batch from 1, error)."""

    accepted: int
    rejected: tuple[tuple[int, str], ...]


class Sender:
    """Posts batches, one at a time.

    Args:
        patience_s: how long one batch is tried for; None is for ever.
        tell: takes a line for the user when the server is away, and when it is back.
        stop: once set, no failed batch is tried again.
    """

    def __init__(
        self, client: Client, patience_s: float | None, tell: Callable[[str], None], stop: threading.Event
    ) -> None:
        self._client = client
        self._patience_s = patience_s
        self._tell = tell
        self._stop = stop

    def send(self, body: bytes, key: str, params: Mapping[str, str], content_type: str) -> Receipt:
        """Returns once the server says that the batch is safe, or that none of its lines can be.

        Raises:
            Unreachable: patience is over.
            Refusal: the server will never take this batch.
            Stopped: asked to stop before it was taken.
        """
        path = f"/api/v1/logs?{urlencode(params, errors='surrogateescape')}" if params else "/api/v1/logs"
        headers = {"Content-Type": content_type, "Idempotency-Key": key}
        started = time.monotonic()
        told_at: float | None = None
        retry_s = RETRY_FIRST_S
        while True:
            try:
                receipt = self._post(path, body, headers)
            except (Unreachable, Refusal) as error:
                wait_s = self._wait_s(error, retry_s)
                waited_s = time.monotonic() - started
                if self._patience_s is not None and waited_s + wait_s > self._patience_s:
                    raise
                if retry_s > RETRY_FIRST_S and (told_at is None or time.monotonic() - told_at > TELL_EVERY_S):
                    self._tell(f"{error}; nothing is lost, trying again")
                    told_at = time.monotonic()
                if self._stop.wait(wait_s):
                    raise Stopped(str(error)) from None
                retry_s = min(retry_s * 2, RETRY_MAX_S)
                continue
            if told_at is not None:
                self._tell(f"the server answers again, after {time.monotonic() - started:.0f} s")
            return receipt

    def _post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        try:
            answer = b"".join(blocks(self._client.request("POST", path, body, headers)))
        except Refusal as refusal:
            if refusal.http_status == 400 and refusal.rejected:
                return Receipt(0, refusal.rejected)
            raise
        except Unreachable:
            self._client.close()
            raise
        return _receipt(answer)

    def _wait_s(self, error: Unreachable | Refusal, retry_s: float) -> float:
        wait_s = retry_s * random.uniform(0.5, 1.0)
        if isinstance(error, Unreachable):
            return wait_s
        if error.http_status not in RETRIED_STATUS:
            raise error
        return max(wait_s, min(error.retry_after_s or 0.0, RETRY_AFTER_MAX_S))


def _receipt(answer: bytes) -> Receipt:
    try:
        fields = json.loads(answer)
        return Receipt(int(fields["accepted"]), rejections(fields.get("rejected")))
    except (ValueError, KeyError, TypeError):
        raise Refusal(
            "the answer to a batch is none of a logstore server", 200, hint="is it one? see --server"
        ) from None
