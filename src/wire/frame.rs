//! Frames: a length, then JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest frame, 64 MiB: a tool input or prompt of several MiB, escaped as JSON, fits; a peer that speaks
/// something else is found out before its length is believed.
pub const MAX_FRAME: usize = 64 << 20;

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer is gone, in the middle of a frame or between two.
    #[error("the other side closed the connection")]
    Closed,
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The frame is longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes is too long")]
    TooLong(usize),
    /// The frame is not what was expected.
    #[error("an unreadable frame: {0}")]
    Json(#[from] serde_json::Error),
}

/// Encodes a value as one frame.
///
/// # Errors
///
/// [`FrameError::TooLong`] or [`FrameError::Json`].
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let len = bytes.len() - 4;
    if len > MAX_FRAME {
        return Err(FrameError::TooLong(len));
    }
    let head = u32::try_from(len).map_err(|_| FrameError::TooLong(len))?.to_le_bytes();
    bytes[..4].copy_from_slice(&head);
    Ok(bytes)
}

/// Decodes the body of a frame.
///
/// # Errors
///
/// [`FrameError::Json`].
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(body)?)
}

/// Reads the body of one frame.
///
/// # Errors
///
/// Any [`FrameError`] but `Json`.
pub async fn read_frame(from: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, FrameError> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await.map_err(closed)?;
    let len = length(head)?;
    // It grows with what comes: a length alone is four bytes.
    let mut body = Vec::new();
    from.take(len as u64).read_to_end(&mut body).await?;
    whole(body, len)
}

/// Writes one frame.
///
/// # Errors
///
/// Any [`FrameError`].
pub async fn write_frame(
    to: &mut (impl AsyncWrite + Unpin),
    value: &impl Serialize,
) -> Result<(), FrameError> {
    to.write_all(&encode(value)?).await?;
    Ok(to.flush().await?)
}

/// Reads the body of one frame on a blocking connection.
///
/// # Errors
///
/// Any [`FrameError`] but `Json`.
pub fn read_frame_blocking(from: &mut impl Read) -> Result<Vec<u8>, FrameError> {
    let mut head = [0; 4];
    from.read_exact(&mut head).map_err(closed)?;
    let len = length(head)?;
    let mut body = Vec::new();
    from.take(len as u64).read_to_end(&mut body)?;
    whole(body, len)
}

/// Writes one frame on a blocking connection.
///
/// # Errors
///
/// Any [`FrameError`].
pub fn write_frame_blocking(to: &mut impl Write, value: &impl Serialize) -> Result<(), FrameError> {
    to.write_all(&encode(value)?)?;
    Ok(to.flush()?)
}

fn length(head: [u8; 4]) -> Result<usize, FrameError> {
    let len = u32::from_le_bytes(head) as usize;
    if len > MAX_FRAME { Err(FrameError::TooLong(len)) } else { Ok(len) }
}

fn whole(body: Vec<u8>, len: usize) -> Result<Vec<u8>, FrameError> {
    if body.len() == len { Ok(body) } else { Err(FrameError::Closed) }
}

fn closed(error: io::Error) -> FrameError {
    if error.kind() == io::ErrorKind::UnexpectedEof { FrameError::Closed } else { FrameError::Io(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_back() {
        let bytes = encode(&"grüße").unwrap();
        let body = read_frame_blocking(&mut bytes.as_slice()).unwrap();
        assert_eq!(decode::<String>(&body).unwrap(), "grüße");
    }

    #[test]
    fn a_torn_frame_is_a_closed_connection() {
        let bytes = encode(&"hello").unwrap();
        assert!(matches!(read_frame_blocking(&mut &bytes[..6]), Err(FrameError::Closed)));
    }

    #[test]
    fn a_length_out_of_bounds_is_refused_before_it_is_allocated() {
        assert!(matches!(read_frame_blocking(&mut &[0xff; 8][..]), Err(FrameError::TooLong(_))));
    }
}
