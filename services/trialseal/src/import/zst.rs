//! A zstd file (RFC 8878): frames, one after the other, each of the length and the checksum that it says it has.

use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use std::io::{self, BufRead, ErrorKind, Read};

/// Reads what is in the frames.
pub(super) struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// How many bytes of the frame under way were read; nothing between frames.
    read: Option<u64>,
}

impl<R: BufRead> Frames<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), read: None }
    }

    /// Begins the next frame, if there is one. Frames that hold no data are passed over.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => {
                    self.read = Some(0);
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    self.skip(length.into())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
        if skipped == length { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Ends a frame, of which `read` bytes were read.
    fn end(&mut self, read: u64) -> io::Result<()> {
        let (length, checksum) = (self.decoder.content_size(), self.decoder.get_checksum_from_data());
        let is_right = checksum.is_none() || checksum == self.decoder.get_calculated_checksum();
        if !is_right || (length != 0 && length != read) {
            return Err(io::Error::new(ErrorKind::InvalidData, "the data are not what was compressed"));
        }
        self.read = None;
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.read.is_some() || self.begin()? {
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
            }
            let (before, more) = (self.read.unwrap_or_default(), self.decoder.read(buffer)?);
            if more > 0 {
                self.read = Some(before + more as u64);
                return Ok(more);
            }
            self.end(before)?;
        }
        Ok(0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;

    /// One frame that holds `content`, with a checksum and its length.
    fn frame(content: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.set_pledged_src_size(Some(content.len() as u64)).unwrap();
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read(file: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        Frames::new(file).read_to_end(&mut content).map(|_| content)
    }

    fn table() -> Vec<u8> {
        (0..10_000_u32).flat_map(|row| format!("SUBJ-{},BASELINE,{row}\n", row * 7_919 % 10_007).into_bytes()).collect()
    }

    #[test]
    fn frames_are_read_one_after_the_other() {
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let file = [skipped.clone(), frame(b"one,"), frame(b""), skipped, frame(&table())].concat();
        assert!(read(&file).unwrap() == [b"one,".to_vec(), table()].concat());
        assert_eq!(read(b"").unwrap(), b"");
    }

    #[test]
    fn what_is_cut_short_anywhere_is_refused() {
        let (first, whole) = (frame(b"one,"), [frame(b"one,"), frame(&table())].concat());
        let some = (first.len() + 1..whole.len()).step_by(whole.len() / 16);
        for length in (1..first.len()).chain(some).chain([whole.len() - 1]) {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn content_that_was_changed_is_refused() {
        let plain = b"a table that does not compress: 0123456789";
        let mut file = frame(plain);
        let place = file.windows(4).position(|bytes| bytes == b"0123").unwrap();
        file[place] ^= 1;
        assert!(read(&file).is_err());
    }
}
