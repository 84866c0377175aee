"""The options of a call about photos, in the query of its address."""

from starlette.requests import Request

from serve_app.codes import Code
from serve_app.http.faults import Refused
from serve_app.settings import People

PEOPLE = "people"


def people_wanted(request: Request, most: int) -> int:
    """The most people who are to be classified; 0: only a photo of one person is answered.

    Args:
        most: of a photo of which each person is asked for.

    Raises:
        Refused: `bad_request`, for another value.
    """
    asked = request.query_params.getlist(PEOPLE) or [People.ONE]
    if len(asked) > 1 or asked[0] not in list(People):
        raise Refused(Code.BAD_REQUEST, f'{PEOPLE} is "{People.ONE}" or "{People.EACH}", once')
    return most if asked[0] == People.EACH else 0
