"""Carry out a group of acts in one transaction, so that whatever fails fails alone."""

from __future__ import annotations

import sqlite3

from chord.backends.sqlite.session import Session
from chord.backends.sqlite.worker import Job
from chord.errors import BackendUnavailable, OutcomeUnknown


def read_group(session: Session, jobs: list[Job]) -> None:
    """Carry out reads, all at one moment."""
    session.run("BEGIN")
    for job in jobs:
        _try(session, job)
    session.roll_back()


def write_group(session: Session, jobs: list[Job]) -> None:
    """Carry out changes in one transaction, with a savepoint for each.

    Where a failure takes the whole transaction along, each has one of its own after that.
    """
    if len(jobs) == 1:
        return _write_alone(session, jobs[0])
    session.run("BEGIN IMMEDIATE")
    for job in jobs:
        session.run("SAVEPOINT act")
        _try(session, job)
        if not session.in_transaction:
            return _write_one_by_one(session, jobs)
        if job.error:
            session.run("ROLLBACK TO act")
        session.run("RELEASE act")
    failure = _commit(session)
    if isinstance(failure, BackendUnavailable):
        _write_one_by_one(session, jobs)
    elif failure:
        _lose(session, jobs, failure.reason)


def _write_one_by_one(session: Session, jobs: list[Job]) -> None:
    for job in jobs:
        job.error = None
        _write_alone(session, job)


def _write_alone(session: Session, job: Job) -> None:
    try:
        session.run("BEGIN IMMEDIATE")
    except sqlite3.Error as error:
        job.error = session.translate(error)
        return
    _try(session, job)
    if job.error:
        session.roll_back()
    else:
        job.error = _commit(session)


def _try(session: Session, job: Job) -> None:
    try:
        job.carry_out(session)
    except Exception as error:
        job.error = session.translate(error)


def _commit(session: Session) -> BackendUnavailable | OutcomeUnknown | None:
    try:
        session.run("COMMIT")
    except sqlite3.Error as error:
        session.roll_back()
        return session.translate_commit(error)
    return None


def _lose(session: Session, jobs: list[Job], reason: str) -> None:
    """Tell each that nobody knows; and a refusal may rest on what was not kept."""
    for job in jobs:
        lost = BackendUnavailable if job.error else OutcomeUnknown
        job.error = lost(session.address, reason)
