"""Plain FastAPI as the original did it: one process, and the models run inside the handler, one photo after the other."""

import sys
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, File, UploadFile

from benchmarks.peers.models import body, cores, load_models

app = FastAPI()
models = load_models(threads=cores())


@app.post("/predict")
async def predict(file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    """One photo."""
    [outcome] = models([await file.read()])
    return body(outcome)


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
