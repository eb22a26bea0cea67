"""The DICOM message protocol towards the practice's equipment."""
