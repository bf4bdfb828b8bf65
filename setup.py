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
IS_X86_64 = sysconfig.get_platform().endswith("x86_64")
CPU_OF = {"kernels": "x86_64_v2", "kernels_v3": "x86_64_v3"} if IS_X86_64 else {"kernels": None}
"""The library for any machine, and the one for those that have AVX2 and BMI2; logstore/native chooses."""


def compiler(cpu: str | None) -> list[str]:
    if "CC" in os.environ:
        march = [f"-march={cpu.replace('_', '-')}"] if cpu else []
        return [*shlex.split(os.environ["CC"]), *march]
    return [sys.executable, "-m", "ziglang", "cc", *([f"-mcpu={cpu}"] if cpu else [])]


class BuildKernels(build_ext):
    """Shared libraries without Python's ABI: one command each instead of distutils' compile and link."""

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        cpu = CPU_OF[ext.name.rpartition(".")[2]]
        subprocess.run([*compiler(cpu), *FLAGS, "-o", str(target), *ext.sources], check=True)


setup(
    ext_modules=[Extension(f"logstore.native.{name}", SOURCES) for name in CPU_OF],
    cmdclass={"build_ext": BuildKernels},
)
