"""`logq completion bash|zsh|fish`: scripts that know the commands, their options, and the pods there are."""

import sys
from argparse import Namespace
from typing import Final

from logq.arguments import COMMANDS, Parser, parser_of
from logq.errors import FOUND, LogqError, UsageError

_BASH: Final = """\
_logq() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command=query word
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case $word in {alternatives}) command=$word; break;; esac
    done
    case $previous in
        -o|--output) COMPREPLY=($(compgen -W "table ndjson raw json csv arrow parquet" -- "$current")); return;;
        --color) COMPREPLY=($(compgen -W "auto always never" -- "$current")); return;;
        --order) COMPREPLY=($(compgen -W "asc desc" -- "$current")); return;;
        --ca-file|--client-cert|--client-key|--position) COMPREPLY=($(compgen -f -- "$current")); return;;
    esac
    if [[ $current == -* ]]; then
        case $command in
{options}
        esac
        return
    fi
    case $command in
        query) COMPREPLY=($(compgen -W "{commands}" -- "$current"));;
        logs) COMPREPLY=($(compgen -W "$(logq completion pods 2>/dev/null)" -- "$current"));;
        values) COMPREPLY=($(compgen -W "$(logq completion fields 2>/dev/null)" -- "$current"));;
        push) COMPREPLY=($(compgen -f -- "$current"));;
        contexts) COMPREPLY=($(compgen -W "use" -- "$current"));;
        completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$current"));;
    esac
}}
complete -o default -F _logq logq
"""
_ZSH: Final = """\
#compdef logq
autoload -U +X bashcompinit && bashcompinit
{bash}"""
_FISH: Final = """\
function __logq_is
    set -l words (commandline -opc)
    set -l found query
    for word in $words[2..-1]
        if contains -- $word {commands}
            set found $word
            break
        end
    end
    contains -- $found $argv
end
complete -c logq -f
complete -c logq -n '__logq_is query' -a '{commands}'
complete -c logq -n '__logq_is logs' -a '(logq completion pods 2>/dev/null)'
complete -c logq -n '__logq_is values' -a '(logq completion fields 2>/dev/null)'
complete -c logq -n '__logq_is push' -F
complete -c logq -n '__logq_is completion' -a 'bash zsh fish'
{options}
"""


def run(options: Namespace) -> int:
    """Prints a script, or (for the scripts) the pods or fields there are."""
    words = options.words
    if words in (["pods"], ["fields"]):
        return _names(options, words[0])
    scripts = {"bash": bash, "zsh": lambda: _ZSH.format(bash=bash()), "fish": fish}
    if len(words) != 1 or words[0] not in scripts:
        raise UsageError("which shell? logq completion bash|zsh|fish")
    sys.stdout.write(scripts[words[0]]())
    return FOUND


def bash() -> str:
    """The script for bash."""
    options = "\n".join(
        f'            {name}) COMPREPLY=($(compgen -W "{" ".join(_options(parser_of(name)))}" -- "$current"));;'
        for name in COMMANDS
    )
    return _BASH.format(options=options, commands=" ".join(_commands()), alternatives="|".join(_commands()))


def fish() -> str:
    """The script for fish."""
    lines = []
    for name in COMMANDS:
        parser = parser_of(name)
        for option in _options(parser):
            flag = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            needs = " -r" if option in parser.valued else ""
            lines.append(f"complete -c logq -n '__logq_is {name}' {flag}{needs}")
    return _FISH.format(commands=" ".join(_commands()), options="\n".join(lines))


def _commands() -> list[str]:
    return [name for name in COMMANDS if name != "query"]


def _options(parser: Parser) -> list[str]:
    return sorted(parser.switches | parser.valued)


def _names(options: Namespace, kind: str) -> int:
    """One a line; none where the server is away, since a shell is waiting."""
    from logq.client import Client
    from logq.config import target

    client = Client(target(options), answer_timeout_s=2.0)
    try:
        if kind == "pods":
            streams = client.ask_json("/api/v1/streams", {})["streams"]
            names = {str(stream["pod"]) for stream in streams}
        else:
            names = {str(field["name"]) for field in client.ask_json("/api/v1/fields", {"start": "-1h"})["fields"]}
    except LogqError:
        return FOUND
    sys.stdout.write("".join(f"{name}\n" for name in sorted(names) if name.isprintable()))
    return FOUND
