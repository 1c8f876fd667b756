"""A server on loopback that answers as a test tells it, also in ways that no index should.

    with RudeServer() as server:
        server.routes["/simple/a/"] = page_json([...])        # an answer: bytes, (status, headers, body), or a function
        server.routes["/x"] = cut(b"...", promised=100)       # of the ill kinds below
        server.seen                                           # [(path, headers)]

A function gets the request and gives an answer; one that is a coroutine function writes to the connection itself.
"""
import asyncio
import inspect
import threading

from aiohttp import web


class RudeServer:
    def __init__(self):
        self.routes, self.seen, self.loop = {}, [], asyncio.new_event_loop()

    def __enter__(self):
        ready = threading.Event()
        threading.Thread(target=self._serve, args=(ready,), daemon=True).start()
        assert ready.wait(10)
        return self

    def __exit__(self, *unused):
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _serve(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._start())
        ready.set()
        self.loop.run_forever()

    async def _start(self):
        runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.root = "http://127.0.0.1:%d" % site._server.sockets[0].getsockname()[1]
        self.url = self.root + "/simple"

    async def _answer(self, request):
        self.seen.append((request.path, dict(request.headers)))
        route = self.routes.get(request.path, (404, {}, b"nothing here"))
        if inspect.iscoroutinefunction(route):
            return await route(request)
        if callable(route):
            route = route(request)
        status, headers, body = route if isinstance(route, tuple) else (200, {}, route)
        return web.Response(status=status, headers=headers, body=body)

    def paths(self):
        return [path for path, _ in self.seen]


def ranged(body, whole=False, refuse=False):
    """A file; with `whole` ranges are not understood, with `refuse` they are refused."""

    def answer(request):
        wanted = request.headers.get("Range")
        if not wanted or whole:
            return 200, {}, body
        if refuse:
            return 416, {"Content-Range": f"bytes */{len(body)}"}, b""
        first, last = wanted[len("bytes="):].split("-")
        if not first:
            first, last = max(0, len(body) - int(last)), len(body) - 1
        part = body[int(first) : int(last) + 1]
        return 206, {"Content-Range": f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"}, part

    return answer


def then(*answers):
    """One answer after the other, the last for ever."""
    left = list(answers)

    def answer(request):
        route = left.pop(0) if len(left) > 1 else left[0]
        return route(request) if callable(route) else route if isinstance(route, tuple) else (200, {}, route)

    return answer


def cut(body, promised):
    """Promises more bytes than it sends, and closes."""

    async def answer(request):
        response = web.StreamResponse(headers={"Content-Length": str(promised)})
        await response.prepare(request)
        await response.write(body)
        request.transport.close()
        return response

    return answer


def closes():
    """Closes without an answer."""

    async def answer(request):
        request.transport.close()
        return web.Response()

    return answer


def stalls(seconds=60):
    """Begins to answer and falls silent."""

    async def answer(request):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"<")
        await asyncio.sleep(seconds)
        return response

    return answer


def floods(total):
    """Sends blanks without saying how many."""

    async def answer(request):
        response = web.StreamResponse(headers={"Content-Type": "text/html"})
        await response.prepare(request)
        block = b" " * (1 << 20)
        try:
            for _ in range(total >> 20):
                await response.write(block)
        except ConnectionError:
            pass
        return response

    return answer


def raw(answer_bytes):
    """Not HTTP at all."""

    async def answer(request):
        request.transport.write(answer_bytes)
        await asyncio.sleep(0.05)
        request.transport.close()
        return web.Response()

    return answer
