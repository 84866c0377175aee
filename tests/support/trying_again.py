"""The client of the README's section "Trying again"."""

import asyncio
from dataclasses import dataclass, field

import httpx

PAUSE_S = 1.0
TRIES = 30


@dataclass
class PersistentClient:
    """Asks until there is an answer: after 503 when the service says so, after a death at once and then every second.

    Attributes:
        failures: what came instead of an answer or a 503: statuses, and names of exceptions.
    """

    client: httpx.AsyncClient
    failures: list[int | str] = field(default_factory=list)

    async def predict(self, image: bytes) -> httpx.Response:
        """The answer of the service.

        Raises:
            TimeoutError: there was none after many tries.
        """
        pause = 0.0
        for _ in range(TRIES):
            try:
                response = await self.client.post("/predict", content=image, headers={"content-type": "image/jpeg"})
            except httpx.TransportError as error:  # the connection broke, or nobody listens
                self.failures.append(type(error).__name__)
            else:
                if response.status_code == 503 and "retry-after" in response.headers:
                    pause = float(response.headers["retry-after"])
                elif response.headers.get("content-type") == "application/json":
                    return response
                else:
                    self.failures.append(response.status_code)
            await asyncio.sleep(pause)
            pause = PAUSE_S
        raise TimeoutError
