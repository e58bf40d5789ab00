# SPDX-License-Identifier: GPL-3.0-or-later
"""What a preflight asks of a large cluster, and that it says everything at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.release.capacity import unpacked
from ansible_collections.ai_aas.vllm.tests.bench.look_ahead import asked, server
from ansible_collections.ai_aas.vllm.tests.cluster.large import GPUS, NODES, PODS, LargeCluster

SERVERS = 20
PAGE = 500


@pytest.fixture(scope="module")
def large() -> Iterator[LargeCluster]:
    with LargeCluster() as cluster:
        yield cluster


def test_nodes_and_pods_are_read_once_and_in_pages(large: LargeCluster) -> None:
    large.asked.clear()
    seen = asked(large.url)
    assert seen["requests"] == len(large.asked) == 1 + PODS // PAGE
    assert all(query["limit"] == [str(PAGE)] for _method, _path, query in large.asked)
    read = unpacked(seen["capacity"])
    assert (len(read["nodes"]), len(read["holders"])) == (NODES, PODS // 5)
    assert len(seen["capacity"]) < 64 * 1024

    large.asked.clear()
    for number in range(SERVERS):
        name = f"server-{number}"
        told = asked(large.url, name=name, definition=server(name), capacity=seen["capacity"])
        rules = [finding["rule"] for finding in told["findings"]]
        assert sorted(rules) == ["fits", "memory-unknown"]
    assert [(method, path) for method, path, _query in large.asked] == [
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"),
        ("POST", "/api/v1/namespaces/system/pods"),
    ] * SERVERS
    assert all(query["dryRun"] == ["All"] for _method, _path, query in large.asked)


def test_without_what_others_have_read_it_reads_itself(large: LargeCluster) -> None:
    told = asked(large.url, name="x", definition=server("x", gpus=GPUS * 2))
    assert told["failed"]
    assert told["requests"] == 1 + 1 + 1 + PODS // PAGE
    (finding,) = (one for one in told["findings"] if one["level"] == "error")
    assert finding["rule"] == "too-large"
    assert f"has {GPUS}" in finding["why"]


def test_everything_is_said_at_once(large: LargeCluster) -> None:
    """What is wrong with the objects, what is asked of them, what the cluster says; errors first."""
    body = server("x", gpus=GPUS * 2)
    body[0]["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "HF_TOKEN", "value": "hf_hidden"}]
    told = asked(large.url, name="x", definition=body, require=["replicas", "cluster"], strategy="surge")
    rules = [finding["rule"] for finding in told["findings"]]
    assert {"literal-credential", "replicas", "too-large", "memory-unknown"} <= set(rules)
    levels = [finding["level"] for finding in told["findings"]]
    assert levels == sorted(levels, key=["error", "warning", "note"].index)
    assert told["msg"].startswith("x cannot be released. ")
    assert "hf_hidden" not in str(told["findings"])


def test_a_claim_that_is_not_there(large: LargeCluster) -> None:
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "cache"}, "spec": {}}
    body = server("x")
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in ("models", "cache")]
    body[0]["spec"]["template"]["spec"]["volumes"] = volumes
    told = asked(large.url, name="x", definition=[*body, claim])
    (finding,) = (one for one in told["findings"] if one["level"] == "error")
    assert (finding["rule"], finding["what"]) == ("claim-missing", "There is no PersistentVolumeClaim/models")


def test_a_cluster_that_cannot_be_reached_is_one_finding_more() -> None:
    told = asked("http://127.0.0.1:1", name="x", definition=server("x"), require=["replicas"])
    assert [finding["rule"] for finding in told["findings"] if finding["level"] == "error"] == ["replicas", "cluster"]


def test_what_nobody_has_read(large: LargeCluster) -> None:
    told = asked(large.url, name="x", definition=server("x"), capacity="guessed")
    (finding,) = (one for one in told["findings"] if one["level"] == "error")
    assert finding["what"] == "The capacity that was handed over cannot be read"


@pytest.mark.parametrize("weights", ["much", "13GB"])
def test_a_size_that_is_none(large: LargeCluster, weights: str) -> None:
    told = asked(large.url, name="x", definition=server("x"), model_weights=weights)
    (finding,) = (one for one in told["findings"] if one["level"] == "error")
    assert (finding["rule"], finding["what"]) == ("quantity", f"{weights!r} is no quantity")
