"""Buffered logging: with MLFLOW_ENABLE_ASYNC_LOGGING=true, metrics are sent in the background, many in one request.

MLflow's own queue loses what a program logs before it ends without end_run(), fails in threads, hangs after a fork,
and drops a whole batch because of one value that the server refuses.
"""

import atexit
import contextlib
import logging
import multiprocessing
import os
import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from mlflow.entities import Metric, Param, RunTag
from mlflow.environment_variables import MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS
from mlflow.exceptions import MlflowException, RestException
from mlflow.store.tracking.rest_store import RestStore
from mlflow.utils.async_logging.run_operations import RunOperations
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.validation import MAX_ENTITIES_PER_BATCH, MAX_PARAM_VAL_LENGTH, MAX_TAG_VAL_LENGTH

_logger = logging.getLogger(__name__)

# With this many items, logging waits for the server, which limits memory to a few megabytes.
FULL = 10_000
# How many errors of a request are logged individually.
REPORTED = 5


class Item(NamedTuple):
    """A logged value, and the future that is done when it is stored or has failed."""

    store: RestStore
    run_id: str
    value: Metric | Param | RunTag
    future: Future


class Buffer:
    """Values that this process has logged and not yet sent."""

    def __init__(self):
        self.clear()
        self.at_once = False
        atexit.register(self.send_at_once)
        os.register_at_fork(after_in_child=self.start_over)

    def clear(self):
        """Start empty."""
        self.items = []
        # Reentrant, because the handler of a signal may end the run.
        self.changing = threading.RLock()
        self.sending = threading.RLock()
        self.filled = threading.Event()
        self.thread = None

    def start_over(self):
        """Start empty in a forked process, which may end without notice; its parent sends what was logged before."""
        self.clear()
        self.at_once = True

    def send_at_once(self):
        """Send everything, now and later without delay, because Python is shutting down."""
        self.at_once = True
        self.flush()

    def add(self, items):
        """Add items, to be sent within MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS; wait if the buffer is full."""
        with self.changing:
            self.items += items
            # Pools kill their worker processes without notice, so those do not buffer.
            wait = self.at_once or multiprocessing.parent_process() or len(self.items) >= FULL
            if not wait and self.thread is None:
                self.thread = threading.Thread(target=self.send_regularly, name="buffered logging", daemon=True)
                # Python starts no more threads just before send_at_once().
                with contextlib.suppress(RuntimeError):
                    self.thread.start()
        self.filled.set()
        if wait:
            self.flush()

    def send_regularly(self):
        """Wait for items, let more arrive, and send them."""
        while self.filled.wait():
            time.sleep(MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS.get() or 0)
            self.filled.clear()
            self.flush()

    def flush(self):
        """Return when everything added so far is stored or reported as failed."""
        with self.sending:
            # After an interrupt, unsent items stay in the buffer and are sent again; the server stores duplicates once.
            for items in batches(self.unsent()):
                send(items)
            self.unsent()

    def unsent(self):
        """Remove finished items from the buffer; return the others."""
        with self.changing:
            self.items = [item for item in self.items if not item.future.done()]
            return list(self.items)


def batches(items):
    """Yield lists of items of one run, in logging order, no longer than the server accepts."""
    runs = {}
    for item in items:
        runs.setdefault((item.store, item.run_id), []).append(item)
    for of_run in runs.values():
        for start in range(0, len(of_run), MAX_ENTITIES_PER_BATCH):
            yield of_run[start : start + MAX_ENTITIES_PER_BATCH]


def send(items):
    """Send items of one run, and log an error for each failure; wait() of its logging call raises it too."""
    failed = [(item, error) for item, error in store(items) if error]
    for item, error in failed[:REPORTED]:
        _logger.error("%.99r was not stored in run %s: %s", item.value.key, item.run_id, error)
    if len(failed) > REPORTED:
        _logger.error("... and %d more values of this run", len(failed) - REPORTED)


def store(items):
    """Store items of one run; yield each with None, or with the exception if it could not be stored."""
    kinds = [[item.value for item in items if isinstance(item.value, kind)] for kind in (Metric, Param, RunTag)]
    error = None
    try:
        items[0].store.log_batch(items[0].run_id, *kinds)
    except Exception as failure:
        if len(items) > 1 and is_refusal(failure):
            # Bisect, to isolate a bad item or to split a request that is too large.
            middle = len(items) // 2
            yield from store(items[:middle])
            yield from store(items[middle:])
            return
        error = failure
    for item in items:
        if not item.future.done():
            item.future.set_exception(error) if error else item.future.set_result(None)
        yield item, error


def is_refusal(error):
    """Return whether the data is invalid, as opposed to a server that was unreachable for minutes."""
    if isinstance(error, RestException):
        return 400 <= error.get_http_status_code() < 500
    return not isinstance(error, MlflowException)


buffer = Buffer()


def warn_of_cuts(values):
    """Log a warning for each param and tag that the server will silently truncate."""
    for value in values:
        limit = MAX_PARAM_VAL_LENGTH if isinstance(value, Param) else MAX_TAG_VAL_LENGTH
        if len(value.value) > limit:
            message = "%.99r has %d characters, of which MLflow stores %d: log a long text with mlflow.log_text()"
            _logger.warning(message, value.key, len(value.value), limit)


class BufferedRestStore(RestStore):
    """MLflow's client of a tracking server, with buffered logging, and warnings about truncation."""

    def log_param(self, run_id, param):
        """Log a param."""
        warn_of_cuts([param])
        return super().log_param(run_id, param)

    def set_tag(self, run_id, tag):
        """Set a tag of a run."""
        warn_of_cuts([tag])
        return super().set_tag(run_id, tag)

    def log_batch(self, run_id, metrics, params, tags):
        """Log several metrics, params and tags."""
        warn_of_cuts([*params, *tags])
        return super().log_batch(run_id, metrics, params, tags)

    def log_batch_async(self, run_id, metrics, params, tags):
        """Buffer metrics, or send all now if there are params or tags. wait() of the result raises failures."""
        items = [Item(self, run_id, value, Future()) for value in (*metrics, *params, *tags)]
        buffer.add(items)
        # These are few, and programs should see rejections at once.
        if params or tags:
            buffer.flush()
        return RunOperations([item.future for item in items])

    def flush_async_logging(self):
        """Return when everything logged so far is stored or reported as failed."""
        buffer.flush()

    end_async_logging = flush_async_logging
    # Called before a run ends.
    shut_down_async_logging = flush_async_logging

    def update_run_info(self, *args, **kwargs):
        """Change the state of a run after everything logged before is stored."""
        buffer.flush()
        return super().update_run_info(*args, **kwargs)


def tracking_store(store_uri, **_):
    """Return the store for a tracking server; further arguments from MLflow's registry are ignored."""
    return BufferedRestStore(partial(get_default_host_creds, store_uri))
