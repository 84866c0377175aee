# Targets:
#   cpu      the default: the service and the training, on CPUs
#   gpu      the same, with PyTorch for CUDA
#   baked    cpu plus the page and the models of DETECTOR_URI and CLASSIFIER_URI: for one machine, even without a network
# The same image runs Ray's head and workers, Tune jobs, and the service alone. KubeRay chooses the command, so there is no ENTRYPOINT,
# and its health probes need bash and wget.

ARG BASE_IMAGE=python:3.11-slim-bookworm
ARG NODE_IMAGE=node:20-bookworm-slim

FROM ${BASE_IMAGE} AS base
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# Package versions follow the base image: a pinned version leaves Debian's archive with the next security fix.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends bash ca-certificates wget \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home --shell /bin/bash ray
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1

# requirements.lock fits every build of torch: pip installs the build from TORCH_INDEX first, then everything else.
FROM base AS install
COPY requirements.lock /tmp/
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

FROM install AS install-cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN python3 -m venv /opt/venv \
 && grep '^torch==' /tmp/requirements.lock > /tmp/torch.lock \
 && pip install --no-deps ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --requirement /tmp/torch.lock \
 && pip install --requirement /tmp/requirements.lock

FROM install AS install-gpu
ARG TORCH_INDEX_GPU=https://download.pytorch.org/whl/cu130
RUN python3 -m venv /opt/venv \
 && grep '^torch==' /tmp/requirements.lock > /tmp/torch.lock \
 && pip install --no-deps ${TORCH_INDEX_GPU:+--extra-index-url "$TORCH_INDEX_GPU"} --requirement /tmp/torch.lock \
 && pip install --requirement /tmp/requirements.lock

FROM base AS app
WORKDIR /app
COPY pyproject.toml README.md LICENSE serve_config*.yaml ./
COPY serve_app serve_app
COPY tune_training tune_training
# `ray start` on Kubernetes runs in another working directory, so PYTHONPATH leads to the code.
ENV PYTHONPATH=/app \
    MODEL_CACHE_DIR=/models \
    API_HOST=0.0.0.0
RUN install --directory --owner=ray --group=ray /models
EXPOSE 8000
CMD ["python", "-m", "serve_app"]

FROM app AS gpu
COPY --from=install-gpu /opt/venv /opt/venv
USER 1000

# hadolint ignore=DL3006
FROM ${NODE_IMAGE} AS page
WORKDIR /ui
COPY ui/package.json ui/package-lock.json ./
RUN npm ci
COPY ui ./
RUN npm run build

FROM app AS cpu-models
COPY --from=install-cpu /opt/venv /opt/venv
USER 1000
# Export the packaged models, so that replicas start without the export. It runs them, so an image is built on a machine of its own
# architecture.
RUN python -m serve_app.commands.prepare_models

FROM cpu-models AS baked
ARG DETECTOR_URI=
ARG CLASSIFIER_URI=
ENV DETECTOR_URI=${DETECTOR_URI} \
    CLASSIFIER_URI=${CLASSIFIER_URI}
RUN python -m serve_app.commands.prepare_models
COPY --from=page /ui/dist ui/dist

FROM cpu-models AS cpu
