"""Requests that carry files: longer than others may be, and counted apart."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp.web import FileField, Request

from fedi.auth.tokens import Caller
from fedi.errors import ClientFault
from fedi.i18n import _
from fedi.web.keys import CONFIG, LIMITS
from fedi.web.params import Params, read_params

_FORM_BYTES = 1024 * 1024  # for the rest of the form


@asynccontextmanager
async def read_upload(request: Request, *, files: int = 1) -> AsyncIterator[Params]:
    """As ``read_params``, for a body of up to ``files`` pictures, whose files are open inside. Raises ``ClientFault``
    413 beyond."""
    longest = files * int(request.app[CONFIG].media.max_image_size) + _FORM_BYTES
    larger = request.clone(client_max_size=longest)
    is_sent = larger.can_read_body
    params = await read_params(larger)
    try:
        yield params
    finally:
        for value in (await larger.post()).values() if is_sent else ():
            if isinstance(value, FileField):
                value.file.close()


def count_upload(request: Request, caller: Caller) -> None:
    """Raises ``ClientFault`` 429 when this person uploads too often."""
    request.app[LIMITS].require("uploads", caller.account_id, request.app[CONFIG].limits.uploads)


def require_file(params: Params, name: str = "file") -> FileField:
    """Raises ``ClientFault`` 422 without one."""
    found = params.file(name)
    if found is None:
        raise ClientFault("file-missing", _("Attach a file."))
    return found
