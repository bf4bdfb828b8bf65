"""Makes docs/terminal.svg, `logq` on a terminal over an hour of real lines: `python -m tests.logq.picture`."""

import io
import json
import random
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.browser import lines
from tests.browser.picture import SEED, hour
from tests.logq.programs import on_terminal
from tests.serving import ServerProcess

PICTURE = Path(__file__).parents[2] / "docs" / "terminal.svg"
COLUMNS = 118
LOADED_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""Where rich would have the picture load a font from: it is shown in the reader's own."""
SESSION = (
    ("logq", "level:error namespace=shop", "--since", "1h", "--limit", "5"),
    ("logq", "namespace=shop | stats count() as n by pod, severity | sort by n desc", "--since", "1h"),
    ("logq", "histogram", "reset", "--since", "1h"),
)


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder, ServerProcess(Path(folder) / "data") as server:
        body = "".join(json.dumps(record) + "\n" for record in hour(lines.now(), random.Random(SEED)))
        assert server.post(body.encode()).json()["rejected"] == []
        for command in SESSION:
            console.print(Text.assemble(("$ ", "green"), _shown(command)))
            _, shown = on_terminal(command[1:], Path(folder), server.url, columns=COLUMNS)
            console.print(Text.from_ansi(shown.rstrip()))
            console.print()
    PICTURE.write_text(LOADED_FONT.sub("", console.export_svg(title="logq")))
    print(f"{PICTURE}: {PICTURE.stat().st_size:,} bytes")


def _shown(command: tuple[str, ...]) -> str:
    return " ".join(f"'{word}'" if " " in word else word for word in command)


if __name__ == "__main__":
    main()
