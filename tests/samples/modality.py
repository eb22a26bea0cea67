"""A scripted modality: sends files by C-STORE, their bytes as they are."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pynetdicom import AE, build_context
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE

from tests.samples.part10 import Sample, load

VERIFICATION = "1.2.840.10008.1.1"
CALLED = "NEGATOSCOPE"
CALLING = "MODALITE1"
CONTEXTS = 120  # of the 128 that one association may propose
BATCH = 16_000_000  # bytes that one association carries before the next begins


class Unanswered(ConnectionError):
    """The receiver refused the association, aborted it, or gave no answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said to one file: ``status`` is ``None`` when its context was not accepted."""

    sample: Sample
    status: int | None

    @property
    def stored(self) -> bool:
        """Whether the receiver took responsibility for the file."""
        return self.status == 0x0000


Progress = Callable[[Answer], None]


def echo(host: str, port: int, *, called: str = CALLED, calling: str = CALLING, seconds: float = 60) -> int:
    """Send a C-ECHO; return its status, raise :class:`Unanswered` when there is no association within ``seconds``."""
    association = _associate(host, port, {(VERIFICATION, "1.2.840.10008.1.2")}, called, calling, seconds)
    try:
        return int(association.send_c_echo().get("Status", 0xFFFF))
    finally:
        association.release()


def send(
    samples: Iterable[Sample | Path],
    host: str,
    port: int,
    *,
    called: str = CALLED,
    calling: str = CALLING,
    associations: int = 1,
    progress: Progress | None = None,
) -> list[Answer]:
    """Store every sample; ``progress`` is called after each answer, from one thread an association.

    Paths are read as Part 10 files. Samples are proposed in their own transfer syntax only. With an iterator
    only the current batch is held, and files flow while later ones are made. Raises :class:`Unanswered`.
    """
    if associations > 1:
        everything = list(samples)
        shares = [everything[start::associations] for start in range(associations)]
        with ThreadPoolExecutor(associations) as pool:
            jobs = [pool.submit(_send_one_by_one, share, host, port, called, calling, progress) for share in shares]
            return [answer for job in jobs for answer in job.result()]
    return _send_one_by_one(samples, host, port, called, calling, progress)


def _send_one_by_one(
    samples: Iterable[Sample | Path],
    host: str,
    port: int,
    called: str,
    calling: str,
    progress: Progress | None,
) -> list[Answer]:
    answers: list[Answer] = []
    for batch, contexts in _batches(map(_loaded, samples)):
        association = _associate(host, port, contexts, called, calling)
        try:
            for number, sample in enumerate(batch):
                answer = Answer(sample, store(association, sample, number % 65535 + 1))
                answers.append(answer)
                if progress is not None:
                    progress(answer)
            association.release()
        finally:
            if association.is_established:
                association.abort()
    return answers


def store(association: Association, sample: Sample, message: int = 1) -> int | None:
    """Send one C-STORE on an open association; return its status, ``None`` without an accepted context."""
    context = next(
        (
            context
            for context in association.accepted_contexts
            if context.abstract_syntax == sample.sop_class and context.transfer_syntax[0] == sample.transfer_syntax
        ),
        None,
    )
    if context is None or context.context_id is None:
        return None
    request = C_STORE()
    request.MessageID, request.Priority = message, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = sample.sop_class, sample.sop_instance
    request.DataSet = BytesIO(sample.dataset)
    # The association's own thread also reads answers: it rests while we wait for ours, as in send_c_store.
    # It must have gone on since it rested last, or it would take the answer when it wakes.
    while association._is_paused and association.is_alive():
        time.sleep(0.0005)
    association._reactor_checkpoint.clear()
    try:
        while not association._is_paused and association.is_alive():
            time.sleep(0.0005)
        association.dimse.send_msg(request, context.context_id)
        _, response = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
    if not isinstance(response, C_STORE) or response.Status is None:
        raise Unanswered("the receiver closed the association before it answered")
    return response.Status


def _associate(
    host: str, port: int, contexts: set[tuple[str, str]], called: str, calling: str, seconds: float = 60
) -> Association:
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = seconds
    entity.maximum_pdu_size = 0
    proposed = [build_context(abstract, [syntax]) for abstract, syntax in sorted(contexts)]
    association = entity.associate(host, port, proposed, ae_title=called)
    if not association.is_established:
        raise Unanswered(f"{called} at {host}:{port} accepts no association")
    link = association.dul.socket
    if link is not None and link.socket is not None:
        link.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return association


def _batches(samples: Iterator[Sample]) -> Iterator[tuple[Iterable[Sample], set[tuple[str, str]]]]:
    """Yield runs of samples that one association can carry, with the contexts to propose."""
    batch: list[Sample] = []
    contexts: set[tuple[str, str]] = set()
    weight = 0
    for sample in samples:
        context = (sample.sop_class, sample.transfer_syntax)
        full = len(contexts | {context}) > CONTEXTS or weight > BATCH
        if batch and full:
            yield batch, contexts
            batch, contexts, weight = [], set(), 0
        batch.append(sample)
        contexts.add(context)
        weight += len(sample.data)
    if batch:
        yield batch, contexts


def _loaded(sample: Sample | Path) -> Sample:
    return sample if isinstance(sample, Sample) else load(sample.name, sample.read_bytes())


def summary(answers: Sequence[Answer]) -> str:
    """Return one line that counts what was stored and what was not."""
    refused = [answer for answer in answers if not answer.stored]
    text = f"{len(answers) - len(refused)} of {len(answers)} stored"
    return text + "".join(
        f"\n  {answer.sample.name}: " + ("not accepted" if answer.status is None else f"status 0x{answer.status:04X}")
        for answer in refused[:20]
    )
