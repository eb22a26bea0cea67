"""What is sealed opens again, whole or in any range."""

from __future__ import annotations

import hashlib
import io
import random
import tempfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import BadInput, Damaged, Refused
from appliance.sealing.header import parse_header, read_header
from appliance.sealing.identities import Identity, parse_identities, unwrap
from appliance.sealing.reader import SealedReader, open_sealed
from appliance.sealing.recipients import Recipient
from appliance.sealing.stream import CHUNK_SIZE
from appliance.sealing.writer import SealingWriter, seal

IDENTITY = Identity.generate()
EDGES = [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 3 * CHUNK_SIZE + 77]


def key_of(sealed: bytes, *identities: Identity) -> bytes:
    return unwrap(identities or [IDENTITY], read_header(io.BytesIO(sealed)))


def plain(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", EDGES)
def test_what_was_sealed_opens(size: int) -> None:
    sealed = seal(plain(size), [IDENTITY.recipient()])
    assert open_sealed(sealed, key_of(sealed)) == plain(size)


@pytest.mark.parametrize("size", EDGES)
def test_the_writer_reports_digest_and_sizes_of_what_it_wrote(size: int) -> None:
    sink = io.BytesIO()
    writer = SealingWriter(sink, [IDENTITY.recipient()])
    writer.write(plain(size))
    sealed = writer.finish()
    assert sealed.sha256 == hashlib.sha256(sink.getvalue()).hexdigest()
    assert (sealed.sealed_size, sealed.size) == (len(sink.getvalue()), size)


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_the_ciphertext_does_not_depend_on_how_the_plaintext_was_cut(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 4 * CHUNK_SIZE))
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=8)))
    text = plain(size)
    sink = io.BytesIO()
    writer = SealingWriter(sink, [IDENTITY.recipient()])
    for start, end in zip([0, *cuts], [*cuts, size], strict=True):
        writer.write(memoryview(text)[start:end])
    writer.finish()
    reader = SealedReader(sink, key_of(sink.getvalue()))
    assert b"".join(reader.chunks()) == text


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_any_range_reads_as_a_slice_would(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([*EDGES, 4 * CHUNK_SIZE - 5]))
    text = plain(size)
    sealed = seal(text, [IDENTITY.recipient()])
    reader = SealedReader(io.BytesIO(sealed), key_of(sealed))
    assert reader.size == size
    edges = st.sampled_from([0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, 2 * CHUNK_SIZE, 2 * CHUNK_SIZE + 1])
    for _ in range(6):
        offset = data.draw(edges | st.integers(0, size + 10))
        length = data.draw(edges | st.integers(0, size + 10))
        assert reader.read_at(offset, length) == text[offset : offset + length]


def test_a_negative_range_is_refused() -> None:
    sealed = seal(b"abc", [IDENTITY.recipient()])
    reader = SealedReader(io.BytesIO(sealed), key_of(sealed))
    for offset, length in ((-1, 1), (0, -1)):
        with pytest.raises(BadInput):
            reader.read_at(offset, length)


def test_a_whole_file_is_not_read_beyond_the_callers_limit() -> None:
    sealed = seal(b"abcd", [IDENTITY.recipient()])
    reader = SealedReader(io.BytesIO(sealed), key_of(sealed))
    assert reader.read_all(4) == b"abcd"
    with pytest.raises(BadInput):
        reader.read_all(3)


def test_each_of_several_recipients_opens_and_nobody_else() -> None:
    people = [Identity.generate() for _ in range(5)]
    sealed = seal(b"for all five", [person.recipient() for person in people])
    for person in people:
        assert open_sealed(sealed, key_of(sealed, person)) == b"for all five"
    assert key_of(sealed, IDENTITY, people[3])
    with pytest.raises(Refused):
        key_of(sealed, IDENTITY)
    with pytest.raises(Refused):
        unwrap([], read_header(io.BytesIO(sealed)))


def test_sealing_to_nobody_is_refused() -> None:
    with pytest.raises(BadInput):
        seal(b"x", [])


