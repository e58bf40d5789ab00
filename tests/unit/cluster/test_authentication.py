# SPDX-License-Identifier: GPL-3.0-or-later
"""Options, and the environment variables that stand in for them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.ai_aas.vllm.plugins.module_utils.cluster.authentication import effective, names_cluster

Options = dict[str, Any]


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"context": None, "host": None}, {}, {}, id="None is nothing"),
        pytest.param({"context": "a"}, {}, {"context": "a"}, id="an option"),
        pytest.param({}, {"K8S_AUTH_CONTEXT": "b"}, {"context": "b"}, id="the environment"),
        pytest.param({"context": "a"}, {"K8S_AUTH_CONTEXT": "b"}, {"context": "a"}, id="the option wins"),
        pytest.param({}, {"K8S_AUTH_CONTEXT": ""}, {}, id="empty in the environment is nothing"),
        pytest.param(
            {"validate_certs": False}, {"K8S_AUTH_VERIFY_SSL": "yes"}, {"validate_certs": False}, id="False is set"
        ),
        pytest.param({}, {"K8S_AUTH_VALIDATE_CERTS": "no"}, {"validate_certs": False}, id="a switch"),
        pytest.param({}, {"K8S_AUTH_VERIFY_SSL": "False"}, {"validate_certs": False}, id="by its other name"),
        pytest.param({}, {"K8S_AUTH_VERIFY_SSL": "0"}, {"validate_certs": False}, id="as a number"),
        pytest.param({}, {"K8S_AUTH_VERIFY_SSL": "true"}, {"validate_certs": True}, id="switched on"),
        pytest.param({}, {"K8S_AUTH_SSL_CA_CERT": "/ca"}, {"ca_cert": "/ca"}, id="the CA as AWX names it"),
        pytest.param({}, {"K8S_AUTH_CA_CERT": "/ca"}, {"ca_cert": "/ca"}, id="the CA by its own name"),
        pytest.param(
            {}, {"K8S_AUTH_CERT_FILE": "/c", "K8S_AUTH_KEY_FILE": "/k"}, {"client_cert": "/c", "client_key": "/k"}
        ),
        pytest.param(
            {},
            {"K8S_AUTH_IMPERSONATE_GROUPS": "a,b,", "K8S_AUTH_IMPERSONATE_USER": "ann"},
            {"impersonate_groups": ["a", "b"], "impersonate_user": "ann"},
            id="groups are a list",
        ),
        pytest.param({}, {"KUBECONFIG": "/x", "HOST": "y", "K8S_AUTH_OTHER": "z"}, {}, id="not ours"),
        pytest.param({"name": "x", "namespace": "y"}, {}, {}, id="other options"),
    ],
)
def test_effective(options: Options, environ: dict[str, str], expected: Options) -> None:
    assert effective(options, environ) == expected


@pytest.mark.parametrize(
    ("options", "environ", "named"),
    [
        ({}, {}, False),
        ({"kubeconfig": "/x"}, {"K8S_AUTH_KUBECONFIG": "/y", "KUBECONFIG": "/z"}, False),
        ({"context": "a"}, {}, True),
        ({"host": "https://a"}, {}, True),
        ({}, {"K8S_AUTH_CONTEXT": "a"}, True),
        ({}, {"K8S_AUTH_HOST": "https://a"}, True),
        ({}, {"K8S_AUTH_HOST": ""}, False),
    ],
)
def test_names_cluster(options: Options, environ: dict[str, str], named: bool) -> None:
    assert names_cluster(options, environ) is named
