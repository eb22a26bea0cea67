"""The attributes that real equipment sends with an image."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, DigitalXRayImageStorageForPresentation

from tests.samples.people import Person, study_date, study_time
from tests.samples.uids import uid


def common(person: Person, kind: str, seed: int, index: int) -> Dataset:
    """Return patient, study, series, equipment and SOP common attributes (PS3.3 C.7, C.12)."""
    date, time = study_date(kind, seed), study_time(kind, seed)
    ds = Dataset()
    ds.SpecificCharacterSet = person.charset or "ISO_IR 100"
    ds.InstanceCreationDate, ds.InstanceCreationTime = date, time
    ds.InstanceCreatorUID = uid("equipment", kind)
    ds.SOPInstanceUID = uid(kind, seed, "instance", index)
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = date
    ds.StudyTime = time
    ds.SeriesTime = ds.AcquisitionTime = ds.ContentTime = f"{time}.{index:03d}"
    ds.AccessionNumber = f"A{date[2:]}{seed:04d}"
    ds.TimezoneOffsetFromUTC = "+0100"
    ds.InstitutionName = "Cabinet d'imagerie des Tilleuls"
    ds.InstitutionAddress = "12 allée des Tilleuls, 00000 Valbrune"
    ds.ReferringPhysicianName = "Corvaisier^Delphine^^Dr"
    ds.PerformingPhysicianName = "Talvande^Marc-Antoine^^Dr"
    ds.OperatorsName = "Ferrandol^Julie"
    ds.InstitutionalDepartmentName = "Imagerie"
    ds.PatientName, ds.PatientID = person.name, person.patient_id
    ds.IssuerOfPatientID = "CABINET-TILLEULS"
    ds.PatientBirthDate, ds.PatientSex = person.birth, person.sex
    ds.PatientAge = f"{int(date[:4]) - int(person.birth[:4]) - (date[4:] < person.birth[4:]):03d}Y"
    ds.PatientComments = "Allergie déclarée : pollen. Claustrophobie légère."
    ds.EthnicGroup = ""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(kind, seed, "study"), uid(kind, seed, "series")
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = str(seed), 2, index + 1
    ds.LossyImageCompression = "00"
    ds.PerformedProcedureStepStartDate, ds.PerformedProcedureStepStartTime = date, time
    ds.PerformedProcedureStepID = f"PPS{seed:06d}"
    return ds


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """Return one item of a code sequence (PS3.3 8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def grey(ds: Dataset, rows: int, columns: int, stored: int, photometric: str = "MONOCHROME2") -> None:
    """Add the image pixel attributes of an unsigned grey image of ``stored`` bits in 16 (PS3.3 C.7.6.3)."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, photometric
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, stored, stored - 1, 0


def ct(person: Person, seed: int, index: int, z: float, thickness: float, pixel: float) -> Dataset:
    """Return a CT slice's attributes without pixel data; lengths in millimetres."""
    ds = common(person, "ct", seed, index)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    ds.SOPClassUID, ds.Modality = CTImageStorage, "CT"
    ds.Manufacturer, ds.ManufacturerModelName = "Imagerie Simulée", "Tilleul 64"
    ds.StationName, ds.DeviceSerialNumber, ds.SoftwareVersions = "SCAN01", "TS-64-00217", ["TA_2.4", "R3.1"]
    ds.StudyDescription, ds.SeriesDescription = "TDM thorax-abdomen injecté", "Parenchyme 2.2 mm portal"
    ds.ProtocolName, ds.BodyPartExamined = "TAP_Portal", "CHEST"
    ds.ProcedureCodeSequence = [code("ZBQH001", "CCAM", "Scanographie du thorax, avec injection")]
    ds.AnatomicRegionSequence = [code("51185008", "SCT", "Thorax")]
    ds.RequestAttributesSequence = [Dataset()]
    ds.RequestAttributesSequence[0].ScheduledProcedureStepDescription = "TDM thorax-abdomen"
    ds.RequestAttributesSequence[0].ScheduledProcedureStepID = f"SPS{seed:06d}"
    ds.RequestAttributesSequence[0].RequestedProcedureID = f"RP{seed:06d}"
    ds.PatientPosition, ds.PatientWeight, ds.PatientSize = "HFS", "71.5", "1.74"
    ds.ContrastBolusAgent, ds.ContrastBolusRoute, ds.ContrastBolusVolume = "Iode 350", "IV", "90"
    ds.ScanOptions, ds.DataCollectionDiameter, ds.ReconstructionDiameter = "SPIRAL", "500", "400"
    ds.KVP, ds.SliceThickness, ds.TotalCollimationWidth = "120", f"{thickness:.4g}", 38.4
    ds.SingleCollimationWidth, ds.TableSpeed, ds.TableFeedPerRotation, ds.SpiralPitchFactor = (
        0.6,
        76.8,
        38.4,
        1.0,
    )
    ds.DistanceSourceToDetector, ds.DistanceSourceToPatient = "1085.6", "595"
    ds.GantryDetectorTilt, ds.TableHeight, ds.RotationDirection = "0", "152.5", "CW"
    ds.ExposureTime, ds.XRayTubeCurrent, ds.Exposure = "500", str(180 + index % 40), str(90 + index % 20)
    ds.FilterType, ds.GeneratorPower, ds.FocalSpots = "0", "48", "1.2"
    ds.ConvolutionKernel, ds.ExposureModulationType = "B31f", "XYZ_EC"
    ds.CTDIvol, ds.ImageComments = 7.42, "Série simulée, sans patient réel"
    ds.AcquisitionNumber = 3
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = uid("ct", seed, "frame"), ""
    half = pixel * 512 / 2
    ds.ImagePositionPatient = [f"{-half:.6g}", f"{-half:.6g}", f"{-z:.6g}"]
    ds.ImageOrientationPatient, ds.SliceLocation = ["1", "0", "0", "0", "1", "0"], f"{-z:.6g}"
    grey(ds, 512, 512, 12)
    ds.PixelSpacing = [f"{pixel:.6g}", f"{pixel:.6g}"]
    ds.SmallestImagePixelValue, ds.LargestImagePixelValue = 0, 4095
    ds.WindowCenter, ds.WindowWidth = ["50", "-600"], ["400", "1500"]
    ds.WindowCenterWidthExplanation = ["MEDIASTIN", "PARENCHYME"]
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    block = ds.private_block(0x0029, "IMAGERIE SIMULEE HEADER", create=True)
    block.add_new(0x08, "LO", "SOM 5 TPOS")
    block.add_new(0x10, "OB", bytes(range(256)) * 8)
    return ds


def projection(person: Person, kind: str, seed: int, index: int, rows: int, columns: int, stored: int) -> Dataset:
    """Return a digital radiograph's attributes (DX, For Presentation) without pixel data."""
    ds = common(person, kind, seed, index)
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.SOPClassUID, ds.Modality = DigitalXRayImageStorageForPresentation, "DX"
    ds.PresentationIntentType = "FOR PRESENTATION"
    ds.Manufacturer, ds.DeviceSerialNumber, ds.SoftwareVersions = "Imagerie Simulée", "RX-3-00912", "5.1.7"
    ds.AcquisitionNumber = 1
    ds.PatientOrientation = ["L", "F"]
    ds.ImageLaterality, ds.BurnedInAnnotation = "U", "NO"
    grey(ds, rows, columns, stored)
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "0", "1", "US"
    ds.PresentationLUTShape = "IDENTITY"
    ds.AcquisitionContextSequence = []
    ds.DetectorType, ds.DetectorID, ds.DetectorConfiguration = "DIRECT", f"DET-{kind.upper()}", "AREA"
    ds.ExposureStatus, ds.FieldOfViewShape = "NORMAL", "RECTANGLE"
    return ds
