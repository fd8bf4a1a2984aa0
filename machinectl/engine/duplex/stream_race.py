"""Open a stream to the first of an engine's addresses that answers as the engine. For asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from machinectl.engine.dialling.address_race import AddressTries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from machinectl.engine.duplex.duplex_stream import DuplexStream
    from machinectl.engine.endpoint import Endpoint


async def open_first(endpoint: Endpoint, open_one: Callable[[Endpoint], Awaitable[DuplexStream]]) -> DuplexStream:
    """See `dial_first`."""
    tries = AddressTries(endpoint)
    under_way: dict[asyncio.Future[DuplexStream], Endpoint] = {}
    try:
        while one := tries.next():
            under_way[asyncio.ensure_future(open_one(one))] = one
            while under_way:
                ended, _ = await asyncio.wait(under_way, timeout=tries.patience, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    failure = task.exception()
                    if failure is None:
                        tries.succeed(under_way.pop(task))
                        return task.result()
                    if not isinstance(failure, Exception):
                        raise failure
                    tries.fail(under_way.pop(task), failure)
                if tries.waiting:
                    break
    finally:
        await close_others(list(under_way))
    raise tries.error()


async def close_others(tasks: list[asyncio.Future[DuplexStream]]) -> None:
    for task in tasks:
        task.cancel()
    for found in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(found, BaseException):
            found.close()
