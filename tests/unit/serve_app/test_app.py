"""The builder's arguments are checked, and the Serve configs have no key that Serve would ignore."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError
from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
from ray.serve.schema import DeploymentSchema, HTTPOptionsSchema, LoggingConfig, ServeApplicationSchema, ServeDeploySchema

from serve_app import settings as settings_module
from serve_app.__main__ import with_address
from serve_app.app import AppArgs, build
from serve_app.checkpoints.decision import ClassifierDecision, DetectorDecision
from serve_app.graph.candidate import CandidateConfig
from serve_app.settings import COLOCATED_CONFIG, SERVE_CONFIG, Settings

ROOT = Path(__file__).parents[3]

Config = dict[str, Any]


def read(name: str) -> Config:
    loaded: Config = yaml.safe_load((ROOT / name).read_text())
    return loaded


def deployments_of(config: Config) -> dict[str, Config]:
    return {each["name"]: each for each in config["applications"][0]["deployments"]}


@pytest.fixture(scope="module")
def config() -> Config:
    return read(SERVE_CONFIG)


@pytest.fixture(scope="module")
def colocated() -> Config:
    return read(COLOCATED_CONFIG)


@pytest.fixture(scope="module")
def deployments(config: Config) -> dict[str, Config]:
    return deployments_of(config)


@pytest.mark.parametrize("args", [{"typo": 1}, {"detector": {"max_batch_size": 0}}, {"classifier": {"threads": "many"}}])
def test_serve_refuses_wrong_arguments(args: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call_user_app_builder_with_args_if_necessary(build, args)  # type: ignore[arg-type] # Ray accepts any function


@pytest.mark.parametrize(
    ("name", "deployments"),
    [(SERVE_CONFIG, {"Ingress", "PersonDetector", "GenderClassifier"}), (COLOCATED_CONFIG, {"Ingress", "ColocatedModels"})],
)
def test_the_graph_has_the_deployments_of_the_config(name: str, deployments: set[str]) -> None:
    config = read(name)
    application = build(AppArgs(**config["applications"][0]["args"]))
    names = {application._bound_deployment.name}
    names |= {child._bound_deployment.name for child in application._bound_deployment.init_args if hasattr(child, "_bound_deployment")}
    assert names == deployments_of(config).keys() == deployments


def test_the_colocated_config_is_the_graphs_but_for_the_models(config: Config, colocated: Config) -> None:
    """So each number has one explanation. Batches are smaller: each model is there three times."""
    (here,), (there,) = colocated["applications"], config["applications"]
    assert colocated | {"applications": None} == config | {"applications": None}
    own_args = {"colocate": True, "detector": there["args"]["detector"] | {"max_batch_size": 2}}
    own_args["classifier"] = {"max_batch_size": 4, "threads": own_args["detector"]["threads"]}
    assert here["args"] == there["args"] | own_args
    ingress, models = here["deployments"]
    first, detector, classifier = there["deployments"]
    assert ingress == first
    assert models["user_config"] == {"detector": detector["user_config"], "classifier": classifier["user_config"]}
    own = {"name": "ColocatedModels", "user_config": models["user_config"], "ray_actor_options": {"num_cpus": 0.9}}
    assert models == detector | own


def test_two_replicas_of_both_models_and_an_ingress_fit_on_two_cores(colocated: Config) -> None:
    cpus = {name: each["ray_actor_options"]["num_cpus"] for name, each in deployments_of(colocated).items()}
    assert cpus["Ingress"] + 2 * cpus["ColocatedModels"] <= 2.0


@pytest.mark.parametrize(("count", "name"), [(1, COLOCATED_CONFIG), (3, COLOCATED_CONFIG), (4, SERVE_CONFIG), (64, SERVE_CONFIG)])
def test_make_serve_colocates_the_models_where_cores_are_few(monkeypatch: pytest.MonkeyPatch, count: int, name: str) -> None:
    monkeypatch.setattr(settings_module, "cores", lambda: count)
    monkeypatch.delenv("SERVE_CONFIG", raising=False)
    assert Settings(_env_file=None).effective_serve_config == Path(name)
    monkeypatch.setenv("SERVE_CONFIG", "mine.yaml")
    assert Settings(_env_file=None).effective_serve_config == Path("mine.yaml")


def unknown_keys(raw: dict[str, Any], schema: type[BaseModel]) -> set[str]:
    return raw.keys() - schema.model_fields.keys()


@pytest.mark.parametrize("name", [SERVE_CONFIG, COLOCATED_CONFIG])
def test_the_config_is_valid_and_has_no_key_that_serve_ignores(name: str) -> None:
    config = read(name)
    ServeDeploySchema.model_validate(config)
    assert not unknown_keys(config, ServeDeploySchema)
    assert not unknown_keys(config["http_options"], HTTPOptionsSchema)
    assert not unknown_keys(config["logging_config"], LoggingConfig)
    for application in config["applications"]:
        assert not unknown_keys(application, ServeApplicationSchema)
        for deployment in application["deployments"]:
            assert not unknown_keys(deployment, DeploymentSchema)


def test_an_unknown_key_would_be_found() -> None:
    assert unknown_keys({"name": "x", "max_ongoing_request": 3}, DeploymentSchema) == {"max_ongoing_request"}


def test_the_arguments_in_the_config_are_the_builders(config: Config) -> None:
    AppArgs(**config["applications"][0]["args"])


@pytest.mark.parametrize(
    ("name", "decision"), [("PersonDetector", DetectorDecision), ("GenderClassifier", ClassifierDecision)], ids=lambda value: str(value)
)
def test_user_config_names_all_that_can_be_overridden(deployments: dict[str, Config], name: str, decision: type[BaseModel]) -> None:
    of_candidate = CandidateConfig.model_fields if decision is ClassifierDecision else []
    assert deployments[name]["user_config"] == dict.fromkeys(["model_uri", *decision.model_fields, *of_candidate])


def test_serves_limits_stand_above_the_apps(config: Config, deployments: dict[str, Config]) -> None:
    settings = Settings(_env_file=None)
    assert config["http_options"]["request_timeout_s"] > settings.upload_deadline_s + settings.request_deadline_s
    assert deployments["Ingress"]["max_ongoing_requests"] > 1.5 * (settings.max_photos_in_flight + settings.max_uploads)
    for name in ("PersonDetector", "GenderClassifier"):
        assert deployments[name]["max_queued_requests"] > settings.max_photos_in_flight
    assert all(each["graceful_shutdown_timeout_s"] > settings.request_deadline_s for each in deployments.values())


def test_a_replica_takes_more_requests_than_a_batch_and_another_one_is_started_before_that(
    config: Config, deployments: dict[str, Config]
) -> None:
    args = AppArgs(**config["applications"][0]["args"])
    for name, model in (("PersonDetector", args.detector), ("GenderClassifier", args.classifier)):
        assert deployments[name]["max_ongoing_requests"] >= 2 * model.max_batch_size
        assert deployments[name]["autoscaling_config"]["target_ongoing_requests"] < model.max_batch_size


def test_a_replica_of_each_fits_on_one_core_and_two_detectors_on_two(deployments: dict[str, Config]) -> None:
    cpus = {name: each["ray_actor_options"]["num_cpus"] for name, each in deployments.items()}
    assert sum(cpus.values()) <= 1.0
    assert sum(cpus.values()) + cpus["PersonDetector"] <= 2.0


def test_make_serve_listens_where_the_settings_say(config: Config) -> None:
    bound = with_address(config, "0.0.0.0", 9000)
    assert (bound["http_options"]["host"], bound["http_options"]["port"]) == ("0.0.0.0", 9000)
    assert bound["http_options"]["request_timeout_s"] == config["http_options"]["request_timeout_s"]
    assert bound["applications"] == config["applications"]


def test_serve_run_alone_listens_on_the_settings_defaults(config: Config) -> None:
    settings = Settings(_env_file=None)
    assert (config["http_options"]["host"], config["http_options"]["port"]) == (settings.api_host, settings.api_port)
