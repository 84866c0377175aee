"""The retrying client of the README's section "Trying again"."""

import asyncio
from dataclasses import dataclass, field

import httpx

PAUSE_S = 1.0
TRIES = 30


@dataclass
class PersistentClient:
    """Retries until there is an answer: after Retry-After on a 503, otherwise at once and then every second.

    Attributes:
        failures: statuses and exception names of all failed attempts but 503s with Retry-After.
    """

    client: httpx.AsyncClient
    failures: list[int | str] = field(default_factory=list)

    async def predict(self, image: bytes) -> httpx.Response:
        """The service's answer.

        Raises:
            TimeoutError: no answer after many attempts.
        """
        pause = 0.0
        for _ in range(TRIES):
            try:
                response = await self.client.post("/predict", content=image, headers={"content-type": "image/jpeg"})
            except httpx.TransportError as error:  # connection lost or refused
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
