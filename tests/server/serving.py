"""A server of the tests as a context: it serves in a thread of its own while the context lasts."""
import threading


class Serving:
    """Wants `self.server`, a socketserver."""

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()
