//! One file of the log: given its room before its use, headed by its number and salt, never
//! appended to by a later process.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::io::ReadWriteFlags;

use crate::layer::{Allocation, Layer, write_all_at};
use crate::names::Names;
use crate::record::{BLOCK, HEADER, Header};

/// Offset of the first record: behind the two copies of the segment's header.
pub(crate) const FIRST_RECORD: u64 = 2 * BLOCK;

/// Offsets are 32 bit in the index.
pub(crate) const SIZE_MAX: u64 = 1 << 30;

const MAGIC: &[u8; 8] = b"LPSPOOL1";

/// In its place when nothing in the segment counts any more.
const RETIRED: &[u8; 8] = b"LPSPOOL0";

/// Octets written at once while a new file is filled with zeros.
const ZEROS: usize = 256 * 1024;

/// Octets of zeros that are written and flushed by one [`Segment::polish`]: so few that whoever
/// waits for a flush meanwhile hardly notices.
const PIECE: u64 = 256 * 1024;

/// Octets that are read at once to learn whether they are in memory.
const PROBE: usize = 16 * 1024;

/// A segment of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) generation: u32,
    pub(crate) salt: u64,
    /// Octets of the file; fewer than it was made with, if something has cut it.
    pub(crate) size: u64,
    /// Octets it was made with.
    pub(crate) made: u64,
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

/// Path of the segment with this number.
pub(crate) fn path_of(directory: &Path, generation: u32) -> PathBuf {
    directory.join(format!("{generation:08}.seg"))
}

/// Path of a segment's file between two lives.
fn spare_of(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// The number in the name of a segment's file.
pub(crate) fn generation_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|generation| *generation > 0)
}

impl Segment {
    /// Makes a new segment of `size` octets, durable with its name; says up to where its blocks
    /// are written. Writing over written blocks changes no metadata, which halves the cost of
    /// a small flush; [`Self::polish`] writes the others.
    pub(crate) fn create(
        layer: &dyn Layer,
        names: &Names,
        directory: &Path,
        generation: u32,
        size: u64,
    ) -> io::Result<(Self, u64)> {
        let unfinished = path_of(directory, generation).with_extension("new");
        let made = Self::room(layer, &unfinished, size).and_then(|(file, written)| {
            let path = path_of(directory, generation);
            let segment = Self::name((layer, names), file, &unfinished, path, generation, size)?;
            Ok((segment, written))
        });
        made.inspect_err(|_| {
            // Its space is what somebody may be waiting for.
            let _ = layer.remove(&unfinished);
        })
    }

    /// Makes a new segment of one that nobody reads any more and whose file has been
    /// [set aside](Self::set_aside): its blocks are allocated and written already. Its old
    /// records have another salt and so are none.
    pub(crate) fn renew(
        self,
        layer: &dyn Layer,
        names: &Names,
        directory: &Path,
        generation: u32,
    ) -> io::Result<Self> {
        let spare = spare_of(&self.path);
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(&spare)
            .and_then(|file| {
                let path = path_of(directory, generation);
                Self::name((layer, names), file, &spare, path, generation, self.size)
            })
            .inspect_err(|_| {
                let _ = layer.remove(&spare);
            })
    }

    /// Makes a file for a segment that has no number yet: what [`Self::renew`] takes.
    pub(crate) fn spare(
        layer: &dyn Layer,
        directory: &Path,
        number: u32,
        size: u64,
    ) -> io::Result<(Self, u64)> {
        let path = directory.join(format!("spare-{number}.seg"));
        let spare = spare_of(&path);
        let (file, written) = Self::room(layer, &spare, size).inspect_err(|_| {
            let _ = layer.remove(&spare);
        })?;
        Ok((Self { generation: 0, salt: 0, size, made: size, file, path }, written))
    }

    /// Takes away the segment's name, so that its file is a segment no more.
    pub(crate) fn set_aside(&self, layer: &dyn Layer) -> io::Result<()> {
        layer.rename(&self.path, &spare_of(&self.path))
    }

