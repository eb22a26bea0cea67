"""The storage SCP: C-ECHO and C-STORE from the practice's equipment, answered when the image is durable."""

from __future__ import annotations

import collections
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # defined dynamically
from pynetdicom.transport import AddressInformation, RequestHandler, ThreadedAssociationServer

from appliance.dicom.note import Source
from appliance.dicom.part10 import file_head
from appliance.dicom.syntaxes import SELDOM
from appliance.dicom.uids import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION, is_valid_uid
from appliance.dimse.classes import storage_classes
from appliance.dimse.guard import GuardedSocket
from appliance.dimse.reactor import wake_instead_of_polling
from appliance.dimse.status import PROCESSING_FAILURE, SUCCESS, status_of
from appliance.errors import BadInput, NegatoError
from appliance.ingest.receive import Admission
from appliance.logs import log, log_unexpected

LONGEST_PDU = 1024 * 1024
ASSOCIATION_SECONDS = 30
IDLE_SECONDS = 300
TOLD_SECONDS = 10.0

Admit = Callable[[Source], Admission]


class Receiver:
    """A DICOM server that hands every object to an :class:`Admission` and answers once it is durable."""

    def __init__(self, ae_title: str, admit: Admit, clock: Callable[[], datetime], associations: int, largest: int):
        self._admit = admit
        self._clock = clock
        self._largest = largest
        self._most = associations
        ae = AE(ae_title)
        ae.require_called_aet = True
        ae.maximum_associations = associations
        ae.maximum_pdu_size = LONGEST_PDU
        ae.acse_timeout = ASSOCIATION_SECONDS
        ae.dimse_timeout = ae.network_timeout = IDLE_SECONDS
        ae.implementation_class_uid = IMPLEMENTATION_UID
        ae.implementation_version_name = IMPLEMENTATION_VERSION
        for sop_class in storage_classes():
            ae.add_supported_context(sop_class, [*ALL_TRANSFER_SYNTAXES, *SELDOM])
        ae.add_supported_context(Verification)
        self._ae = ae

    def listen(self, host: str, port: int) -> _Server:
        """Bind and return the server; its ``serve_forever`` answers. :class:`OSError` when the port is taken."""
        return _Server(
            self._ae, (host, port), self._most, self._largest, [(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, _echo)]
        )

    def _store(self, event: Any) -> Dataset:
        try:
            self._take(event)
            return _answer(SUCCESS)
        except NegatoError as error:
            log("dimse.refused", reason=type(error).__name__)
            return _answer(status_of(error), error.message)
        except Exception as error:
            log_unexpected(error)
            return _answer(PROCESSING_FAILURE, "The appliance failed.")
        finally:
            event.assoc.dul.socket.message_over()

    def _take(self, event: Any) -> None:
        request, association = event.request, event.assoc
        sop_class, sop_instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if not (is_valid_uid(sop_class) and is_valid_uid(sop_instance)):
            raise BadInput("The request names no valid UID.")
        caller = str(association.requestor.ae_title).strip()
        admission = self._admit(Source("dimse", caller, str(association.requestor.address)))
        try:
            syntax = str(event.context.transfer_syntax)
            admission.write(file_head(sop_class, sop_instance, syntax, source_ae=caller))
            admission.write(request.DataSet.getbuffer())
            admission.finish(self._clock(), expected=(sop_class, sop_instance))
        finally:
            admission.abandon()


def _echo(_event: Any) -> int:
    return SUCCESS


def _answer(status: int, comment: str = "") -> Dataset:
    """Return a status with its Error Comment (0000,0902), which holds 64 ASCII characters."""
    answer = Dataset()
    answer.Status = status
    if comment:
        answer.ErrorComment = comment.encode("ascii", "replace").decode("ascii")[:64]
    return answer


class _Server(ThreadedAssociationServer):
    """Accepts connections; no address may hold more than half of the places, so that none shuts the others out."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, ae: AE, address: tuple[str, int], most: int, largest: int, handlers: list[Any]) -> None:
        self.largest = largest
        self.most = most
        self._told: dict[str, float] = {}
        super().__init__(
            ae, address, ae.ae_title, ae.supported_contexts, evt_handlers=handlers, request_handler=_Handler
        )

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether this address has a place left."""
        held = collections.Counter(a.requestor.address for a in self.active_associations)
        fits = held[client_address[0]] < max(1, self.most // 2) and sum(held.values()) < self.most * 2
        if not fits:
            self.tell("no_place_left", held=sum(held.values()), by_this_address=held[client_address[0]])
        return fits

    def tell(self, event: str, **fields: int) -> None:
        """Log what a peer met, once in a while: it can be had as often as the peer likes."""
        if time.monotonic() > self._told.get(event, -TOLD_SECONDS) + TOLD_SECONDS:
            self._told[event] = time.monotonic()
            log(f"dimse.{event}", **fields)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the association before the next connection is looked at, so that its place is counted by then."""
        self.process_request_thread(request, client_address)

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Log what went wrong with a connection; socketserver would print all of it."""
        error = sys.exc_info()[1]
        if error is not None:
            log_unexpected(error)


class _Handler(RequestHandler):
    """Makes the association of one connection, on a guarded socket."""

    server: _Server

    def _create_association(self) -> Association:
        association = Association(self.ae, MODE_ACCEPTOR)
        association._server = self.server
        association.name = f"AcceptorThread {association.name}"  # By this word the server finds its associations.
        waker = wake_instead_of_polling(association)
        association.set_socket(GuardedSocket(association, self.request, LONGEST_PDU + 6, self.server.largest, waker))
        acceptor = association.acceptor
        acceptor.maximum_length = self.ae.maximum_pdu_size
        acceptor.ae_title = self.server.ae_title
        acceptor.address_info = self.local
        acceptor.implementation_class_uid = self.ae.implementation_class_uid
        acceptor.implementation_version_name = self.ae.implementation_version_name
        # Negotiation reads these and makes its own; copying 200 contexts of 50 syntaxes takes longer than an image.
        acceptor.supported_contexts = self.server.contexts
        association.requestor.address_info = AddressInformation.from_tuple(self.client_address)
        for event, handlers in self.server._handlers.items():
            if event.is_intervention and handlers:
                association.bind(event, *handlers)
        association.bind(evt.EVT_REJECTED, self._rejected)
        return association

    def _rejected(self, event: Any) -> None:
        """Log that an association was refused, with the numbers of PS3.8 Table 9-21; never what the peer called."""
        said = event.assoc.acceptor.primitive
        wrong_title = (said.result_source, said.diagnostic) == (1, 7)
        name = "called_by_another_title" if wrong_title else "association_rejected"
        self.server.tell(name, source=said.result_source, reason=said.diagnostic)
