"""A client in another language, from `proto/` and `docs/PROOF.md`: it sets up a study, enrols, obtains consent, submits a
form and fetches a proof.

Usage: client.py STUBS ENDPOINTS BUNDLE, where STUBS holds the code grpcio-tools generated. Prints the study's policy line.
"""

import base64
import hashlib
import json
import os
import sys
import time
import uuid

import grpc
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, sys.argv[1])
from trialseal.anchoring.v1 import anchoring_pb2, anchoring_pb2_grpc  # noqa: E402
from trialseal.capture.v1 import capture_pb2, capture_pb2_grpc  # noqa: E402
from trialseal.consent.v1 import consent_pb2, consent_pb2_grpc  # noqa: E402
from trialseal.enrollment.v1 import enrollment_pb2, enrollment_pb2_grpc  # noqa: E402

YEAR = 365 * 24 * 3600 * 1000


class Key:
    def __init__(self) -> None:
        self.secret = Ed25519PrivateKey.generate()
        raw = self.secret.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.raw = raw
        self.text = "ed25519:" + base64.b64encode(raw).decode()
        self.id = "ed25519:" + hashlib.sha256(b"trialseal/key@v1 ed25519\n" + raw).hexdigest()


def study_of(root_key: Key) -> str:
    """A study's identifier under rules 3: made of its root key."""
    tag = os.urandom(4)
    label = b"trialseal/study-id@v1 sha256\n" + (3).to_bytes(4, "big")
    made = bytearray(tag + hashlib.sha256(label + tag + root_key.raw).digest()[:12])
    made[6] = made[6] & 0x0F | 0x80
    made[8] = made[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(made)))


ROOT_KEY = Key()
STUDY = study_of(ROOT_KEY)


def now() -> int:
    return time.time_ns() // 1_000_000


def envelope(command: str, by: str, keys: list, **fields) -> bytes:
    payload_type = f"application/vnd.trialseal.{command}.v1+json"
    head = {"study": STUDY, "request": str(uuid.uuid4()), "by": by, "time": now()}
    payload = json.dumps({**head, **fields}).encode()
    message = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
    signatures = [{"keyid": key.id, "sig": base64.b64encode(key.secret.sign(message)).decode()} for key in keys]
    body = base64.b64encode(payload).decode()
    return json.dumps({"payloadType": payload_type, "payload": body, "signatures": signatures}).encode()


def token(actor: str, key: Key) -> list:
    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    issued = int(time.time())
    header = {"alg": "EdDSA", "typ": "JWT", "kid": key.id}
    claims = {"sub": actor, "aud": "trialseal", "study": STUDY, "iat": issued, "exp": issued + 60}
    message = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
    return [("authorization", f"Bearer {message}.{part(key.secret.sign(message.encode()))}")]


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + data).digest()


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(hashes: list) -> bytes:
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node(root(hashes[:split]), root(hashes[split:]))


def datapoint(item: str, value: str, unit: str = "") -> bytes:
    fields = b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in (item, "", value, unit))
    return b"trialseal/datapoint@v1 sha256\n" + os.urandom(16) + fields


APPROVAL = {"body": "IRB of the clinic", "reference": "IRB 1", "date": "2026-02-01"}


def set_up(enrollment, root_key: Key, nurse: Key) -> None:
    def signed(command: str, keys: list, **fields) -> bytes:
        return envelope(command, "root", keys, **fields)

    send, pb = enrollment, enrollment_pb2
    request = signed("create-study", [root_key], name="PYTHON-01", root_key=root_key.text, rules=3)
    send.CreateStudy(pb.CreateStudyRequest(envelope=request))
    protocol = hashlib.sha256(b"a protocol").hexdigest()
    request = signed("add-protocol-version", [root_key], version="1", document=protocol, effective=now(), approval=APPROVAL)
    send.AddProtocolVersion(pb.AddProtocolVersionRequest(envelope=request))
    request = signed("set-study-state", [root_key], state="open", reason="approved")
    send.SetStudyState(pb.SetStudyStateRequest(envelope=request))
    request = signed("register-actor", [root_key, nurse], actor="nurse", kind="person", key=nurse.text)
    send.RegisterActor(pb.RegisterActorRequest(envelope=request))
    send.AddSite(pb.AddSiteRequest(envelope=signed("add-site", [root_key], site="901", title="Clinic")))
    request = signed("record-site-approval", [root_key], site="901", protocol="1", approval=APPROVAL)
    send.RecordSiteApproval(pb.RecordSiteApprovalRequest(envelope=request))
    send.ActivateSite(pb.ActivateSiteRequest(envelope=signed("activate-site", [root_key], site="901")))
    for task in ("enrol", "obtain_consent", "capture"):
        period = {"from": now() - 1000, "until": now() + YEAR}
        request = signed("delegate", [root_key], actor="nurse", task=task, site="901", **period)
        send.Delegate(pb.DelegateRequest(envelope=request))


