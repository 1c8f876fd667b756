"""A proxy on loopback: forwards http, tunnels CONNECT, may want credentials.

    with Proxy(login="me:secret") as proxy:
        proxy.url                # http://127.0.0.1:PORT
        proxy.seen               # ["GET http://…", "CONNECT host:port"] of those it let through
        proxy.refused            # how many came without the right credentials
"""
import base64
import http.client
import http.server
import select
import socket
import urllib.parse

from serving import Serving


class Proxy(Serving):
    def __init__(self, login=None):
        self.wanted = "Basic " + base64.b64encode(login.encode()).decode() if login else None
        self.seen, self.refused = [], 0
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"proxy": self}))
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = "http://" + self.host


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy = None

    def log_message(self, *unused):
        pass

    def allowed(self):
        if self.proxy.wanted and self.headers.get("Proxy-Authorization") != self.proxy.wanted:
            self.proxy.refused += 1
            self.send_response(407)
            self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False
        self.proxy.seen.append(f"{self.command} {self.path}")
        return True

    def do_GET(self):
        if not self.allowed():
            return
        url = urllib.parse.urlsplit(self.path)
        there = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=10)
        there.request("GET", url.path, headers={k: v for k, v in self.headers.items() if not k.lower().startswith("proxy-")})
        answer = there.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_CONNECT(self):
        if not self.allowed():
            return
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as there:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            ends = {self.connection: there, there: self.connection}
            while True:
                for ready in select.select(list(ends), [], [], 10)[0]:
                    block = ready.recv(65536)
                    if not block:
                        self.close_connection = True
                        return
                    ends[ready].sendall(block)
