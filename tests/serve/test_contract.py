"""The HTTP contract on the real service with the embedded models."""

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serve_app.codes import MEANINGS, Code
from tests.support import photos

ANSWER_KEYS = {"prediction", "confidence", "person_count", "probabilities", "error", "code", "people", "request_id", "model"}


async def predict(client: httpx.AsyncClient, image: bytes) -> dict[str, Any]:
    response = await client.post("/predict", files={"file": ("photo.jpg", image, "image/jpeg")})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    assert body.keys() == ANSWER_KEYS
    return body


async def test_one_person(client: httpx.AsyncClient) -> None:
    body = await predict(client, photos.cameraman())
    assert (body["code"], body["person_count"], body["error"]) == ("ok", 1, None)
    assert body["confidence"] == body["probabilities"][body["prediction"]] == max(body["probabilities"].values())
    assert body["probabilities"].keys() == {"male", "female"}
    assert sum(body["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    (person,) = body["people"]
    x0, y0, x1, y1 = person["box"]
    assert 0 <= x0 < 0.45 < x1 <= 1  # his face is at 0.44, 0.23
    assert 0 <= y0 < 0.23 < y1 <= 1
    assert all("@" in name for name in body["model"].values())


async def test_a_hard_photo_of_a_woman_is_answered_rightly_or_not_at_all(client: httpx.AsyncClient) -> None:
    """The first photo that many try; version 1.0.0 was confident that it shows a man."""
    body = await predict(client, photos.astronaut())
    assert (body["code"], body["prediction"]) in [("ok", "female"), ("unsure", None)]
    assert body["person_count"] == 1
    assert body["probabilities"].keys() == {"male", "female"}


@pytest.mark.parametrize("photo", [photos.cat, photos.coffee], ids=["cat", "coffee"])
async def test_nobody(client: httpx.AsyncClient, photo: Any) -> None:
    body = await predict(client, photo())
    assert body["error"] == "No person detected in image"
    assert (body["code"], body["prediction"], body["confidence"], body["person_count"], body["people"]) == ("no_person", None, 0.0, 0, [])


async def test_several_people(client: httpx.AsyncClient) -> None:
    body = await predict(client, photos.two_people())
    assert body["error"] == "Multiple people detected (2 people). Please use single-person images."
    assert (body["code"], body["prediction"], body["person_count"], len(body["people"])) == ("multiple_people", None, 2, 2)


async def test_each_of_several_people(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict?people=each", content=photos.two_people(), headers={"content-type": "image/jpeg"})
    body = response.json()
    assert body.keys() == ANSWER_KEYS
    assert (body["person_count"], body["prediction"], body["probabilities"]) == (2, None, None)
    assert body["code"] == ("ok" if any(person["prediction"] for person in body["people"]) else "unsure")
    for person in body["people"]:
        assert person["probabilities"].keys() == {"male", "female"}
        assert (person["code"], person["error"]) == (("ok", None) if person["prediction"] else ("unsure", MEANINGS[Code.UNSURE].text))
    # A photo of one person has the same answer either way, and the person has it, too.
    alone = await predict(client, photos.cameraman())
    answer = await client.post("/predict?people=each", content=photos.cameraman(), headers={"content-type": "image/jpeg"})
    (person,) = answer.json()["people"]
    for about in (answer.json(), person):
        assert (about["code"], about["prediction"]) == (alone["code"], alone["prediction"])
        assert about["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-3)


async def test_an_answer_is_explained(client: httpx.AsyncClient) -> None:
    body = await explained(client, photos.cameraman())
    told = body.pop("explanation")
    assert body.keys() == ANSWER_KEYS
    assert (told["label"], told["base"] > 0) == (body["prediction"], True)
    assert len({len(row) for row in told["changes"]}) == 1
    assert 20 <= sum(map(len, told["changes"])) <= 49


@pytest.mark.parametrize("photo", [photos.astronaut, photos.cameraman], ids=lambda photo: photo.__name__)
async def test_something_in_the_picture_speaks_for_the_answer(client: httpx.AsyncClient, photo: Callable[[], bytes]) -> None:
    told = (await explained(client, photo()))["explanation"]
    assert max(max(row) for row in told["changes"]) > 0.1


async def explained(client: httpx.AsyncClient, image: bytes) -> dict[str, Any]:
    response = await client.post("/predict?explain=true", content=image, headers={"content-type": "image/jpeg"})
    body: dict[str, Any] = response.json()
    return body


async def test_the_image_may_be_the_body_and_the_answer_is_the_same(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=photos.cameraman(), headers={"content-type": "image/jpeg"})
    form = await predict(client, photos.cameraman())
    assert response.json() | {"request_id": ""} == form | {"request_id": ""}


async def test_a_photo_gets_the_same_answer_alone_and_in_any_company(client: httpx.AsyncClient) -> None:
    alone = await predict(client, photos.cameraman())
    crowd = [photos.cameraman(), photos.cat(), photos.two_people(), photos.coffee()] * 5
    answers = await asyncio.gather(*(predict(client, image) for image in crowd))
    for answer in answers[::4]:
        assert answer["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-3)
        assert answer["people"][0]["box"] == pytest.approx(alone["people"][0]["box"], abs=1e-3)


async def test_a_batch_answers_in_order_and_isolates_faults(client: httpx.AsyncClient) -> None:
    files = [
        ("files", ("a.jpg", photos.cameraman(), "image/jpeg")),
        ("files", ("b.jpg", b"not an image", "image/jpeg")),
        ("files", ("c.jpg", photos.cat(), "image/jpeg")),
        ("files", ("d.jpg", photos.cameraman()[:5000], "image/jpeg")),
    ]
    response = await client.post("/predict-batch", files=files)
    assert response.status_code == 200
    results = response.json()["results"]
    assert [(item["filename"], item["code"]) for item in results] == [
        ("a.jpg", "ok"),
        ("b.jpg", "not_an_image"),
        ("c.jpg", "no_person"),
        ("d.jpg", "corrupt_image"),
    ]
    assert all(item.keys() == ANSWER_KEYS | {"filename"} for item in results)


@pytest.mark.parametrize(
    ("image", "code"),
    [(b"%PDF-1.7", Code.NOT_AN_IMAGE), (b"", Code.NOT_AN_IMAGE), (b"\xff\xd8\xff\xe0" + bytes(100), Code.CORRUPT_IMAGE)],
    ids=["pdf", "empty", "broken"],
)
async def test_faults_of_the_file(client: httpx.AsyncClient, image: bytes, code: Code) -> None:
    response = await client.post("/predict", files={"file": ("photo.jpg", image, "image/jpeg")})
    assert response.status_code == MEANINGS[code].status
    body = response.json()
    assert body["code"] == code
    assert body["detail"] == body["error"] == MEANINGS[code].text
    assert body["request_id"] == response.headers["x-request-id"]


async def test_a_request_id_is_taken_over_once(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=photos.cat(), headers={"content-type": "image/jpeg", "x-request-id": "mine-1"})
    assert response.headers.get_list("x-request-id") == ["mine-1"]
    assert response.json()["request_id"] == "mine-1"


async def test_rays_control_headers_do_not_disturb(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "image/jpeg", "x-request-timeout-seconds": "0", "x-request-disconnect-disabled": "?1"}
    response = await client.post("/predict", content=photos.cat(), headers=headers)
    assert response.json()["code"] == "no_person"


async def test_unknown_addresses_and_methods_have_the_contracts_body(client: httpx.AsyncClient) -> None:
    for response, status, code in (
        (await client.get("/nothing"), 404, "not_found"),
        (await client.get("/predict"), 405, "method_not_allowed"),
    ):
        assert response.status_code == status
        assert response.json().keys() == {"error", "detail", "code", "request_id"}
        assert response.json()["code"] == code


async def test_the_cards_are_of_the_models_that_answer(client: httpx.AsyncClient) -> None:
    response = await client.get("/model")
    names = {role: f"{card['name']}@{card['revision']}" for role, card in response.json().items()}
    assert names == (await predict(client, photos.cameraman()))["model"]
    assert (await client.get("/model", headers={"if-none-match": response.headers["etag"]})).status_code == 304
    assert "# Gender presentation classifier" in (await client.get("/model/card")).text


async def test_health_names_the_models_that_answer(client: httpx.AsyncClient) -> None:
    health = (await client.get("/health")).json()
    answer = await predict(client, photos.cat())
    assert health["status"] == "healthy"
    assert {role: f"{model['name']}@{model['revision']}" for role, model in health["models"].items()} == answer["model"]


async def test_the_malformed_set_gives_no_fault_of_ours_and_no_hang(client: httpx.AsyncClient, malformed_data: Path) -> None:
    about_people = {Code.OK, Code.NO_PERSON, Code.MULTIPLE_PEOPLE, Code.UNSURE}
    allowed = about_people | {Code.NOT_AN_IMAGE, Code.CORRUPT_IMAGE, Code.IMAGE_TOO_LARGE}
    files = [path for path in sorted(malformed_data.iterdir()) if path.name != "index.csv"]
    assert len(files) == 90
    for path in files:
        response = await client.post("/predict", files={"file": ("photo.jpg", path.read_bytes(), "image/jpeg")})
        assert response.json()["code"] in allowed, (path.name, response.text)


async def test_real_photos_are_answered_rightly(client: httpx.AsyncClient, gender_data: Path) -> None:
    """A sample of the test split; metrics.json of the models covers all of it."""
    with (gender_data / "index.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test" and row["source"] == "gender_dataset_face"]
    sample = rows[:10] + rows[-10:]
    answers = await asyncio.gather(*(predict(client, (gender_data / row["path"]).read_bytes()) for row in sample))
    right = sum(answer["prediction"] == row["gender"] for answer, row in zip(answers, sample, strict=True))
    assert right >= 17


async def test_real_scenes_are_counted_rightly(client: httpx.AsyncClient, person_data: Path) -> None:
    """Empty scenes of the test split; the detector's metrics.json covers all of it."""
    document = json.loads((person_data / "test.json").read_text())
    empty = [image for image in document["images"] if image["source"].startswith("sun_")][:15]
    answers = await asyncio.gather(*(predict(client, (person_data / image["file_name"]).read_bytes()) for image in empty))
    assert sum(answer["code"] == "no_person" for answer in answers) >= 12