def test_a_header_beyond_what_a_reader_accepts_is_not_written() -> None:
    sink = io.BytesIO()
    with pytest.raises(BadInput):
        SealingWriter(sink, [IDENTITY.recipient()] * 700)
    assert sink.getvalue() == b""


def test_the_key_of_another_file_opens_nothing() -> None:
    one, other = seal(b"one", [IDENTITY.recipient()]), seal(b"other", [IDENTITY.recipient()])
    with pytest.raises(Damaged):
        open_sealed(one, key_of(other))


def test_a_sink_that_takes_little_at_a_time_gets_everything() -> None:
    class Dribble(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            return super().write(bytes(data[:1000]))

    sink = Dribble()
    writer = SealingWriter(sink, [IDENTITY.recipient()])
    writer.write(plain(100_000))
    digest = writer.finish().sha256
    assert hashlib.sha256(sink.getvalue()).hexdigest() == digest
    assert open_sealed(sink.getvalue(), key_of(sink.getvalue())) == plain(100_000)


@pytest.mark.parametrize("answer", [None, 0])
def test_a_sink_that_takes_nothing_is_an_error_not_a_loss(answer: int | None) -> None:
    class Blocked(io.BytesIO):
        def write(self, data: bytes) -> int | None:  # type: ignore[override]
            return answer

    with pytest.raises(BlockingIOError):
        SealingWriter(Blocked(), [IDENTITY.recipient()])


def test_a_source_that_gives_little_at_a_time_reads_the_same() -> None:
    class Dribble(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 999) if size and size > 0 else size)

    sealed = seal(plain(200_000), [IDENTITY.recipient()])
    assert SealedReader(Dribble(sealed), key_of(sealed)).read_all(200_000) == plain(200_000)


def test_nothing_is_written_after_finish() -> None:
    writer = SealingWriter(io.BytesIO(), [IDENTITY.recipient()])
    writer.finish()
    with pytest.raises(ValueError, match="after finish"):
        writer.write(b"x")
    with pytest.raises(ValueError, match="after finish"):
        writer.finish()


def test_two_files_of_the_same_plaintext_share_nothing_recognisable() -> None:
    one, other = seal(plain(1000), [IDENTITY.recipient()]), seal(plain(1000), [IDENTITY.recipient()])
    assert one[-1016:] != other[-1016:]
    assert parse_header(read_header(io.BytesIO(one)).raw).mac != read_header(io.BytesIO(other)).mac


def test_keys_survive_their_text_form_and_the_secret_is_not_printed() -> None:
    identity = Identity.generate()
    assert Identity.parse(identity.reveal()) == identity
    assert Recipient.parse(str(identity.recipient())) == identity.recipient()
    for shown in (str(identity), repr(identity), f"{identity}", f"{[identity]}"):
        assert "SECRET" not in shown
        assert identity.reveal() not in shown


def test_an_identity_file_is_read_as_age_keygen_writes_it() -> None:
    one, two = Identity.generate(), Identity.generate()
    text = f"# created: 2026-11-24\n# public key: {one.recipient()}\n{one.reveal()}\n\n{two.reveal()}\r\n"
    assert parse_identities(text) == [one, two]
    for bad in ("", "# only a comment\n", one.reveal().lower(), " " + one.reveal(), str(one.recipient()), "x" * 70_000):
        with pytest.raises(BadInput) as caught:
            parse_identities(bad)
        assert one.reveal() not in str(caught.value)


def test_memory_stays_flat_however_long_the_file_is() -> None:
    piece = plain(1 << 20)
    with tempfile.TemporaryFile() as file:
        tracemalloc.start()
        try:
            writer = SealingWriter(file, [IDENTITY.recipient()])
            for _ in range(40):
                writer.write(piece)
            writer.finish()
            sealing_peak = tracemalloc.get_traced_memory()[1]
            file.seek(0)
            reader = SealedReader(file, unwrap([IDENTITY], read_header(file)))
            tracemalloc.reset_peak()
            size = sum(len(chunk) for chunk in reader.chunks())
            reading_peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert size == 40 * len(piece)
    assert sealing_peak < 1 << 20
    assert reading_peak < 2 << 20