    /// Makes it say, durably, that nothing in it counts: whatever becomes of its names, its
    /// records do not come back.
    pub(crate) fn retire(&self, layer: &dyn Layer) -> io::Result<()> {
        let header = encode_as(RETIRED, self.generation, self.salt, self.made);
        for copy in [0, BLOCK] {
            write_all_at(layer, &self.file, &mut [IoSlice::new(&header)], copy)?;
        }
        layer.sync(&self.file)
    }

    /// Removes the file, whether it has been set aside or not.
    pub(crate) fn remove(&self, layer: &dyn Layer) -> io::Result<()> {
        layer.remove(&self.path)?;
        self.remove_spare(layer)
    }

    /// Removes the file that [`Self::set_aside`] has left.
    pub(crate) fn remove_spare(&self, layer: &dyn Layer) -> io::Result<()> {
        layer.remove(&spare_of(&self.path))
    }

    /// A file with room for `size` octets, and up to where its blocks are written.
    fn room(layer: &dyn Layer, path: &Path, size: u64) -> io::Result<(File, u64)> {
        layer.remove(path)?;
        let file = layer.create(path)?;
        match layer.allocate(&file, size)? {
            Allocation::Written => Ok((file, size)),
            Allocation::Reserved => Ok((file, 0)),
            Allocation::Unsupported => {
                fill(layer, &file, 0, size)?;
                Ok((file, size))
            }
        }
    }

    /// Writes some more zeros from `from` on, to a segment that nobody writes to yet, and
    /// flushes them; says up to where.
    pub(crate) fn polish(&self, layer: &dyn Layer, from: u64) -> io::Result<u64> {
        let until = from.saturating_add(PIECE).min(self.size);
        // What stands in front are the headers.
        fill(layer, &self.file, from.max(FIRST_RECORD), until)?;
        layer.sync(&self.file)?;
        Ok(until)
    }

    /// Writes the header, then gives the file the name of a segment.
    fn name(
        (layer, names): (&dyn Layer, &Names),
        file: File,
        unfinished: &Path,
        path: PathBuf,
        generation: u32,
        size: u64,
    ) -> io::Result<Self> {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        // Odd, and so never zero: zeros are where nothing has been written.
        let salt = u64::from_le_bytes(salt) | 1;
        let header = encode_header(generation, salt, size);
        for copy in [0, BLOCK] {
            write_all_at(layer, &file, &mut [IoSlice::new(&header)], copy)?;
        }
        layer.sync(&file)?;
        let begun = names.begin();
        layer.rename(unfinished, &path)?;
        names.flush(layer, begun).inspect_err(|_| {
            let _ = layer.remove(&path);
        })?;
        Ok(Self { generation, salt, size, made: size, file, path })
    }

    /// Opens a segment of an earlier process. `Ok(None)`: neither copy of its header is whole.
    pub(crate) fn open(path: &Path, generation: u32, write: bool) -> io::Result<Option<Opened>> {
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        let size = file.metadata()?.len().min(SIZE_MAX);
        let mut copies = [0, BLOCK].iter().filter_map(|copy| {
            let mut header = [0; 32];
            file.read_exact_at(&mut header, *copy).ok()?;
            decode_header(&header).filter(|header| header.generation == generation)
        });
        let (first, second) = (copies.next(), copies.next());
        let Some(StoredHeader { salt, made, .. }) = first else {
            return Ok(None);
        };
        // One copy is enough: both were valid before the first was written over.
        if [first, second].into_iter().flatten().any(|header| header.retired) {
            return Ok(Some(Opened::Retired));
        }
        let path = path.to_path_buf();
        Ok(Some(Opened::Segment(Self { generation, salt, size, made, file, path })))
    }

    /// Octets of records it has room for.
    pub(crate) fn capacity(size: u64) -> u64 {
        size.saturating_sub(FIRST_RECORD)
    }

    /// Whether so many octets can be read without waiting for the disk: what has just been
    /// written nearly always can. Not where the kernel or the file system cannot tell.
    pub(crate) fn is_in_memory(&self, offset: u32, octets: usize) -> bool {
        let mut room = [0; PROBE];
        let (mut at, mut left) = (u64::from(offset), octets);
        while left > 0 {
            let piece = left.min(PROBE);
            let slices = &mut [IoSliceMut::new(&mut room[..piece])];
            match rustix::io::preadv2(&self.file, slices, at, ReadWriteFlags::NOWAIT) {
                Ok(read @ 1..) => {
                    at += read as u64;
                    left -= read.min(left);
                }
                Ok(0) | Err(_) => return false,
            }
        }
        true
    }

