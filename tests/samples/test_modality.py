"""The scripted modality against pynetdicom's own storage SCP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import build_context
from pynetdicom.service_class import StorageServiceClass
from pynetdicom.sop_class import register_uid

from tests.samples import modality
from tests.samples.collection import collection
from tests.samples.ct import slices
from tests.samples.part10 import Sample

RETIRED_ULTRASOUND = "1.2.840.10008.5.1.4.1.1.6"  # sent by old machines, unknown to pynetdicom


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [sample for sample in collection() if len(sample.data) < 100_000]


@pytest.fixture
def receiver(samples: list[Sample]) -> Iterator[tuple[int, dict[str, bytes]]]:
    received: dict[str, bytes] = {}

    def handle(event: evt.Event) -> int:
        request = event.request
        assert isinstance(request, C_STORE) and request.DataSet is not None
        received[str(request.AffectedSOPInstanceUID)] = request.DataSet.getvalue()
        return 0x0000

    register_uid(RETIRED_ULTRASOUND, "RetiredUltrasoundImageStorage", StorageServiceClass)
    entity = AE("NEGATOSCOPE")
    entity.require_called_aet = True
    entity.maximum_associations = 20
    entity.supported_contexts = [build_context(modality.VERIFICATION)]
    pairs = {(sample.sop_class, sample.transfer_syntax) for sample in [*samples, *slices(1)]}
    for sop_class in {sop_class for sop_class, _ in pairs}:
        entity.add_supported_context(sop_class, sorted(syntax for found, syntax in pairs if found == sop_class))
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, handle)])
    assert server is not None and server.socket is not None
    yield server.socket.getsockname()[1], received
    server.shutdown()


def test_files_arrive_byte_for_byte_in_their_own_transfer_syntax(
    samples: list[Sample], receiver: tuple[int, dict[str, bytes]]
) -> None:
    port, received = receiver
    seen: list[modality.Answer] = []
    answers = modality.send(samples, "127.0.0.1", port, progress=seen.append)
    assert all(answer.stored for answer in answers) and answers == seen
    assert received == {sample.sop_instance: sample.dataset for sample in samples}


def test_several_associations_share_the_work(receiver: tuple[int, dict[str, bytes]]) -> None:
    port, received = receiver
    answers = modality.send(slices(8), "127.0.0.1", port, associations=4)
    assert len(answers) == len(received) == 8 and all(answer.stored for answer in answers)


def test_echo_is_answered_and_a_wrong_called_title_is_not(receiver: tuple[int, dict[str, bytes]]) -> None:
    port, _ = receiver
    assert modality.echo("127.0.0.1", port) == 0x0000
    with pytest.raises(modality.Unanswered):
        modality.echo("127.0.0.1", port, called="SOMEBODY")
