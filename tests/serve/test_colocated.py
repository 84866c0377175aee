"""Both models in one process: the same answers as from two, and each model is exchanged on its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from ray.serve import Application

from serve_app.app import AppArgs, deployment, http_deployment
from serve_app.graph.colocated import ColocatedModels
from serve_app.http.ingress import Ingress
from serve_app.question import lot_of
from serve_app.settings import COLOCATED_CONFIG, Settings
from tests.support import photos
from tests.support.checkpoints import write_tiny_classifier
from tests.support.service import ROOT, RunningService

Answer = dict[str, Any]
ARGS = AppArgs(**yaml.safe_load((ROOT / COLOCATED_CONFIG).read_text())["applications"][0]["args"])


def graph(user_config: dict[str, Any] | None = None) -> Application:
    """As `build` makes it; with arguments that stay the same, Serve only applies another `user_config`."""
    models = deployment(ColocatedModels).options(user_config=user_config or {}, ray_actor_options={"num_cpus": 0.5})
    bound = models.bind(Settings(_env_file=None), ARGS.detector.model_dump(), ARGS.classifier.model_dump(), deploy="once")
    return http_deployment(Ingress).bind(bound, None, Settings(_env_file=None))


def ask(url: str, photo: bytes, **query: str) -> Answer:
    headers = {"content-type": "image/jpeg"}
    answer: Answer = httpx.post(f"{url}/predict", content=photo, headers=headers, params=query, timeout=60).json()
    return answer


def test_it_answers_as_models_in_two_processes_do(deploy: Callable[..., str], service: RunningService) -> None:
    url = deploy(graph(), "colocated")
    codes = set()
    for photo in (photos.cameraman(), photos.astronaut(), photos.cat(), photos.two_people(), photos.cameraman()[:900], b"no image"):
        here, there = ask(url, photo), ask(service.url, photo)
        for probabilities in (here.pop("probabilities", None), there.get("probabilities")):
            assert (probabilities is None) == (there["code"] not in ("ok", "unsure"))
        assert here.get("confidence") == pytest.approx(there.get("confidence"), abs=1e-3)
        for varying in ("request_id", "confidence", "probabilities"):
            here.pop(varying, None), there.pop(varying, None)
        assert here == there
        codes.add(here["code"])
    each = [ask(at, photos.two_people(), people="each")["people"] for at in (url, service.url)]
    assert len(each[0]) == 2
    for person, other in zip(*each, strict=True):
        assert person["probabilities"] == pytest.approx(other["probabilities"], abs=1e-3)
    assert codes == {"ok", "unsure", "no_person", "multiple_people", "corrupt_image", "not_an_image"}
    assert httpx.get(f"{url}/health", timeout=60).json() == httpx.get(f"{service.url}/health", timeout=60).json()


def test_each_model_is_exchanged_on_its_own_and_a_candidate_answers_its_share_until_that_is_taken_back(
    deploy: Callable[..., str], tmp_path: Path
) -> None:
    other = write_tiny_classifier(tmp_path / "other", labels=("male", "female"))
    (other / "decision.json").write_text('{"crop_margin": 0.2}')  # crops that were made for the first one do not fit
    url = deploy(graph(), "exchanged")
    before = ask(url, photos.cameraman())
    deploy(graph({"classifier": {"model_uri": str(other)}}), "exchanged")
    while not (after := ask(url, photos.cameraman()))["model"]["classifier"].startswith("other@"):
        assert after["model"] == before["model"]
    assert after["code"] == "ok"
    assert after["model"]["detector"] == before["model"]["detector"]
    _try_a_candidate_beside(other, lambda config: deploy(graph({"classifier": config}), "exchanged"))
    deploy(graph({"classifier": {"model_uri": str(other)}, "detector": {"min_area": 1.0}}), "exchanged")
    while (code := ask(url, photos.cameraman())["code"]) != "no_person":
        assert code == "ok"


def _try_a_candidate_beside(current: Path, deploy: Callable[[dict[str, Any]], str]) -> None:
    candidate = write_tiny_classifier(current.parent / "candidate", labels=("female", "male"))
    (candidate / "decision.json").write_bytes((current / "decision.json").read_bytes())  # the same crops
    config = {"model_uri": str(current), "shadow_uri": str(candidate), "shadow_share": 1.0, "canary_share": 0.5}
    url = deploy(config)
    ids = [f"request-{number}" for number in range(8)]
    chosen = next(each for each in ids if lot_of(each) < 0.5)
    while who(url, chosen) != "candidate":
        pass  # it is loaded in the background
    assert [who(url, each) for each in ids] == ["candidate" if lot_of(each) < 0.5 else "other" for each in ids]
    deploy(config | {"canary_share": 0.0})
    while who(url, chosen) == "candidate":
        pass  # each poll is a request
    assert {who(url, each) for each in ids} == {"other"}


def who(url: str, request_id: str) -> str:
    """Name of the classifier that answers the request of this id."""
    headers = {"content-type": "image/jpeg", "x-request-id": request_id}
    answer: Answer = httpx.post(f"{url}/predict", content=photos.cameraman(), headers=headers, timeout=60).json()
    assert answer["request_id"] == request_id
    name: str = answer["model"]["classifier"].partition("@")[0]
    return name


def test_a_part_that_does_not_exist_is_refused(deploy: Callable[..., str]) -> None:
    with pytest.raises(RuntimeError):
        deploy(graph({"detectors": {}}), "refused")
