# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for the vLLM server, for tests. It is not vLLM."""
