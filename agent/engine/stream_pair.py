"""Two connected sockets for a stream that is none itself: docker-py gets the near one, a thread carries at the far.

The carrier must tell a near end that is closed from one that has only finished writing. Where the system has `poll`,
that tells; Windows has none, and its sockets say of both that nothing more will come, so there the ends say it.
"""

from __future__ import annotations

import select
import socket
import threading

BUFFER = 1024 * 1024
_READABLE = getattr(select, "POLLIN", 0)
_OVER = getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0) | getattr(select, "POLLNVAL", 0)


class End(socket.socket):
    """One of the two."""

    def __init__(self, descriptor: int, over: threading.Event) -> None:
        super().__init__(fileno=descriptor)
        self._over = over

    def close(self) -> None:
        """Also called when the last file made of it is closed; only then it is."""
        super().close()
        if self.fileno() < 0:
            self._over.set()

    def hang_up(self) -> None:
        """The end of everything, for whoever waits at either end; but it may still be looked at."""
        try:
            self.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it was over before
        finally:
            self._over.set()

    def is_over(self, seconds: float) -> bool:
        """Whether, by then, the other end is closed, and not merely done with writing, or this one has hung up."""
        if not hasattr(select, "poll"):
            return self._over.wait(seconds)
        poll = select.poll()
        poll.register(self, 0)
        return any(event & _OVER for _, event in poll.poll(seconds * 1000))


def stream_pair(near_end: type[End] = End) -> tuple[End, End]:
    """The near and the far end."""
    over = threading.Event()
    near, far = socket.socketpair()
    ends = near_end(near.detach(), over), End(far.detach(), over)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ends


def is_readable(descriptor: int, seconds: float) -> bool:
    """Whether something can be read by then, or the end. Where there is `poll`: `select` knows 1024 descriptors."""
    if not hasattr(select, "poll"):
        return bool(select.select([descriptor], [], [], seconds)[0])
    poll = select.poll()
    poll.register(descriptor, _READABLE)
    return bool(poll.poll(seconds * 1000))
