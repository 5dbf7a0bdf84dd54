"""A TCP link between a replica and its primary that a test can cut, slow down and look into.

    replica ---> Proxy.port ---> upstream port
            up                down: bytes from the upstream, the ones that are throttled
"""
import socket
import threading
import time


class Proxy:
    def __init__(self, upstream_port, rate=None, mutate=None):
        """`rate` in bytes a second for bytes from upstream; `mutate(data, offset)` may change them."""
        self.upstream_port = upstream_port
        self.rate = rate
        self.mutate = mutate
        self.bytes_down = 0  # forwarded from upstream, all connections
        self.bytes_up = 0
        self.connections = 0
        self.stop_down_at = None  # total of bytes_down after which the link is cut
        self._down = False
        self._closed = False
        self._frozen = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._pairs = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        from .servers import free_port
        self.port = free_port()
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    # What a test does to the link
    def cut(self):
        """Ends all connections; new ones are refused until resume()."""
        self._down = True
        self.drop()

    def drop(self):
        """Ends all connections; new ones work."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def resume(self):
        self.stop_down_at = None
        self._down = False
        self._flowing.set()

    def freeze(self):
        """Forwards nothing in either direction, connections stay open."""
        self._flowing.clear()

    def thaw(self):
        self._flowing.set()

    def cut_after(self, count):
        """Cuts after `count` more bytes from upstream."""
        self.stop_down_at = self.bytes_down + count

    def close(self):
        self._closed = True
        self._flowing.set()
        self.drop()
        self._listener.close()

    # Machinery
    def _accept(self):
        while not self._closed:
            try:
                replica, _ = self._listener.accept()
            except OSError:
                return
            if self._down or self._closed:
                replica.close()
                continue
            try:
                upstream = socket.create_connection(("127.0.0.1", self.upstream_port), 10)
            except OSError:
                replica.close()
                continue
            for end in (replica, upstream):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                end.settimeout(None)
            if self.rate:
                # Small buffers, or megabytes pass before the throttle bites.
                upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            with self._lock:
                self._pairs.append((replica, upstream))
                self.connections += 1
            threading.Thread(target=self._pump, args=(replica, upstream, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(upstream, replica, True), daemon=True).start()

    def _pump(self, source, sink, down):
        sent = 0
        owed = 0.0
        last = time.monotonic()
        try:
            while True:
                rate = self.rate if down else None
                data = source.recv(65536 if not rate else max(1024, min(65536, int(rate / 20))))
                if not data:
                    break
                while not self._flowing.wait(1.0):
                    if self._closed:
                        return
                if down:
                    if self.mutate:
                        data = self.mutate(data, sent)
                    stop_at = self.stop_down_at
                    if stop_at is not None and self.bytes_down + len(data) >= stop_at:
                        sink.sendall(data[:max(0, stop_at - self.bytes_down)])
                        self.bytes_down = stop_at
                        self.cut()
                        return
                sink.sendall(data)
                sent += len(data)
                if down:
                    self.bytes_down += len(data)
                else:
                    self.bytes_up += len(data)
                if rate:
                    moment = time.monotonic()
                    owed = max(0.0, owed - (moment - last)) + len(data) / rate
                    last = moment
                    if owed > 0.05:
                        self._frozen.wait(owed)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

