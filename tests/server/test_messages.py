"""Syslog and GELF sent to a real server: what arrives, from whom, and what bad senders can do."""

import json
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.server.certificates import Authority
from tests.serving import ServerProcess, free_port
