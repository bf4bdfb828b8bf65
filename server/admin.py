"""The administration commands of `logstore`."""

import argparse
from collections.abc import Callable

COMMANDS: dict[str, Callable[[argparse.ArgumentParser], None]] = {}
