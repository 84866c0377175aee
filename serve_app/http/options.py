"""The options of a call about photos, in the query of its address."""

from starlette.requests import Request

from serve_app.codes import Code
from serve_app.http.faults import Refused
from serve_app.question import People, Question

PEOPLE, EXPLAIN = "people", "explain"
COST_OF_EXPLAINING = 12
"""Photos that are answered in the time of an explanation: fifty crops are classified, but only one photo is searched for people."""


def question_of(request: Request, most_people: int) -> Question:
    """What the request asks about a photo.

    Args:
        most_people: of a photo of which each person is asked for.

    Raises:
        Refused: `bad_request`, for a value that there is not.
    """
    each = _choice(request, PEOPLE, [People.ONE, People.EACH]) == People.EACH
    return Question(most_people if each else 0, _choice(request, EXPLAIN, ["false", "true"]) == "true")


def _choice(request: Request, name: str, values: list[str]) -> str:
    """The value of an option, by default the first."""
    asked = request.query_params.getlist(name) or values[:1]
    if len(asked) > 1 or asked[0] not in values:
        raise Refused(Code.BAD_REQUEST, f"{name} is {' or '.join(values)}, once")
    return asked[0]
