"""Facts of DICOM as pure functions: framing, JSON, queries, UIDs. No input or output."""
