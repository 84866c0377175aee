"""Settings from the environment and `.env`: addresses, model URIs, limits, deadlines. Each is documented here and nowhere else.

A checkpoint's own numbers (thresholds, crop, temperature) are in its `decision.json`; Serve can change what `serve_config.yaml` has
under `user_config` while the service runs. Precedence: user_config, then environment, then `.env`, then these defaults.
"""

import os
import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EMBEDDED_WEIGHTS = Path(__file__).parent / "weights"
EMBEDDED_DETECTOR = str(EMBEDDED_WEIGHTS / "person-detector")
EMBEDDED_CLASSIFIER = str(EMBEDDED_WEIGHTS / "gender-classifier")

SERVE_CONFIG = "serve_config.yaml"  # the graph
COLOCATED_CONFIG = "serve_config.colocated.yaml"  # the graph with both models in one process
COLOCATED_BELOW = 4  # cores

Device = Literal["auto", "cpu", "cuda"]
RuntimeChoice = Literal["auto", "openvino", "torch"]
PrecisionChoice = Literal["auto", "float32"]
Area = Literal["health", "model", "docs", "page"]

KEY_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
KEY_ENTRY = re.compile(rf"{KEY_NAME.pattern}:[0-9a-f]{{64}}")


class Settings(BaseSettings):
    """All settings. AWS_* variables (region, profile, keys, AWS_ENDPOINT_URL) are read by boto3 itself."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    # --- where it listens -------------------------------------------------------------------------------------------
    api_host: str = Field("127.0.0.1", description="Address that `make serve` listens on; 0.0.0.0 for all")
    api_port: int = Field(8000, description="Port that `make serve` listens on", ge=1, le=65535)
    root_path: str = Field("", description="Public prefix that an edge strips (such as /api), so that /docs names public addresses")
    allowed_origins: Annotated[list[str], NoDecode] = Field(
        ["*"], description="Origins that browsers may call from, separated by commas; * for all"
    )
    debug: bool = Field(False, description="Log at level DEBUG")
    serve_config: Path | None = Field(
        None,
        description=f"What `make serve` runs; when unset, {SERVE_CONFIG}, or with fewer than {COLOCATED_BELOW} cores {COLOCATED_CONFIG}",
    )

    # --- models -----------------------------------------------------------------------------------------------------
    detector_uri: str = Field(EMBEDDED_DETECTOR, description="Person detector: a folder, s3://bucket/prefix/ or hf://org/name@revision")
    classifier_uri: str | None = Field(
        None, description="Gender classifier, likewise; when unset, MODEL_BUCKET decides, and without that the embedded one"
    )
    model_bucket: str | None = Field(None, description="With MODEL_PREFIX: the classifier is s3://MODEL_BUCKET/MODEL_PREFIX")
    model_prefix: str = Field("", description="See MODEL_BUCKET")
    model_cache_dir: Path = Field(
        Path("~/.cache/gender-presentation"), description="Where downloaded checkpoints and exported networks are kept"
    )
    device: Device = Field("auto", description="Where models run: auto (CUDA when there is one), cpu or cuda")
    model_runtime: RuntimeChoice = Field(
        "auto", description="What runs them: auto (OpenVINO on CPUs, PyTorch on CUDA and for what OpenVINO cannot take), openvino or torch"
    )

    model_precision: PrecisionChoice = Field(
        "auto", description="auto (int8 for a classifier that has such a network, on processors with VNNI; else float32) or float32"
    )
    model_cache_bytes: int = Field(
        20_000_000_000,
        description="Size of MODEL_CACHE_DIR, bytes, above which the models that were not used for longest are forgotten",
        gt=0,
    )
    export_deadline_s: float = Field(
        300.0, description="Seconds that exporting a model for OpenVINO, or waiting for another process that does, may take", gt=0
    )

    # --- limits -----------------------------------------------------------------------------------------------------
    max_image_bytes: int = Field(10 * 1024 * 1024, description="Largest photo accepted, bytes", gt=0)
    max_image_pixels: int = Field(50_000_000, description="Largest photo accepted, pixels as declared by its header", gt=0)
    max_unreduced_pixels: int = Field(
        16_000_000, description="The same for formats other than JPEG, HEIF and AVIF: no phone writes larger ones, and they cost most", gt=0
    )
    max_image_aspect: float = Field(20.0, description="Longer side divided by the shorter side, at most", ge=1)
    max_pixels_in_decoding: int = Field(
        200_000_000,
        description="Pixels of large photos that one detector replica decodes or has waiting; more are refused as `overloaded`",
        gt=0,
    )
    max_people: int = Field(10, description="People of one photo that are classified with `people=each`, the largest first", ge=1, le=100)
    max_batch_files: int = Field(10, description="Most photos in one /predict-batch; of a stream, most that have no answer yet", gt=0)
    max_stream_files: int = Field(
        1000, description="Most photos in one stream: a /predict-batch whose client accepts application/x-ndjson", gt=0
    )
    max_streams: int = Field(8, description="Most streams at one ingress replica at a time; more are refused as `overloaded`", gt=0)
    image_formats: Annotated[tuple[str, ...], NoDecode] = Field(
        ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"),
        description="Accepted formats, as Pillow names them, separated by commas (HEIC is HEIF)",
    )
    request_deadline_s: float = Field(20.0, description="Seconds from the end of an upload to its answer; then `timeout`", gt=0)
    upload_deadline_s: float = Field(30.0, description="Seconds that a body may take to arrive", gt=0)
    stream_deadline_s: float = Field(
        600.0, description="Seconds that the photos of a stream may take to arrive, no faster than they are answered", gt=0, le=3000
    )
    min_upload_bytes_per_s: int = Field(
        10_000, description="Bodies that arrive more slowly are ended after some seconds, sooner when others wait for their place", gt=0
    )
    max_uploads: int = Field(
        100, description="Most bodies that arrive at one ingress replica at a time; more are refused as `overloaded`", gt=0
    )
    max_photos_in_flight: int = Field(
        64, description="Most photos that one ingress replica works on, fewer when models are slow; more are refused as `overloaded`", gt=0
    )
    max_upload_bytes_in_flight: int = Field(
        200_000_000, description="Bytes of bodies that one ingress replica holds at a time; more are refused as `overloaded`", gt=0
    )

    hang_after_s: float = Field(
        60.0, description="Seconds that a batch, or decoding a photo, may take; then its replica counts as hung and is replaced", gt=0
    )

    # --- who may ask, and how often -----------------------------------------------------------------------------------
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="API keys as NAME:SHA256, separated by commas (`make keys NAME=...` makes one); without any, nobody needs one",
    )
    api_keys_file: Path | None = Field(
        None, description="File with more keys, one on a line, which is read again when it changes; # begins a comment"
    )
    api_keys_open: Annotated[tuple[Area, ...], NoDecode] = Field(
        ("health", "model", "docs", "page"),
        description="What needs no key, separated by commas; photos always need one, /live never, and a closed /health tells its status",
    )
    rate_limit_photos_per_s: float | None = Field(
        None,
        description="Photos per second that each key, or without keys each address, may send; more are `too_many_requests`",
        gt=0,
    )
    rate_limit_burst: int = Field(20, description="Photos that it may send at once after a while without any", gt=0)
    rate_limit_url: str | None = Field(
        None, description="Valkey or Redis in which all ingress replicas count together (valkey://HOST:6379); unset: each for itself"
    )
    proxies_in_front: int = Field(
        0,
        description="Proxies in front that add to X-Forwarded-For, without the service's own HAProxy; they tell a client's address",
        ge=0,
    )

    # --- tracing ----------------------------------------------------------------------------------------------------
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="OpenTelemetry collector that traces go to, by OTLP over HTTP, such as http://localhost:4318; unset: no traces"
    )
    trace_sampling_ratio: float = Field(
        0.01, description="Share of the requests that are traced, of those whose client does not say so itself (traceparent)", ge=0, le=1
    )

    drain_dir: Path | None = Field(
        None,
        description="Folder through which replicas are told that the service stops (see serve_app/http/draining.py); `make serve` sets it",
    )

    page_dir: Path = Field(Path("ui/dist"), description="The built page; served at / when the folder is there")

    @field_validator("allowed_origins", "api_keys", "api_keys_open", "image_formats", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        return value

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        if not all(KEY_ENTRY.fullmatch(entry) for entry in entries):
            raise ValueError("API_KEYS takes NAME:SHA256, which `make keys NAME=...` prints")
        return entries

    @model_validator(mode="after")
    def _a_full_batch_must_fit(self) -> Self:
        if self.max_batch_files > self.max_photos_in_flight:
            raise ValueError("MAX_PHOTOS_IN_FLIGHT must be at least MAX_BATCH_FILES, or full batches would always be refused")
        if self.max_batch_files * self.max_image_bytes > self.max_upload_bytes_in_flight:
            raise ValueError("MAX_UPLOAD_BYTES_IN_FLIGHT must hold MAX_BATCH_FILES photos of MAX_IMAGE_BYTES")
        if self.rate_limit_burst < self.max_batch_files:
            raise ValueError("RATE_LIMIT_BURST must be at least MAX_BATCH_FILES, or full batches would always be refused")
        return self

    @property
    def effective_serve_config(self) -> Path:
        """The config after SERVE_CONFIG and the number of cores, in this order."""
        return self.serve_config or Path(COLOCATED_CONFIG if cores() < COLOCATED_BELOW else SERVE_CONFIG)

    @property
    def effective_classifier_uri(self) -> str:
        """The classifier's URI after CLASSIFIER_URI, MODEL_BUCKET and the embedded default, in this order."""
        if self.classifier_uri:
            return self.classifier_uri
        if self.model_bucket:
            return f"s3://{self.model_bucket}/{self.model_prefix.strip('/')}".rstrip("/") + "/"
        return EMBEDDED_CLASSIFIER


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def get_settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
