"""The data directory that a command works on."""

import argparse
from pathlib import Path

from logstore.errors import InvalidSettings
from logstore.files import DataDirectory
from logstore.store import Store
from server.flags import add_settings, given
from server.settings import load
from server.shares import store_settings

SETTINGS = ("data", "config")
STORE_SETTINGS = (*SETTINGS, "partition_by", "memory", "default_cluster", "default_namespace")


def add_data(parser: argparse.ArgumentParser, names: tuple[str, ...] = SETTINGS) -> None:
    """The flags that say which directory, by the same settings as the server's."""
    add_settings(parser, names)


def existing(arguments: argparse.Namespace) -> DataDirectory:
    """The directory, which must hold a store. Raises InvalidSettings."""
    return _existing(load(given(arguments)).data)


def open_store(arguments: argparse.Namespace, *, must_exist: bool = True) -> Store:
    """The store, opened as the server would. Raises InvalidSettings, Unavailable while a server runs on it."""
    settings = load(given(arguments))
    if must_exist:
        _existing(settings.data)
    return Store.open(settings.data, store_settings(settings))


def _existing(path: Path) -> DataDirectory:
    directory = DataDirectory(path)
    if not directory.catalog.is_file():
        raise InvalidSettings(f"{directory.root} holds no logstore data: name the directory with --data")
    return directory
