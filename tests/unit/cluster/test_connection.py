# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to the API server: proxies, and what is said when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.connection import Connection, bypassed
from ansible_collections.ai_aas.vllm.plugins.module_utils.errors import ConnectionFailed

Options = dict[str, Any]
CLUSTER = {"host": "https://cluster.example:6443", "api_key": "t"}
PROXY = {"proxy": "http://proxy.example:8080"}
THERE = {"http_proxy_host": "proxy.example", "http_proxy_port": 8080, "proxy_type": "http"}
DIRECT = {"http_no_proxy": ["*"]}


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        pytest.param({}, {}, DIRECT, id="none"),
        pytest.param(PROXY, {}, THERE, id="an option"),
        pytest.param({"proxy": "http://proxy.example"}, {}, THERE | {"http_proxy_port": 3128}, id="without a port"),
        pytest.param({}, {"HTTPS_PROXY": PROXY["proxy"]}, THERE, id="the environment"),
        pytest.param({}, {"https_proxy": PROXY["proxy"]}, THERE, id="in small letters"),
        pytest.param({}, {"HTTP_PROXY": PROXY["proxy"]}, DIRECT, id="the one of another scheme"),
        pytest.param(PROXY | {"no_proxy": ".example"}, {}, DIRECT, id="excepted"),
        pytest.param(PROXY, {"NO_PROXY": "cluster.example"}, DIRECT, id="excepted in the environment"),
        pytest.param(
            PROXY | {"proxy_headers": {"proxy_basic_auth": "ann:pw"}},
            {},
            THERE | {"http_proxy_auth": ("ann", "pw")},
            id="with a password",
        ),
        pytest.param(
            {"proxy": "http://ann:p%40w@proxy.example:8080"},
            {},
            THERE | {"http_proxy_auth": ("ann", "p@w")},
            id="with a password in its address",
        ),
    ],
)
def test_the_proxy_of_a_tunnel(options: Options, environ: dict[str, str], expected: Options) -> None:
    websocket = Connection(CLUSTER | options, environ).websocket_options()
    assert {name: value for name, value in websocket.items() if name != "sslopt"} == expected


@pytest.mark.parametrize(
    ("rules", "bypass"),
    [
        ("", False),
        ("*", True),
        ("cluster.example", True),
        ("example", True),
        (".example", True),
        ("other, cluster.example:6443", True),
        ("cluster.example:443", False),
        ("ster.example", False),
        ("10.0.0.0/8", False),
    ],
)
def test_bypassed_by_name(rules: str, bypass: bool) -> None:
    assert bypassed("https://cluster.example:6443", rules) is bypass


@pytest.mark.parametrize(("rules", "bypass"), [("10.0.0.0/8", True), ("10.1.2.3", True), ("11.0.0.0/8", False)])
def test_bypassed_by_address(rules: str, bypass: bool) -> None:
    assert bypassed("https://10.1.2.3:6443", rules) is bypass


def test_a_proxy_that_is_none() -> None:
    with pytest.raises(ConnectionFailed) as failed:
        Connection(CLUSTER | {"proxy": "socks5://ann:pw@proxy.example"}, {})
    assert str(failed.value) == (
        "The proxy socks5://proxy.example cannot be used. It is no HTTP proxy. Write it as http://name:port."
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"host": "http://127.0.0.1:1"},
            (
                "The API server at http://127.0.0.1:1 cannot be reached. Connection refused. "
                "Check the context or host, the network and the proxy."
            ),
        ),
        (
            {"proxy": "http://ann:pw@127.0.0.1:1"},
            (
                "The proxy http://127.0.0.1:1 does not lead to the API server at https://cluster.example:6443. "
                "Connection refused. Correct proxy, proxy_headers or no_proxy."
            ),
        ),
    ],
)
def test_a_cluster_that_cannot_be_reached(options: Options, message: str) -> None:
    with pytest.raises(ConnectionFailed) as failed:
        Connection(CLUSTER | options, {}).request("PATCH", "/")
    assert str(failed.value) == message
