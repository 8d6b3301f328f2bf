"""MLflow's server as it is, but when a disk is full it answers HTTP 507 and why.

By itself it answers 500 or 503: MLflow's clients repeat those for four minutes, in silence. They show 507 at once, with
its text.
"""

import errno
from http import HTTPStatus

FULL = (errno.ENOSPC, errno.EDQUOT)
# What the driver calls it in the answer that MLflow makes of it.
DATABASE_IS_FULL = b"psycopg2.errors.DiskFull"


def create_app():
    """Return the application that uvicorn serves."""
    # Here, because the supervisor of the workers imports this module too, and would take 100 MB for nothing.
    from fastapi.responses import JSONResponse
    from mlflow.server import app as flask_app
    from mlflow.server.fastapi_app import app

    @app.exception_handler(OSError)
    async def artifacts_do_not_fit(request, error):
        if error.errno not in FULL:
            raise error
        # A client that is cut off while it sends sees no answer.
        async for _ in request.stream():
            pass
        message = f"The artifact was not stored, its disk is full: {error.strerror}"
        return JSONResponse({"error_code": "RESOURCE_EXHAUSTED", "message": message}, HTTPStatus.INSUFFICIENT_STORAGE)

    @flask_app.after_request
    def rows_do_not_fit(response):
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE and DATABASE_IS_FULL in response.get_data():
            response.status_code = HTTPStatus.INSUFFICIENT_STORAGE
        return response

    return app
