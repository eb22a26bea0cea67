"""The process in which compressed data from strangers meets C code, alone and without rights."""
