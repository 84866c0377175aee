"""The person filter and folder prediction on a Ray cluster, from S3 to S3."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pytest

from serve_app.codes import Code
from tests.support.data_sets import ROW, load_names_work
from tests.support.photos import cameraman, cat, two_people
from tests.support.s3 import S3Server
from tune_training.data import examine
from tune_training.data.prepare import PrepareOptions, prepare
from tune_training.io.workers import TASK, Engine, work_on
from tune_training.predict import predict


@pytest.fixture
def photos(cluster: S3Server) -> str:
    names = {"female/one.jpg": cameraman(), "female/two.jpg": two_people(), "male/close/cat.jpg": cat(), "male/broken.jpg": b"\xff\xd8\xff"}
    cluster.client.create_bucket(Bucket="filter")
    for name, content in names.items():
        cluster.put("filter", f"photos/{name}", content)
    return "s3://filter/photos"


def crashed(name: str) -> pa.Table:
    return pa.Table.from_pylist([{"name": f"crashed: {name}", "process": 0}], ROW)


def test_a_file_that_kills_its_actor_is_the_only_one_that_is_lost(cluster: S3Server) -> None:
    names = [f"{number:03d}" for number in range(2 * TASK)]
    found = pa.concat_tables(work_on([*names[:5], "deadly", *names[5:]], load_names_work, crashed, Engine.RAY))["name"].to_pylist()
    assert sorted(found) == [*names, "crashed: deadly"]


def test_both_read_decode_and_answer_in_actors(photos: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = PrepareOptions(close_up_sources=["close"], val_share=0, test_share=0, engine=Engine.RAY)
    first = prepare(photos, "s3://filter/out", options)
    assert [row.name for row in first.manifest.photos] == ["female/one.jpg", "male/close/cat.jpg"]
    assert {reject.uri: reject.reason for reject in first.rejects} == {
        "female/two.jpg": Code.MULTIPLE_PEOPLE,
        "male/broken.jpg": Code.CORRUPT_IMAGE,
    }
    assert first.manifest.photos[0].box[3] > 0.9

    def nothing_left(names: Sequence[str], *_: object) -> Iterator[pa.Table]:
        assert not names
        return iter(())

    monkeypatch.setattr(examine, "work_on", nothing_left)
    assert prepare(photos, "s3://filter/out", options) == first

    codes = dict(zip(*[predict(photos, "s3://filter/answers.parquet")[name].to_pylist() for name in ("path", "code")], strict=True))
    assert codes == {
        "female/one.jpg": "ok",
        "female/two.jpg": "multiple_people",
        "male/broken.jpg": "corrupt_image",
        "male/close/cat.jpg": "no_person",
    }
