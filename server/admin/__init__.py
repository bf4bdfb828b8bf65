"""The administration commands of `logstore`, one a module; a module's `add` declares its flags."""

import argparse
from importlib import import_module

MODULES = {
    "check": "check",
    "files": "files",
    "compact": "compact",
    "import": "import_",
    "export": "export",
    "backup": "backup",
    "healthcheck": "healthcheck",
    "rules": "rules",
}


def add(name: str, parser: argparse.ArgumentParser) -> None:
    """Declare the flags of one command and what runs it."""
    import_module(f"server.admin.{MODULES[name]}").add(parser)
