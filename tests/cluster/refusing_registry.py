# SPDX-License-Identifier: GPL-3.0-or-later
"""An image registry that answers every request with the HTTP status that stands first in the repository's name.

`127.0.0.1:15001/401/model:1` gives 401 Unauthorized, 403, 429 and 500 likewise.
"""

from __future__ import annotations

import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        first = self.path.removeprefix("/v2/").split("/")[0]
        self.send_response(int(first) if first.isdigit() else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.do_GET()


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
