"""The smallest images that a modality could send, made of what a test names."""

from __future__ import annotations

from pydicom.dataset import Dataset

from tests.samples.part10 import Sample, encode

SC = "1.2.840.10008.5.1.4.1.1.7"
ROOT = "1.2.826.0.1.3680043.10.4321"


def study_uid(study: int) -> str:
    """Return the UID of a study of :func:`image`."""
    return f"{ROOT}.{study}"


def image(
    study: int = 1, instance: int = 1, *, patient: str = "P1", name: str = "DUPONT^Emile", content: int = 0
) -> Sample:
    """Return an 8x8 picture; ``content`` is the grey value of all its pixels."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = SC, f"{ROOT}.{study}.1.{instance}"
    made.StudyInstanceUID, made.SeriesInstanceUID = study_uid(study), f"{ROOT}.{study}.1"
    made.StudyDate, made.StudyTime, made.AccessionNumber = "20261101", "101500", f"A{study}"
    made.Modality, made.ReferringPhysicianName, made.StudyID = "OT", "", f"S{study}"
    made.StudyDescription = "Radiographie"
    made.PatientName, made.PatientID, made.PatientBirthDate, made.PatientSex = name, patient, "19600229", "M"
    made.SeriesNumber, made.InstanceNumber = 1, instance
    made.Rows = made.Columns = 8
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.PixelData = bytes([content]) * 64
    made["PixelData"].VR = "OB"
    return encode(f"{study}-{instance}", made)
