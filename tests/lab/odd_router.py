"""Odd routers, on UDP 5351 and 1900 and TCP 5555: a stand-in written from RFC 6887 and UPnP's IGD 1.

Argument: how it is odd.
permanent: honest, but knows only mappings without end (error 725). All others lie:
other-port, zero, garbage: the answer by PCP; elsewhere: the description by UPnP lies at another machine;
huge: a description without end; stolen: another machine has our port, and the mapping is confirmed all the same.
"""

from __future__ import annotations

import http.server
import os
import re
import socket
import struct
import sys
import threading

ODD = sys.argv[1] if __name__ == "__main__" else ""
HERE = "192.168.77.1"
DESCRIPTION = """<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major>
<minor>0</minor></specVersion><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<friendlyName>Box</friendlyName><manufacturer>X</manufacturer><modelName>X</modelName><UDN>uuid:1</UDN><serviceList>
<service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId><SCPDURL>/scpd.xml</SCPDURL><controlURL>/ctl</controlURL>
<eventSubURL>/evt</eventSubURL></service></serviceList></device></root>"""
OUT = {
    "DeletePortMapping": (
        ("NewRemoteHost", "in", "string"), ("NewExternalPort", "in", "ui2"), ("NewProtocol", "in", "string"),
    ),
    "GetExternalIPAddress": (("NewExternalIPAddress", "out", "string"),),
    "GetSpecificPortMappingEntry": (
        ("NewRemoteHost", "in", "string"), ("NewExternalPort", "in", "ui2"), ("NewProtocol", "in", "string"),
        ("NewInternalPort", "out", "ui2"), ("NewInternalClient", "out", "string"), ("NewEnabled", "out", "boolean"),
        ("NewPortMappingDescription", "out", "string"), ("NewLeaseDuration", "out", "ui4"),
    ),
    "AddPortMapping": (
        ("NewRemoteHost", "in", "string"), ("NewExternalPort", "in", "ui2"), ("NewProtocol", "in", "string"),
        ("NewInternalPort", "in", "ui2"), ("NewInternalClient", "in", "string"), ("NewEnabled", "in", "boolean"),
        ("NewPortMappingDescription", "in", "string"), ("NewLeaseDuration", "in", "ui4"),
    ),
}  # fmt: skip
ANSWERS = {
    "GetExternalIPAddress": {"NewExternalIPAddress": "203.0.120.2"},
    "GetSpecificPortMappingEntry": {
        "NewInternalPort": "51820", "NewInternalClient": "192.168.77.66", "NewEnabled": "1",
        "NewPortMappingDescription": "x", "NewLeaseDuration": "0",
    },
    "AddPortMapping": {},
    "DeletePortMapping": {},
}  # fmt: skip
if ODD == "permanent":
    ANSWERS["GetSpecificPortMappingEntry"]["NewInternalClient"] = "192.168.77.2"
added = False


def scpd() -> str:
    actions, variables = "", {}
    for name, arguments in OUT.items():
        listed = ""
        for argument, direction, kind in arguments:
            variables[f"V_{kind}"] = kind
            listed += f"<argument><name>{argument}</name><direction>{direction}</direction>"
            listed += f"<relatedStateVariable>V_{kind}</relatedStateVariable></argument>"
        actions += f"<action><name>{name}</name><argumentList>{listed}</argumentList></action>"
    table = "".join(
        f'<stateVariable sendEvents="no"><name>{name}</name><dataType>{kind}</dataType></stateVariable>'
        for name, kind in variables.items()
    )
    return (
        '<?xml version="1.0"?><scpd xmlns="urn:schemas-upnp-org:service-1-0"><specVersion><major>1</major>'
        f"<minor>0</minor></specVersion><actionList>{actions}</actionList>"
        f"<serviceStateTable>{table}</serviceStateTable></scpd>"
    )


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        print("GET", self.path, flush=True)
        if ODD == "huge":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"<x>" * 20000)
            except OSError:
                return
        self.answer(200, scpd() if "scpd" in self.path else DESCRIPTION)

    def do_POST(self) -> None:
        global added
        action = self.headers["SOAPAction"].strip('"').partition("#")[2]
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print(action, re.findall(r"NewLeaseDuration>(\d+)", asked), flush=True)
        envelope = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body></s:Envelope>'
        endless = "NewLeaseDuration>0<" in asked
        error = 714 if action == "GetSpecificPortMappingEntry" and not added else 0
        if ODD == "permanent" and action == "AddPortMapping" and not endless:
            error = 725
        if error:
            fault = "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
            fault += f'<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{error}</errorCode>'
            fault += "<errorDescription>No</errorDescription></UPnPError></detail></s:Fault>"
            self.answer(500, envelope.format(fault))
            return
        added = added or action == "AddPortMapping"
        held = "".join(f"<{name}>{value}</{name}>" for name, value in ANSWERS[action].items())
        service = "urn:schemas-upnp-org:service:WANIPConnection:1"
        self.answer(200, envelope.format(f'<u:{action}Response xmlns:u="{service}">{held}</u:{action}Response>'))

    def answer(self, code: int, text: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", 'text/xml; charset="utf-8"')
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_arguments: object) -> None:
        pass


def speak_pcp() -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((HERE, 5351))
    while True:
        question, asker = server.recvfrom(2048)
        if question[0] != 2:
            continue
        nonce, port = question[24:36], struct.unpack_from("!H", question, 40)[0]
        said = {"other-port": port + 1, "zero": port}.get(ODD, port)
        address = b"\0" * 12 + (b"\0" * 4 if ODD == "zero" else socket.inet_aton("203.0.120.2"))
        address = address[:10] + b"\xff\xff" + address[12:]
        answer = struct.pack("!BBxBII12x", 2, 0x81, 0, 3600, 1) + nonce
        answer += struct.pack("!B3xHH", 17, said, said) + address
        server.sendto(os.urandom(60) if ODD == "garbage" else answer, asker)


def speak_ssdp() -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((HERE, 1900))
    where = "192.168.77.9" if ODD == "elsewhere" else HERE
    while True:
        _, asker = server.recvfrom(2048)
        head = f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nLOCATION: http://{where}:5555/d.xml\r\nEXT:\r\n"
        head += "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nUSN: uuid:1\r\n\r\n"
        server.sendto(head.encode(), asker)


if not ODD:
    pass  # Imported for its path.
elif ODD in ("other-port", "zero", "garbage"):
    speak_pcp()
else:
    threading.Thread(target=speak_ssdp, daemon=True).start()
    http.server.ThreadingHTTPServer(("0.0.0.0", 5555), Handler).serve_forever()
