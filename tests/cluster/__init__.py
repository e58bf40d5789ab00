# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes cluster of one node for tests and for the demo: `python -m tests.cluster up`."""
