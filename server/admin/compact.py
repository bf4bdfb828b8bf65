"""`logstore compact`: flush, merge small files, apply retention, and stop."""

import argparse

from server.admin.data import STORE_SETTINGS, add_data, open_store

ROUNDS_MAX = 100


def add(parser: argparse.ArgumentParser) -> None:
    add_data(parser, (*STORE_SETTINGS, "retention_age", "retention_bytes"))
    parser.epilog = "The server does the same by itself while it runs."
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    with open_store(arguments) as store:
        store.flush()
        merges = 0
        for _ in range(ROUNDS_MAX):
            done = store.compact()
            merges += done
            if not done:
                break
        expired = store.retain()
        with store.snapshot() as snapshot:
            found = snapshot.segments
            print(
                f"{merges} merges, {expired} segments expired;"
                f" {len(found)} segments hold {found.rows.sum()} records in {found.bytes.sum()} bytes"
            )
    return 0
