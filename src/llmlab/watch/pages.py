"""The pages of rendered books, each with a link to the runs."""

from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

LINK = (
    b'<a href="/" style="position:fixed;right:1rem;bottom:1rem;z-index:9;padding:.35rem .8rem;'
    b"border-radius:1rem;background:#20303f;color:#fff;font:600 .85rem/1.4 system-ui,sans-serif;"
    b'text-decoration:none">Runs</a>'
)
END = b"</body>"


class BookFiles(StaticFiles):
    """Serves files of a book as they are, and its pages with a link back to the runs."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if not isinstance(answer, FileResponse) or answer.media_type != "text/html":
            return answer
        with open(answer.path, "rb") as file:
            before, end, after = file.read().rpartition(END)
        return HTMLResponse(before + LINK * bool(end) + end + after, answer.status_code)
