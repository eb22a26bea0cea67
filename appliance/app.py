"""The composition: the only place that makes real things and puts them together, one function a process.

Each function imports what its process needs and nothing else, so that a small process stays small and the receiver
never has code for private keys in its memory.
"""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appliance import clock, logs, sockets
from appliance.errors import EnvironmentProblem
from appliance.hardening import lock_memory, no_dumps, without_numpy
from appliance.notify import die_with_supervisor, tell_ready
from appliance.paths import RunPaths, StatePaths
from appliance.settings import Settings
from appliance.upkeep.layout import check_layout

if TYPE_CHECKING:
    from fastapi import FastAPI

    from appliance.api.events import Events
    from appliance.api.gate import Gate
    from appliance.archive.files import FileBackend
    from appliance.enrol.watch import Watch
    from appliance.ingest.desk import Desk
    from appliance.web_server import Certificate

MIB = 1024 * 1024


def run_receiver(settings: Settings) -> None:
    """Receive images from modalities until told to stop."""
    without_numpy()
    from appliance.archive.files import FileBackend
    from appliance.dicom.note import Source
    from appliance.dimse.receiver import Receiver
    from appliance.ingest.receive import Admission
    from appliance.keyring.public import EpochWatch, refuse_if_exchanged

    _begin("receiver")
    paths = _state(settings)
    archive = FileBackend(paths, "receiver", settings.reserve_mib * MIB)
    archive.forget_drafts()
    epochs = EpochWatch(paths)
    epochs.current()  # An archive without keys is refused at the start, not at the first image.
    largest = settings.largest_mib * MIB

    def admit(source: Source) -> Admission:
        refuse_if_exchanged(paths)
        return Admission(archive, epochs.current(), source, largest)

    receiver = Receiver(settings.ae_title, admit, clock.now, settings.associations, largest)
    host, port = sockets.split(settings.dicom)
    try:
        server = receiver.listen(host, port)
    except OSError as error:
        raise EnvironmentProblem(
            f"Port {port} of {host} cannot be used: {error.strerror}.",
            "Stop the program that uses it (see: ss -ltnp) or choose another port.",
        ) from error
    _on_stop(server.shutdown)
    _ready("receiver")
    server.serve_forever(poll_interval=0.2)


def run_keyagent(settings: Settings) -> None:
    """Hold keys while somebody is logged in; return when the archive is locked."""
    from appliance.audit.log import AuditLog
    from appliance.keyring.agent import Agent
    from appliance.keyring.leases import LeaseTable
    from appliance.keyring.server import serve

    _begin("keyagent")
    no_dumps()
    lock_memory()
    paths = _state(settings)
    run = RunPaths(settings.run_root)
    listener = sockets.handed_down() or sockets.listen(run.keyagent)
    leases = LeaseTable(idle=settings.idle_minutes * 60, longest=settings.session_hours * 3600)
    agent = Agent(paths, AuditLog(paths, "keyagent"), leases)
    _on_stop(agent.over.set)
    _ready("keyagent")
    serve(listener, agent)


def run_decoder(settings: Settings) -> None:
    """Decode pictures, one process a job."""
    from appliance.decoder.server import Limits, serve

    _begin("decoder")
    no_dumps()
    listener = sockets.handed_down() or sockets.listen(RunPaths(settings.run_root).decoder)
    _ready("decoder")
    serve(listener, Limits(jobs=settings.decoder_jobs, peer_uids=sockets.callers()))


def run_web(settings: Settings) -> None:
    """Serve the pages and DICOMweb; end when the key agent ends, so that what was open is forgotten."""
    without_numpy()
    from appliance.web_server import WebServer

    _begin("web")
    no_dumps()
    _state(settings)
    handed = sockets.all_handed_down()
    addresses = [settings.http, *filter(None, [settings.https])]
    http, *https = handed or [sockets.listen_tcp(address) for address in addresses]
    web = _web(settings)
    server = WebServer(web.app, http, https[0] if https else None, web.certificate)

    def end() -> None:
        web.gate.shut()
        web.events.close()
        server.end()

    web.archive.forget_drafts()
    web.desk.start(end, web.events.look_again)
    if settings.tunnel != "none":
        web.watch.start()
    _ready("web")
    server.run()


