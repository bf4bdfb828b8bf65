"""Where records come from, in the words of each agent."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.identity import Resolved, resolve
from ingest.identity_table import read_table
from logstore.errors import InvalidSettings

ID = "0123456789abcdef" * 4
WHERE = {"namespace": "shop", "pod": "web-7d4b9c-x2x", "container": "app"}
AGENTS: dict[str, dict[str, Any]] = {
    "Fluent Bit": {
        "kubernetes": {
            "pod_name": "web-7d4b9c-x2x",
            "namespace_name": "shop",
            "pod_id": "uid-1",
            "labels": {"app": "web", "app.kubernetes.io/name": "web"},
            "host": "node-1",
            "container_name": "app",
            "docker_id": ID,
            "container_image": "web:1",
        }
    },
    "Fluentd with dots replaced": {
        "kubernetes_namespace_name": "shop",
        "kubernetes_pod_name": "web-7d4b9c-x2x",
        "kubernetes_container_name": "app",
        "kubernetes_host": "node-1",
        "kubernetes_pod_id": "uid-1",
        "kubernetes_labels_app": "web",
        "kubernetes_labels_app.kubernetes.io/name": "web",
        "kubernetes_container_image": "web:1",
        "docker.container_id": ID,
    },
    "Vector": {
        "kubernetes": {
            "pod_namespace": "shop",
            "pod_name": "web-7d4b9c-x2x",
            "pod_uid": "uid-1",
            "container_name": "app",
            "pod_node_name": "node-1",
            "pod_labels": {"app": "web", "app.kubernetes.io/name": "web"},
            "container_image": "web:1",
            "container_id": ID,
        }
    },
    "Filebeat": {
        "kubernetes": {
            "namespace": "shop",
            "pod": {"name": "web-7d4b9c-x2x", "uid": "uid-1"},
            "container": {"name": "app"},
            "node": {"name": "node-1"},
            "labels": {"app": "web", "app.kubernetes": {"io/name": "web"}},
        },
        "container": {"id": ID, "image": {"name": "web:1"}},
    },
    "OpenTelemetry": {
        "k8s.namespace.name": "shop",
        "k8s.pod.name": "web-7d4b9c-x2x",
        "k8s.pod.uid": "uid-1",
        "k8s.container.name": "app",
        "k8s.node.name": "node-1",
        "k8s.pod.label.app": "web",
        "k8s.pod.labels.app.kubernetes.io/name": "web",
        "container.image.name": "web:1",
        "container.id": ID,
    },
    "OpenTelemetry inside a resource": {
        "resource": {
            "attributes": {
                "k8s.namespace.name": "shop",
                "k8s.pod.name": "web-7d4b9c-x2x",
                "k8s.pod.uid": "uid-1",
                "k8s": {"container": {"name": "app"}, "node.name": "node-1", "pod": {"label": {"app": "web"}}},
                "k8s_pod_labels_app.kubernetes.io/name": "web",
                "container.image.name": "web:1",
                "container.id": ID,
            }
        }
    },
}


@pytest.mark.parametrize("agent", AGENTS)
def test_every_agent_says_the_same(agent: str) -> None:
    resolved = resolve(AGENTS[agent])
    source = resolved.source
    assert {"namespace": source.namespace, "pod": source.pod, "container": source.container} == WHERE
    assert source.labels == {
        "node": "node-1",
        "pod_uid": "uid-1",
        "image": "web:1",
        "container_id": ID,
        "app": "web",
        "app.kubernetes.io/name": "web",
    }
    assert resolved.rest == {}


@pytest.mark.parametrize(
    "metadata",
    [
        {"filename": "/var/log/pods/shop_web-7d4b9c-x2x_uid-1/app/3.log"},
        {"log": {"file": {"path": "/var/log/pods/shop_web-7d4b9c-x2x_uid-1/app/3.log.20260301-120000"}}},
        {"container_name": "k8s_app_web-7d4b9c-x2x_shop_uid-1_3"},
        {"CONTAINER_NAME": "/k8s_app.4f0a_web-7d4b9c-x2x_shop_uid-1_3"},
    ],
    ids=["file", "Filebeat's file", "docker", "journald"],
)
def test_names_of_files_and_containers_tell_all(metadata: dict[str, Any]) -> None:
    resolved = resolve(metadata)
    source = resolved.source
    assert {"namespace": source.namespace, "pod": source.pod, "container": source.container} == WHERE
    assert source.labels == {"pod_uid": "uid-1", "instance": "3"}
    assert resolved.rest == {}


@pytest.mark.parametrize(
    "metadata",
    [
        {"tag": f"kube.var.log.containers.web-7d4b9c-x2x_shop_app-{ID}.log"},
        {"_flb-key": f"kubernetes.var.log.containers.web-7d4b9c-x2x_shop_app-{ID}.log"},
        {"tag": f"kube/var/log/containers/web-7d4b9c-x2x_shop_app-{ID}.log"},
        {"file": f"/var/log/containers/web-7d4b9c-x2x_shop_app-{ID}.log"},
    ],
)
def test_tags_tell_the_container(metadata: dict[str, Any]) -> None:
    source = resolve(metadata).source
    assert {"namespace": source.namespace, "pod": source.pod, "container": source.container} == WHERE
    assert source.labels == {"container_id": ID}


def test_a_container_name_with_dashes_ends_before_its_id() -> None:
    source = resolve({"tag": f"x.containers.db-0_prod_my-side-car-{ID}.log"}).source
    assert (source.pod, source.namespace, source.container) == ("db-0", "prod", "my-side-car")


def test_docker_says_a_name_an_id_and_a_stream() -> None:
    resolved = resolve({"container_id": ID, "container_name": "/web", "source": "stderr"})
    assert (resolved.source.container, resolved.source.stream) == ("web", "stderr")
    assert resolved.source.labels == {"container_id": ID}
    assert resolve({"source": "elsewhere"}).rest == {"source": "elsewhere"}


def test_what_is_said_outright_wins_over_what_a_name_implies() -> None:
    resolved = resolve({"namespace": "told", "filename": "/var/log/pods/implied_p_u/c/0.log"})
    assert (resolved.source.namespace, resolved.source.pod) == ("told", "p")


def test_what_says_the_same_again_goes_and_what_differs_stays() -> None:
    resolved = resolve({"kubernetes": {"pod_name": "a", "host": "n"}, "pod": "a", "host": "other", "user": {"id": 1}})
    assert resolved.source.pod == "a"
    assert resolved.source.labels == {"node": "n"}
    assert resolved.rest == {"host": "other", "user": {"id": 1}}


def test_a_units_log_is_the_nodes_own() -> None:
    resolved = resolve({"_SYSTEMD_UNIT": "kubelet.service", "_HOSTNAME": "node-1", "PRIORITY": "3"})
    source = resolved.source
    assert (source.namespace, source.pod, source.container) == ("_node", "node-1", "kubelet.service")
    assert source.labels == {"node": "node-1"}
    assert resolved.severity == "error"
    file = resolve({"filename": "/var/log/kube-proxy.log", "node_name": "node-1"}).source
    assert (file.namespace, file.pod, file.container) == ("_node", "node-1", "kube-proxy.log")
    pod = resolve({"_SYSTEMD_UNIT": "docker.service", "container_name": "k8s_c_p_n_u_0"}).source
    assert (pod.namespace, pod.pod, pod.container) == ("n", "p", "c")


def test_severity_and_trace() -> None:
    resolved = resolve({"log": {"level": "WARNING"}, "trace.id": "t", "span": {"id": "s"}})
    assert (resolved.severity, resolved.trace_id, resolved.span_id, resolved.rest) == ("warn", "t", "s", {})
    unknown = resolve({"level": "very"})
    assert (unknown.severity, unknown.rest) == ("", {"level": "very"})
    assert resolve({"severity": "odd", "level": "warn"}).severity == "warn"


def test_a_word_that_says_more_than_the_severity_stays() -> None:
    resolved = resolve({"level": "NOTICE", "severity_text": "NOTICE", "detected_level": "info"})
    assert (resolved.severity, resolved.rest) == (
        "info",
        {"level": "NOTICE", "severity_text": "NOTICE", "detected_level": "info"},
    )


def test_a_pods_label_does_not_hide_where_it_runs() -> None:
    labels = resolve({"kubernetes": {"host": "n", "labels": {"node": "mine", "tier": 1}}}).source.labels
    assert labels == {"node": "n", "pod_label.node": "mine", "tier": "1"}


def test_numbers_and_booleans_are_words_and_empty_values_are_none() -> None:
    resolved = resolve({"namespace": "", "pod": 7, "container": True, "cluster": None, "stream": ["a"]})
    assert (resolved.source.namespace, resolved.source.pod, resolved.source.container) == ("", "7", "true")
    assert resolved.rest == {"namespace": "", "cluster": None, "stream": ["a"]}


def test_a_users_rows_come_first(tmp_path: Path) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text("words:\n  namespace: [team.name]\nlabels:\n  zone: [topology.zone]\n")
    resolved = resolve({"team": {"name": "blue"}, "namespace": "shop", "topology_zone": "a"}, read_table(file))
    assert resolved.source.namespace == "blue"
    assert resolved.source.labels == {"zone": "a"}
    assert resolved.rest == {"namespace": "shop"}


def test_the_example_of_the_documentation_is_a_table(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocols" / "elasticsearch.md").read_text()
    file = tmp_path / "identity.yaml"
    file.write_text(text.split("```yaml\n")[1].split("```")[0])
    source = resolve({"tag": "kube.shop.web-0.app", "topology": {"zone": "a"}}, read_table(file)).source
    assert (source.namespace, source.pod, source.container, source.labels) == ("shop", "web-0", "app", {"zone": "a"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "cannot be read"),
        ("a list", "mapping of sections"),
        ("word: {}", "no section 'word'"),
        ("words: {node: [x]}", "words has 'node'"),
        ("labels: {zone: x}", "labels.zone must be a list"),
        ("patterns: [{paths: [a], texts: ['(']}]", "no regular expression"),
        ("patterns: [{paths: [a]}]", "paths: [...], texts"),
    ],
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "identity.yaml"
    file.write_text(text)
    with pytest.raises(InvalidSettings, match="identity file") as raised:
        read_table(file)
    assert told in str(raised.value)


KEYS = st.sampled_from(["kubernetes", "pod_name", "labels", "a.b", "namespace", "host", "name", "", "_", "k8s.pod"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_nothing_is_lost_nor_told_twice(metadata: dict[str, Any]) -> None:
    resolved = resolve(metadata)
    told = sum(map(_count, resolved.rest.values())) + _said(resolved)
    assert told <= sum(map(_count, metadata.values()))
    json.dumps(resolved.rest)


def _count(value: Any) -> int:
    return sum(map(_count, value.values())) if isinstance(value, dict) and value else 1


def _said(resolved: Resolved) -> int:
    source = resolved.source
    return len(source.labels) + sum(
        bool(word) for word in (source.cluster, source.namespace, source.pod, source.container, source.stream)
    )
