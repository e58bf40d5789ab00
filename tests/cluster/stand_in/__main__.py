# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations
import argparse, http.server, json, os, signal, sys, time

def main():
    p = argparse.ArgumentParser(prog="vllm"); s = p.add_subparsers(dest="c"); a = s.add_parser("serve")
    a.add_argument("model"); a.add_argument("--served-model-name", nargs="+"); a.add_argument("--port", type=int, default=8000); a.add_argument("--host", default="0.0.0.0"); a.add_argument("--fingerprint-value", default="vllm")
    o, _ = p.parse_known_args()
    names = o.served_model_name or [o.model]
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print("This is a stand-in for vLLM, not vLLM.", flush=True)
    time.sleep(float(os.environ.get("STAND_IN_LOAD_SECONDS", "2")))
    class H(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def say(self, code, body):
            data = json.dumps(body).encode() if body is not None else b""
            self.send_response(code); self.send_header("content-length", str(len(data))); self.send_header("content-type", "application/json"); self.end_headers(); self.wfile.write(data)
        def auth(self):
            k = os.environ.get("VLLM_API_KEY")
            if k and self.path.startswith("/v1") and self.headers.get("authorization") != "Bearer " + k: self.say(401, {"error": "Unauthorized"}); return False
            return True
        def do_GET(self):
            if not self.auth(): return
            if self.path == "/health": self.say(200, None)
            elif self.path == "/v1/models": self.say(200, {"object": "list", "data": [{"id": n, "object": "model", "root": o.model, "max_model_len": 4096} for n in names]})
            elif self.path == "/version": self.say(200, {"version": os.environ.get("STAND_IN_VERSION", "0.33.0")})
            else: self.say(404, {"detail": "Not Found"})
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
            if not self.auth(): return
            if body.get("model", names[0]) not in names: self.say(404, {"error": {"message": f"The model `{body['model']}` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}); return
            self.say(200, {"id": "cmpl-1", "object": "text_completion", "model": names[0], "choices": [{"index": 0, "text": " word", "finish_reason": "length"}], "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3}, "system_fingerprint": o.fingerprint_value})
    http.server.ThreadingHTTPServer((o.host, o.port), H).serve_forever()

if __name__ == "__main__":
    main()