def run_netd(settings: Settings) -> None:
    """Hold the tunnel and the firewall, or stand in for them (NEGATO_TUNNEL)."""
    from appliance.answering import Answering, serve
    from appliance.netd.fake import FakeTunnel
    from appliance.netd.real import RealTunnel
    from appliance.netd.server_key import ServerKey
    from appliance.netd.tunnel import Tunnel
    from appliance.netd.verbs import respond
    from appliance.network.answers import encode_error
    from appliance.network.line import LONGEST

    _begin("netd")
    no_dumps()
    paths = _state(settings)
    key, port = ServerKey(paths), settings.wireguard_port
    tunnel: Tunnel
    match settings.tunnel:
        case "real":
            tunnel = RealTunnel(paths, key, port)
        case "fake":
            tunnel = FakeTunnel(key, port)
        case "none":
            raise EnvironmentProblem("There is no tunnel here.", "Set NEGATO_TUNNEL=real, or fake to try it out.")
    listener = sockets.handed_down() or sockets.listen(RunPaths(settings.run_root).netd)
    over = threading.Event()
    _on_stop(over.set)
    tunnel.start()
    _ready("netd")
    serve(
        listener,
        Answering("netd", LONGEST, lambda raw: respond(tunnel, raw), encode_error, tunnel.tick),
        sockets.callers(),
        over,
    )
    tunnel.stop()


def run_courier(settings: Settings) -> None:
    """Keep the way in from the internet open, by asking the practice's router (NEGATO_COURIER)."""
    from appliance.answering import Answering, serve
    from appliance.courier.keeper import Keeper
    from appliance.courier.verbs import respond
    from appliance.network.answers import encode_error
    from appliance.network.line import LONGEST

    _begin("courier")
    no_dumps()
    paths = _state(settings)
    if settings.courier == "none":
        raise EnvironmentProblem("Nobody asks the router here.", "Set NEGATO_COURIER=real.")
    listener = sockets.handed_down() or sockets.listen(RunPaths(settings.run_root).courier)
    over = threading.Event()
    _on_stop(over.set)
    keeper = Keeper(paths, settings.wireguard_port)
    keeper.start()
    _ready("courier")
    serve(
        listener, Answering("courier", LONGEST, lambda raw: respond(keeper, raw), encode_error), sockets.callers(), over
    )
    keeper.stop()


def openapi_schema() -> dict[str, Any]:
    """Return the OpenAPI schema of every route."""
    return _web(Settings(state=Path("/nonexistent"))).app.openapi()


@dataclass(frozen=True, slots=True)
class _Web:
    """What the web process consists of, beside its routes."""

    app: FastAPI
    archive: FileBackend
    desk: Desk
    events: Events
    gate: Gate
    watch: Watch
    certificate: Certificate | None