    /// Reads a record's frame and meta, checked.
    pub(crate) fn read_meta(&self, offset: u32, meta_len: u32) -> io::Result<(Header, Vec<u8>)> {
        let mut octets = vec![0; HEADER + meta_len as usize];
        self.file.read_exact_at(&mut octets, u64::from(offset))?;
        let header = self.check(&octets, offset, meta_len)?;
        octets.drain(..HEADER);
        Ok((header, octets))
    }

    /// Reads the body of the record at `offset`, checked.
    pub(crate) fn read_body(&self, offset: u32, header: &Header) -> io::Result<Vec<u8>> {
        let mut body = vec![0; header.body_len as usize];
        let at = u64::from(offset) + HEADER as u64 + u64::from(header.meta_len);
        self.file.read_exact_at(&mut body, at)?;
        if crc32c::crc32c(&body) != header.body_crc {
            return Err(damaged(&self.path, offset));
        }
        Ok(body)
    }

    fn check(&self, octets: &[u8], offset: u32, meta_len: u32) -> io::Result<Header> {
        octets
            .split_first_chunk::<HEADER>()
            .and_then(|(frame, meta)| {
                let header = Header::parse(frame, self.salt)?;
                let whole =
                    header.meta_len == meta_len && Header::holds(frame, meta, u64::from(offset));
                whole.then_some(header)
            })
            .ok_or_else(|| damaged(&self.path, offset))
    }
}

fn fill(layer: &dyn Layer, file: &File, from: u64, until: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS];
    let mut at = from;
    while at < until {
        let now = usize::try_from(until - at).unwrap_or(ZEROS).min(ZEROS);
        write_all_at(layer, file, &mut [IoSlice::new(&zeros[..now])], at)?;
        at += now as u64;
    }
    Ok(())
}

/// The error for a record whose checksum is wrong.
pub(crate) fn damaged(path: &Path, offset: u32) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the record at octet {offset} of {} is damaged", path.display()),
    )
}

/// What a file with the name of a segment is.
#[derive(Debug)]
pub(crate) enum Opened {
    Segment(Segment),
    /// Nothing in it counts.
    Retired,
}

pub(crate) fn encode_header(generation: u32, salt: u64, size: u64) -> [u8; 32] {
    encode_as(MAGIC, generation, salt, size)
}

fn encode_as(magic: &[u8; 8], generation: u32, salt: u64, size: u64) -> [u8; 32] {
    let mut header = [0; 32];
    header[0..8].copy_from_slice(magic);
    header[8..12].copy_from_slice(&generation.to_le_bytes());
    header[12..20].copy_from_slice(&salt.to_le_bytes());
    header[20..28].copy_from_slice(&size.to_le_bytes());
    let crc = crc32c::crc32c(&header[..28]);
    header[28..32].copy_from_slice(&crc.to_le_bytes());
    header
}

#[derive(Clone, Copy, Debug)]
struct StoredHeader {
    generation: u32,
    salt: u64,
    made: u64,
    retired: bool,
}

fn decode_header(header: &[u8; 32]) -> Option<StoredHeader> {
    let (fields, crc) = header.split_last_chunk::<4>()?;
    let (magic, fields) = fields.split_first_chunk::<8>()?;
    let (generation, fields) = fields.split_first_chunk::<4>()?;
    let (salt, size) = fields.split_first_chunk::<8>()?;
    let known = magic == MAGIC || magic == RETIRED;
    let whole = known && crc32c::crc32c(&header[..28]) == u32::from_le_bytes(*crc);
    let made = u64::from_le_bytes(*size.first_chunk()?);
    let (generation, salt) = (u32::from_le_bytes(*generation), u64::from_le_bytes(*salt));
    whole.then_some(StoredHeader { generation, salt, made, retired: magic == RETIRED })
}
