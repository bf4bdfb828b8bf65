"""What `logq --help` and the commands' `--help` say first. Fits a screen of 24 lines and 80 columns."""

from typing import Final

OVERVIEW: Final = """\
  logq timeout                            lines of the last hour with the word
  logq 'level:error pod=~"^web-"' --since 6h
  logq '* | stats count() as n by pod | sort n desc' --since 1d
  logq logs web-1 -f                      as kubectl logs, for lost pods too
  logq tail level:error -n shop           new lines as they come
  logq push --follow app.log --pod web-1  ship a file, over rotation, restarts
  logq histogram timeout --since 1d       drawn over time

Usage: logq QUERY [options]   word "phrase" field:word a="b" a>5 and or | pipe
       logq COMMAND [options] logq COMMAND --help; logq -- tail queries the word

Commands: logs tail push fields values streams sources histogram explain
          context contexts completion

  --since T, --until T         15m, 6h, 2d, date, RFC 3339, all (default: 1h)
  -n, --namespace NS           there; also --cluster, --pod, -c, --container
  --limit N, --order asc|desc  rows (default: 1000, newest first; 0: all)
  -o, --output FORMAT          table json ndjson raw csv arrow parquet
  --server URL, --token T      LOGQ_SERVER, LOGQ_TOKEN; --ca-file; --context N
  --cursor C, --meta, --color WHEN, --client-cert F, --client-key F, -h, --help

Exit status: 0 found, 1 nothing found, 2 error.
"""

EXAMPLES: Final = {
    "query": "",
    "logs": """\
  logq logs web-1                          all lines of the newest run of its container
  logq logs web-1 -c app --previous        of the run before
  logq logs web-1 -n shop -f --tail 20     the last 20, then new ones
  logq logs deploy/web --all-pods --since 1h
  logq logs -l app=web --prefix --timestamps

The flags and answers of kubectl logs, also for pods that are gone, over all time.""",
    "tail": """\
  logq tail level:error
  logq tail 'pod=~"^web-" timeout' --backlog 20
  logq tail '*' -n shop -o raw | grep -v healthz

New lines that match, as they come. Lost connections are taken up again without loss or repeat.""",
    "push": """\
  journalctl -fo cat | logq push --pod node-1 --container journal
  logq push old.log older.log --pod web-1 -n shop
  logq push --follow /var/log/app.log --pod web-1 --container app

Ships lines. stdin: each at least once. Files: each exactly once, even over kill -9, of either side.""",
    "fields": """\
  logq fields                              what fields the last hour's records have
  logq fields level:error --since 1d""",
    "values": """\
  logq values pod                          its values and how many records have each
  logq values path level:error --prefix /api --since 1d""",
    "streams": """\
  logq streams                             every pod and container there ever was
  logq streams -n shop""",
    "sources": """\
  logq sources                             who sends, and since when nothing came; that one first
  logq sources --silent 10m                only those who have been silent for so long

Since the server started, by protocol, address and what the sender calls itself.""",
    "histogram": """\
  logq histogram timeout --since 1d
  logq histogram '*' --since 6h --interval 10m""",
    "explain": """\
  logq explain 'level:error pod="web-1"' --since 1d
  logq explain --analyze timeout           runs it too: what it reads, and how long it takes

What a query would read, what it would skip and why, stage by stage, and its SQL.""",
    "context": """\
  logq timeout --meta -o ndjson            shows each record's _seq
  logq context 4711 --before 20 --after 5  the lines around it in its own container""",
    "contexts": """\
  logq contexts                            the servers in ~/.config/logq/config.toml
  logq contexts use prod                   from now on

  [contexts.prod]
  server = "https://logs.example.org:7117"
  token-file = "~/.config/logq/prod.token"
  ca-file = "~/.config/logq/ca.crt"
  namespace = "shop\"""",
    "completion": """\
  source <(logq completion bash)           in ~/.bashrc
  source <(logq completion zsh)            in ~/.zshrc
  logq completion fish | source            in ~/.config/fish/config.fish""",
}