def main() -> None:
    with open(sys.argv[2], encoding="utf-8") as file:
        urls = {name: url for name, url in json.load(file).items() if isinstance(url, str)}
    channels = {name: grpc.insecure_channel(url.removeprefix("http://")) for name, url in urls.items()}
    enrollment = enrollment_pb2_grpc.EnrollmentServiceStub(channels["enrollment"])
    consent = consent_pb2_grpc.ConsentServiceStub(channels["consent"])
    capture = capture_pb2_grpc.CaptureServiceStub(channels["capture"])
    anchoring = anchoring_pb2_grpc.AnchoringServiceStub(channels["anchoring"])
    root_key, nurse, patient = ROOT_KEY, Key(), Key()
    set_up(enrollment, root_key, nurse)

    participant = "P-" + base64.b32encode(os.urandom(10)).decode()
    request = envelope("enrol-participant", "nurse", [nurse, patient], participant=participant, site="901", key=patient.text)
    enrollment.EnrolParticipant(enrollment_pb2.EnrolParticipantRequest(envelope=request))
    icf = {"document": "ICF", "version": "1", "language": "en"}
    file = b"a consent form"
    offers = [{"provision": "data_collection", "mandatory": True}, {"provision": "genetics", "mandatory": False}]
    terms = {"title": "Consent form", "effective": now(), "provisions": offers}
    content = hashlib.sha256(file).hexdigest()
    request = envelope("publish-document", "root", [root_key], content=content, approval=APPROVAL, terms=terms, **icf)
    consent.PublishDocument(consent_pb2.PublishDocumentRequest(envelope=request, file=file))
    given = {"participant": participant, "site": "901", "provisions": ["data_collection"], "synthetic": True, **icf}
    request = envelope("give-consent", "nurse", [patient, nurse], manner={"capacity": "participant"}, **given)
    answer = consent.GiveConsent(consent_pb2.GiveConsentRequest(envelope=request))
    assert "WHAT YOU AGREED TO" in answer.copy and json.loads(answer.machine_copy)

    items = [{"item": "TEMP", "type": "decimal", "min": 30, "max": 45, "mandatory": True}, {"item": "NOTE", "type": "text"}]
    request = envelope("define-forms", "root", [root_key], version="1", forms=[{"form": "VS", "items": items}])
    capture.DefineForms(capture_pb2.DefineFormsRequest(envelope=request))
    datapoints = [datapoint("TEMP", "37.2", "C"), datapoint("NOTE", "température prise à l’oreille")]
    instance = {"participant": participant, "event": "VISIT 1", "event_repeat": 0, "form": "VS", "form_repeat": 0}
    header = {
        "site": "901",
        "instance": instance,
        "forms_version": "1",
        "root": root([leaf(data) for data in datapoints]).hex(),
        "count": len(datapoints),
    }
    request = envelope("submit-form", "nurse", [nurse], **header)
    receipt = capture.SubmitForm(capture_pb2.SubmitFormRequest(envelope=request, datapoints=datapoints)).receipt
    assert b"trialseal/entry@v1 sha256\n" in receipt.entry
    number = int.from_bytes(receipt.entry[26 + 32 : 26 + 40], "big")

    read = capture_pb2.GetFormRequest(study=STUDY, instance=capture_pb2.FormInstance(**instance))
    form = capture.GetForm(read, metadata=token("nurse", nurse)).form
    assert [value.value for value in form.values] == ["37.2", "température prise à l’oreille"]
    wanted = anchoring_pb2.GetBundleRequest(study=STUDY, entry=number, item="TEMP")
    bundle = fetch(anchoring, wanted, nurse)
    with open(sys.argv[3], "wb") as file:
        file.write(bundle)
    print(f"study {STUDY} {root_key.text}")


def fetch(anchoring, wanted, nurse: Key) -> bytes:
    until = time.monotonic() + 30
    while True:
        try:
            return anchoring.GetBundle(wanted, metadata=token("nurse", nurse)).bundle
        except grpc.RpcError as error:  # on the chain soon: the service says UNAVAILABLE until then
            if error.code() != grpc.StatusCode.UNAVAILABLE or time.monotonic() > until:
                raise
            time.sleep(0.1)


main()
