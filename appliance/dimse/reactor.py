"""Wakes pynetdicom's two threads of an association when there is something to do, instead of their polling.

One thread reads PDUs, the other serves messages; each looks every millisecond whether the other or the peer has
something for it. Here they wait: the first on its socket with an eventfd beside it, the second on its message queue.
"""

from __future__ import annotations

import os
import queue
import weakref
from typing import Any

from pynetdicom.association import Association

WAIT_SECONDS = 0.1


class _NotifyingQueue(queue.Queue[Any]):
    """A queue that calls somebody after every put."""

    def __init__(self, notify: Any) -> None:
        super().__init__()
        self._notify = notify

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put ``item``, then notify."""
        super().put(item, block, timeout)
        self._notify()


def wake_instead_of_polling(association: Association) -> int:
    """Prepare an association that was not started; return the eventfd that ends its socket's wait.

    The descriptor is closed when the association is no longer referred to.
    """
    waker = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    weakref.finalize(association, os.close, waker)
    dul, messages = association.dul, association.dimse.msg_queue
    dul._run_loop_delay = 0.0
    dul.to_provider_queue = _NotifyingQueue(lambda: os.eventfd_write(waker, 1))
    # Releases and aborts come by this queue, which the serving thread looks at after every message: send an empty one.
    dul.to_user_queue = _NotifyingQueue(lambda: messages.put((None, None)))
    kill_dul = dul.kill_dul

    def end() -> None:
        """End the reading thread, and the other's wait for a request: who hung up before it holds no place."""
        kill_dul()
        dul.to_user_queue.put(None)

    dul.kill_dul = end  # type: ignore[method-assign]  # the only seam there is

    def get_message(block: bool = False) -> Any:
        try:
            return messages.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            return None, None

    association.dimse.get_msg = get_message  # type: ignore[method-assign]  # the only seam there is
    return waker
