"""A client's trace goes through the service, its log and to the collector; and each answer tells how long its stages took."""

import re

import httpx

from serve_app.tracing import SERVICE
from tests.support import photos
from tests.support.collector import Collector
from tests.support.service import RunningService

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def test_a_trace_of_the_client(client: httpx.AsyncClient, service: RunningService, collecting: Collector) -> None:
    headers = {"content-type": "image/jpeg", "traceparent": f"00-{TRACE}-{PARENT}-01"}
    response = await client.post("/predict", content=photos.cameraman(), headers=headers)
    assert [line["trace_id"] for line in service.log_lines() if line.get("photo_request_id") == response.json()["request_id"]] == [TRACE]
    ingress, detect, classify = "Ingress __call__", "PersonDetector detect", "GenderClassifier classify"
    spans = collecting.wait_for(TRACE, {f"replica_handle_request {name}" for name in (ingress, detect, classify)})
    assert spans[f"replica_handle_request {ingress}"].parent_span_id.hex() == PARENT
    for call in (detect, classify):  # from the ingress to a replica
        assert spans[f"replica_handle_request {call}"].parent_span_id == spans[f"route_to_replica {call}"].span_id
    assert collecting.traces == {TRACE}  # nobody else has asked for it
    assert collecting.services == {SERVICE}


async def test_an_answer_tells_its_stages(client: httpx.AsyncClient) -> None:
    response = await client.post("/predict", content=photos.cameraman(), headers={"content-type": "image/jpeg"})
    stages = re.findall(r"(\w+);dur=[\d.]+", response.headers["server-timing"])
    assert {"decode", "detect", "crop", "classify", "total"} <= {*stages}
