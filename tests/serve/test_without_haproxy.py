"""Where there is no HAProxy, clients meet Serve's own proxy."""

import httpx
import pytest

from serve_app.codes import Code
from serve_app.http.answers import Fault


@pytest.mark.parametrize("path", ["/predict", "/health", "/"])
async def test_before_there_is_an_application_clients_are_asked_to_try_again(cluster: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=cluster, timeout=60) as client:
        answer = await client.post(path, content=b"a photo", headers={"x-request-id": "mine-1", "content-type": "image/jpeg"})
    assert (answer.status_code, answer.headers["retry-after"], answer.headers.get_list("x-request-id")) == (503, "1", ["mine-1"])
    assert answer.json() == Fault.of(Code.OVERLOADED, "mine-1").model_dump(mode="json")
