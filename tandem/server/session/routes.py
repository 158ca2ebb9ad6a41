"""Routes by which a browser signs in to a service that wants a token."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from tandem.server.context import Here
from tandem.server.errors import UnauthorizedError
from tandem.server.session import cookie

router = APIRouter(tags=["system"])


class SignIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, Field(max_length=1000, repr=False)]


class SessionOut(BaseModel):
    needs_token: bool = Field(description="Whether the service wants a token at all.")
    signed_in: bool = Field(description="Whether this browser may ask; true where none is wanted.")


@router.get("/session")
def get_session(context: Here, request: Request) -> SessionOut:
    """Whether a token is wanted, and whether this browser's cookie is good."""
    token = context.token
    inside = token is None or cookie.opens(request.headers.get("cookie"), token)
    return SessionOut(needs_token=token is not None, signed_in=inside)


@router.post("/session", status_code=204)
def sign_in(context: Here, request: Request, body: SignIn) -> Response:
    """Show the service's token; a cookie that no script can read is the answer."""
    answer, token = Response(status_code=204), context.token
    if token is None:
        return answer
    shown = body.token.strip().encode("utf-8", "surrogatepass")
    if not secrets.compare_digest(shown, token.encode()):
        raise UnauthorizedError(
            "The token is not one of this service.",
            fix="The service's log says where its token is.",
        )
    answer.set_cookie(
        cookie.name(token),
        cookie.value(token),
        max_age=cookie.SECONDS,
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.delete("/session", status_code=204)
def sign_out(context: Here, request: Request) -> Response:
    """Forget the cookie in this browser."""
    answer = Response(status_code=204)
    if context.token is not None:
        answer.delete_cookie(
            cookie.name(context.token),
            path="/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return answer
