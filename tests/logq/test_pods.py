"""Which container of a pod `logq logs` shows when none is named."""

from logq.pods import DEFAULT_CONTAINER, Pod, Stream, containers

POD = Pod("c", "n", "web-1")


def stream(container: str, **labels: str) -> Stream:
    return Stream(POD, container, labels, "2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z")


def test_the_first_by_name_is_the_default() -> None:
    assert containers([stream("side"), stream("app")]) == ["app", "side"]


def test_the_pod_may_name_another() -> None:
    default = {DEFAULT_CONTAINER: "side"}
    assert containers([stream("app", **default), stream("side", **default)]) == ["side", "app"]


def test_lines_that_somebody_pushed_without_a_container_are_none() -> None:
    assert containers([stream(""), stream("side")]) == ["side", ""]
    assert containers([stream("")]) == [""]
