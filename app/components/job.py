"""What a page says of the job that runs or ran last."""

from typing import Any

from ..live import LiveJob
from .attributes import attributes
from .elements import html


def state(job: LiveJob | None, refusal: str = "") -> Any:
    """Return the state of a job, below why the last request was refused, if it was."""
    refused = [html.P(refusal, className="missing")] if refusal else []
    if job is None:
        return refused
    return [*refused, *_STATES[job.phase](job)]


def _running(job: LiveJob) -> list[Any]:
    said = (
        "loading the model"
        if not job.total
        else f"{job.done} of {job.total} {job.task.units} done"
    )
    share = {"value": str(job.done), "max": str(job.total)} if job.total else {}
    return [
        html.Progress(**share, **attributes(aria_label=f"Progress of {job.task.title}")),
        html.P(
            f"{_capital(job.task.title)}: {said}, {job.seconds:.0f} s so far.",
            className="caption",
        ),
    ]


def _finished(job: LiveJob) -> list[Any]:
    return [
        html.P(
            f"{_capital(job.task.title)}: finished in {job.seconds:.1f} s.",
            className="caption",
        ),
        html.Button(
            "Go to what was found",
            type="button",
            className="action",
            **attributes(data_go_to="live-results"),
        ),
    ]


def _failed(job: LiveJob) -> list[Any]:
    return [html.P(f"{_capital(job.task.title)} failed. {job.said}", className="missing")]


def _cancelled(job: LiveJob) -> list[Any]:
    said = f"{_capital(job.task.title)}: cancelled after {job.seconds:.0f} s."
    return [html.P(said, className="caption")]


def _capital(title: str) -> str:
    return f"{title[:1].upper()}{title[1:]}"


_STATES = {
    "running": _running,
    "finished": _finished,
    "failed": _failed,
    "cancelled": _cancelled,
}
