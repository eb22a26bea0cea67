"""Small DICOM objects for tests of the whole appliance, with the bodies that upload them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydicom.dataset import Dataset

from tests.samples.part10 import Sample, encode
from tests.samples.uids import uid

CT = "1.2.840.10008.5.1.4.1.1.2"
BOUNDARY = "negatoscope-parts"
STOW = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}


def tiny(*name: object, study: object = "study", pixels: bytes = bytes(128), **values: object) -> Sample:
    """Return a CT image of 8 by 8 pixels; ``name`` decides its SOPInstanceUID, ``values`` are further attributes."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = CT, uid("e2e", *name)
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid("e2e study", study), uid("e2e series", study)
    dataset.PatientName, dataset.PatientID, dataset.Modality = "ESSAI^Louise", "E2E-1", "CT"
    dataset.StudyDate, dataset.InstanceNumber = "20261101", 1
    dataset.Rows = dataset.Columns = 8
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelData = pixels
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return encode("-".join(map(str, name)), dataset)


def stow_body(parts: Iterable[bytes], kind: str = "application/dicom") -> bytes:
    """Return a whole multipart/related body for :data:`STOW`."""
    head = f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def below(directory: Path) -> set[str]:
    """Return the relative paths of all regular files below a directory."""
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
