"""The Python client (clients/python) understands the app, and the app it."""

from gender_client import AsyncClient, Code, ServiceError
from httpx import ASGITransport

from serve_app.http.app import create_app
from serve_app.http.keys import digest
from tests.support.http import FakeService, settings

KEY = "gp_the-shops-key"


async def test_all_calls() -> None:
    app = create_app(FakeService(), settings(api_keys=f"shop:{digest(KEY)}"))
    async with AsyncClient("http://test", key=KEY, transport=ASGITransport(app)) as client:
        assert (await client.predict(b"photo")).code is Code.OK
        assert [item.code async for item in client.predict_batch([b"photo", b"multiple_people"])] == [Code.OK, Code.MULTIPLE_PEOPLE]
        outcomes = {photo: outcome async for photo, outcome in client.predict_many([b"photo", b"not_an_image"])}
        assert isinstance(outcomes[b"not_an_image"], ServiceError)
        streaming = client.stream([b"photo", b"multiple_people", b"corrupt_image"], people="each")
        streamed = {index: outcome async for index, outcome in streaming}
        assert [getattr(streamed[index], "code", None) for index in range(3)] == [Code.OK, Code.OK, Code.CORRUPT_IMAGE]
        assert (await client.predict(b"photo", explain=True)).explanation
        assert (await client.health()).models.keys() == (await client.cards()).keys()
    async with AsyncClient("http://test", key="wrong", transport=ASGITransport(app)) as client:
        outcomes = {photo: outcome async for photo, outcome in client.predict_many([b"photo"])}
        assert isinstance(refused := outcomes[b"photo"], ServiceError)
        assert refused.code is Code.UNAUTHORIZED
