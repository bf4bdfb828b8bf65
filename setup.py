"""Compiles the native kernels (plain C, loaded with ctypes) with zig's C compiler from PyPI, so that
`pip install .` needs no compiler and no Python headers on the machine. `CC` in the environment wins."""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

SOURCES = sorted(str(path) for path in Path("logstore/native").glob("*.c"))
FLAGS = [
    *("-std=c11", "-O3", "-flto", "-g0", "-Wall"),
    *("-shared", "-fPIC", "-fvisibility=hidden", "-fno-sanitize=undefined"),
]


def compiler() -> list[str]:
    if "CC" in os.environ:
        return shlex.split(os.environ["CC"])
    is_x86_64 = sysconfig.get_platform().endswith("x86_64")
    return [sys.executable, "-m", "ziglang", "cc", *(["-mcpu=x86_64_v2"] if is_x86_64 else [])]


class BuildKernels(build_ext):
    """A shared library without Python's ABI: one command instead of distutils' compile and link."""

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([*compiler(), *FLAGS, "-o", str(target), *ext.sources], check=True)


setup(
    ext_modules=[Extension("logstore.native.kernels", SOURCES)],
    cmdclass={"build_ext": BuildKernels},
)
