# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client's pod runs: asks a server ten times a second, a completion and a stream in turn, and writes a line
for each answer. Needs nothing but Python's standard library; every request has a thread of its own, so that one that
hangs does not keep the next from being sent."""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time

HOST, MODEL, TOKENS, TIMEOUT = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
PAUSE = 0.1


def ask(number: int) -> None:
    stream = number % 2 == 1
    answer = {"number": number, "stream": stream, "status": 0, "text": "", "whole": False, "began": time.time()}
    try:
        connection = http.client.HTTPConnection(HOST, 8000, timeout=TIMEOUT)
        body = {"model": MODEL, "prompt": "Hello", "max_tokens": TOKENS if stream else 1, "stream": stream}
        # The number stands in the access log of the pod that answers.
        path = f"/v1/completions?number={number}"
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer["status"] = response.status
        text = response.read().decode()
        events = [line for line in text.splitlines() if line.startswith("data: ")]
        complete = bool(events) and events[-1] == "data: [DONE]" and '"error"' not in text and len(events) > TOKENS
        answer["whole"] = response.status == 200 and (complete or not stream)
        answer["text"] = text[-200:] if stream else text
    except (OSError, http.client.HTTPException) as error:
        answer["text"] = f"{type(error).__name__}: {error}"
    answer["ended"] = time.time()
    os.write(1, (json.dumps(answer) + "\n").encode())


for count in range(sys.maxsize):
    threading.Thread(target=ask, args=(count,)).start()
    time.sleep(PAUSE)