def _web(settings: Settings) -> _Web:
    """Put the web process together; touches no file and no socket."""
    from appliance.api.acting import Acting
    from appliance.api.application import build
    from appliance.api.box import box_router
    from appliance.api.claim import claim_router
    from appliance.api.devices import devices_router
    from appliance.api.equipment import equipment_router
    from appliance.api.events import Events, events_router
    from appliance.api.frames import frames_router
    from appliance.api.gate import Gate
    from appliance.api.hand import AgentHand
    from appliance.api.handover import Origins, handover_router
    from appliance.api.pages import page_directory
    from appliance.api.recovery import recovery_router
    from appliance.api.session import session_router
    from appliance.api.studies import studies_router
    from appliance.api.visitors import Visitors
    from appliance.api.way_in import way_in_router
    from appliance.archive.files import FileBackend
    from appliance.dicom.note import Source
    from appliance.dicomweb.root import dicomweb_router
    from appliance.enrol.courier import CourierClient
    from appliance.enrol.endpoints import Endpoints
    from appliance.enrol.enrolment import Enrolment
    from appliance.enrol.netd import NetdClient
    from appliance.enrol.watch import Watch
    from appliance.enrol.way_in import WayIns
    from appliance.ingest.desk import Desk
    from appliance.ingest.receive import Admission
    from appliance.keyring.client import AgentClient
    from appliance.keyring.public import EpochWatch, refuse_if_exchanged
    from appliance.people.devices import Devices
    from appliance.people.file import SystemFile
    from appliance.people.store import People
    from appliance.retrieve.decoder import Decoder
    from appliance.retrieve.pictures import Pictures
    from appliance.retrieve.reading import Reading
    from appliance.web_server import Certificate

    paths, run = StatePaths(settings.state), RunPaths(settings.run_root)
    archive = FileBackend(paths, "web", settings.reserve_mib * MIB)
    agent, system, events = AgentClient(run.keyagent), SystemFile(paths.system_db), Events()
    people, devices = People(system), Devices(system)
    visitors, port = Visitors(devices, clock.now), settings.wireguard_port
    courier = CourierClient(run.courier) if settings.courier != "none" else None
    way_in = WayIns(courier, settings.public_name, port)
    enrolment = Enrolment(
        devices, NetdClient(run.netd), Endpoints(port, way_in.endpoint, way_in.inside), port, clock.now
    )
    gate, reading = Gate(agent, visitors), Reading(archive, agent)
    pictures = Pictures(reading, Decoder(run.decoder))
    desk = Desk(paths, archive, agent, clock.now, events.changed)

    epochs = EpochWatch(paths)

    def admit(source: Source) -> Admission:
        refuse_if_exchanged(paths)
        return Admission(archive, epochs.current(), source, settings.largest_mib * MIB)

    def ended(device: str) -> None:
        gate.forget_device(device)
        events.look_again()

    hand, acting = AgentHand(agent, ended), Acting(people, agent, ended)
    watch = Watch(enrolment, hand, events.devices_changed)

    def changed() -> None:
        visitors.forget()
        events.devices_changed()
        watch.wake()

    certificate = Certificate(*paths.certificate(settings.tls_name), settings.tls_name) if settings.tls_name else None
    origins = Origins(
        secure=settings.tls == "acme",
        plain=lambda: f"http://{enrolment.tunnel().ipv4.partition('/')[0]}{_port(settings.http, 80)}",
        named=f"https://{settings.tls_name}{_port(settings.https, 443)}",
        ready=lambda: certificate is not None and certificate.ready,
    )
    routers = [
        handover_router(origins, visitors),
        box_router(gate, agent, archive),
        claim_router(visitors, origins, enrolment, hand, agent, people, changed),
        session_router(gate, agent, people, visitors, enrolment, hand, desk.wait_open, reading.forget),
        devices_router(gate, acting, enrolment, people, changed),
        equipment_router(gate, acting, enrolment, changed),
        way_in_router(gate, acting, enrolment, way_in),
        recovery_router(visitors, enrolment, agent, people, ended, changed),
        events_router(gate, agent, events),
        studies_router(gate, desk.index, desk.quarantined),
        frames_router(gate, desk.index, pictures),
        dicomweb_router(gate.reader, desk.index, pictures, admit, desk.wait_listed),
    ]
    hosts = [*settings.hosts, *filter(None, [settings.tls_name])]
    app = build(gate, visitors, origins, routers, page_directory(settings.web_root), hosts)
    return _Web(app, archive, desk, events, gate, watch, certificate)


def _port(address: str, usual: int) -> str:
    """Return what an origin says of its port: nothing for the usual one, or where the socket is handed down."""
    port = sockets.split(address)[1] if address else usual
    return "" if port == usual else f":{port}"


def _begin(process: str) -> None:
    logs.configure(process)
    die_with_supervisor()


def _state(settings: Settings) -> StatePaths:
    paths = StatePaths(settings.state)
    check_layout(paths)
    return paths


def _ready(process: str) -> None:
    logs.log("ready")
    tell_ready(process)


def _on_stop(stop: Any) -> None:
    """Call ``stop`` in a thread of its own at SIGTERM or SIGINT: a signal handler must not wait for locks."""

    def handler(_number: int, _frame: object) -> None:
        threading.Thread(target=stop, daemon=True).start()

    signal.signal(signal.SIGTERM, handler)
    signal.signal(signal.SIGINT, handler)
