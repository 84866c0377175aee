"""Keys and limits on a running ingress, with simulated models."""

import asyncio
from collections.abc import Callable

import httpx

from serve_app.http.keys import digest
from serve_app.settings import Settings
from tests.serve.conftest import until_healthy
from tests.support import simulated

KEY = "gp_the-shops-key"
BURST = 10


async def test_only_who_has_a_key_may_ask_and_not_too_often(deploy: Callable[..., str]) -> None:
    a_photo_an_hour = {"rate_limit_photos_per_s": 1 / 3600, "rate_limit_burst": BURST}
    settings = Settings(_env_file=None, api_keys=f"shop:{digest(KEY)}", **a_photo_an_hour)  # type: ignore[arg-type] # it is split
    url = await asyncio.to_thread(deploy, simulated.graph(settings), "keys")
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await until_healthy(client)

        async def ask(headers: dict[str, str]) -> httpx.Response:
            return await client.post("/predict", content=b"photo", headers={"content-type": "image/jpeg"} | headers)

        refused = await ask({})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert refused.headers["www-authenticate"].startswith("Bearer")
        answers = [await ask({"authorization": f"Bearer {KEY}"}) for _ in range(BURST + 1)]
        assert [answer.json()["code"] for answer in answers] == ["ok"] * BURST + ["too_many_requests"]
        assert int(answers[-1].headers["retry-after"]) > 3000
