"""The protocol of OpenNMT-py's server (``onmt_server``)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request as HttpRequest

from nmt.core.errors import DataError
from nmt.serving.registry import Model
from nmt.serving.web.bodies import read_json
from nmt.serving.web.refusals import Refused
from nmt.serving.web.schemas import Must, checked, refusals
from nmt.serving.web.service import Service
from nmt.translation.requests.json_lines import kind_of
from nmt.translation.requests.request import Request


class OpenNMTLine(BaseModel):
    """A line to translate; all lines of a body are translated by the model of the first."""

    model_config = ConfigDict(strict=True)

    src: Annotated[str, Must("a string")] = Field(examples=["Guten Morgen."])
    id: Annotated[int | str, Must("the number or the name of a model")] = 0


class OpenNMTTranslated(BaseModel):
    """A translation of a line."""

    src: str
    tgt: str
    n_best: int = Field(description="how many translations each line has")
    pred_score: float


class OpenNMTModel(BaseModel):
    """A model."""

    model_id: int
    models: list[str]
    opt: dict[str, Any]
    loaded: bool
    timeout: int


def routes(service: Service) -> APIRouter:
    """Return the routes of the protocol."""
    router = APIRouter(prefix="/translator", tags=["OpenNMT-py's protocol"])
    body = {"type": "array", "minItems": 1, "items": {"$ref": f"#/components/schemas/{OpenNMTLine.__name__}"}}

    @router.post("/translate", response_model=None,
                 responses={200: {"model": list[list[OpenNMTTranslated]]}, **refusals()},
                 openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": body}}}},
                 )  # fmt: skip
    async def translate(http: HttpRequest) -> list[list[dict[str, Any]]]:
        """Translate lines; answers with a list for each rank, best first, with a translation of each line."""
        service.access.check_key(http.headers)
        value = await read_json(http, service.limits, any_type=True)
        if not isinstance(value, list) or not value:
            kind = "an empty one" if value == [] else kind_of(value)
            raise Refused(400, f"the body must be a list of objects, but is {kind}")
        asked = [checked(OpenNMTLine, each, where=f"[{place}]") for place, each in enumerate(value)]
        return await _translate(service, http, asked)

    @router.get("/models", response_model=None, responses={200: {"model": list[OpenNMTModel]}, **refusals((401, 403))})
    async def models(http: HttpRequest) -> list[dict[str, Any]]:
        """List the models."""
        service.access.check_key(http.headers)
        return [
            {"model_id": number, "models": [model.name], "opt": {}, "loaded": True, "timeout": -1}
            for number, model in enumerate(service.registry.models)
        ]

    return router


async def _translate(service: Service, http: HttpRequest, asked: list[OpenNMTLine]) -> list[list[dict[str, Any]]]:
    model = _model(service, asked[0].id)
    # A line feed is white space there.
    found = await service.translate(http, model, [Request(each.src.replace("\n", " ")) for each in asked])
    if problem := next((each.problem for each in found if each.problem), ""):
        raise DataError(f"src cannot be translated: {problem}")
    n_best = max(len(each.hypotheses) for each in found)
    answer = []
    for rank in range(n_best):
        # A line may have fewer; the lists stay as long.
        targets = [each.hypotheses[min(rank, len(each.hypotheses) - 1)] for each in found]
        answer.append(
            [
                {"src": line.src, "tgt": target.text, "n_best": n_best, "pred_score": target.score}
                for line, target in zip(asked, targets, strict=True)
            ]
        )
    return answer


def _model(service: Service, name: int | str) -> Model:
    models = service.registry.models
    if isinstance(name, str):
        return service.registry.get(name)
    if not 0 <= name < len(models):
        raise DataError(f"id must be a number below {len(models)} or the name of a model, but is {name}")
    return models[name]
