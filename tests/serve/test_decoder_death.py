"""A photo that kills the detector's process is refused; photos in flight with it are answered."""

import asyncio
import os
from collections.abc import Callable

import httpx

from serve_app.app import AppArgs, deployment, http_deployment
from serve_app.graph.gender_classifier import GenderClassifier
from serve_app.graph.messages import Detection
from serve_app.graph.person_detector import PersonDetector
from serve_app.http.ingress import Ingress
from serve_app.settings import Settings
from serve_app.vision.cropping import CropSpec
from tests.serve.conftest import until_healthy
from tests.support import photos

KILLER = b"\xff\xd8\xff kills decoders"


class MortalDetector(PersonDetector):
    async def detect(self, image: bytes, spec: CropSpec) -> Detection:
        if image == KILLER:
            os._exit(1)
        return await super().detect(image, spec)


async def test_a_photo_that_kills_its_decoder_is_refused_and_its_neighbours_are_answered(deploy: Callable[..., str]) -> None:
    settings, args = Settings(_env_file=None, request_deadline_s=120), AppArgs()
    detector = deployment(MortalDetector).options(health_check_period_s=1).bind(settings, **args.detector.model_dump())
    classifier = deployment(GenderClassifier).bind(settings, **args.classifier.model_dump())
    url = deploy(http_deployment(Ingress).bind(detector, classifier, settings), "mortal")

    async def code(client: httpx.AsyncClient, image: bytes) -> str:
        response = await client.post("/predict", content=image, headers={"content-type": "image/jpeg"})
        answer: str = response.json()["code"]
        return answer

    async with httpx.AsyncClient(base_url=url, timeout=150) as client:
        await until_healthy(client)
        images = [photos.cameraman(), photos.cat(), KILLER, photos.cameraman(), photos.coffee()]
        codes = await asyncio.gather(*(code(client, image) for image in images))
        assert codes == ["ok", "no_person", "corrupt_image", "ok", "no_person"]
        await until_healthy(client)
        assert await code(client, photos.cameraman()) == "ok"
