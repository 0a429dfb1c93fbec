//! Frames: the input is what a peer writes to the socket.

use std::fmt::Debug;

use aegis::wire::{
    Call, Claimed, Events, FrameError, Hello, HookReply, MAX_FRAME, Pane, Push, Reply, Snapshot, decode,
    encode, read_frame, read_frame_blocking,
};
use futures_util::FutureExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A frame is exactly the bytes that its length names, both readers agree, and whatever a body is read as reads
/// back as the same.
pub fn check(bytes: &[u8]) {
    match read_frame_blocking(&mut &bytes[..]) {
        Ok(body) => {
            assert!(body.len() <= MAX_FRAME, "a frame of {} bytes", body.len());
            assert_eq!(bytes.get(4..4 + body.len()), Some(&body[..]), "other bytes than were sent");
        }
        Err(FrameError::Closed) => {
            let whole = bytes.first_chunk().map(|head| u32::from_le_bytes(*head) as usize);
            assert!(whole.is_none_or(|len| bytes.len() < 4 + len), "a whole frame was not read");
        }
        Err(FrameError::TooLong(len)) => assert!(len > MAX_FRAME, "{len} bytes are not too long"),
        Err(error) => panic!("an impossible error: {error:?}"),
    }
    let waiting = read_frame(&mut &bytes[..]).now_or_never().expect("bytes at hand are not waited for");
    let blocking = read_frame_blocking(&mut &bytes[..]);
    assert_eq!(format!("{waiting:?}"), format!("{blocking:?}"), "the two readers differ");

    let body = bytes.get(4..).unwrap_or(bytes);
    reads_back::<Hello>(body);
    reads_back::<Call>(body);
    reads_back::<Reply>(body);
    reads_back::<Push>(body);
    reads_back::<Snapshot>(body);
    reads_back::<Events>(body);
    reads_back::<Claimed>(body);
    reads_back::<Pane>(body);
    reads_back::<HookReply>(body);
}

fn reads_back<T: DeserializeOwned + Serialize + PartialEq + Debug>(body: &[u8]) {
    let Ok(value) = decode::<T>(body) else { return };
    let frame = encode(&value).expect("what was read can be written");
    let again: T = decode(&frame[4..]).expect("what was written can be read");
    // Times lose what is finer than the wire tells, once; so the bytes are compared.
    assert_eq!(
        encode(&again).expect("still writable").escape_ascii().to_string(),
        frame.escape_ascii().to_string(),
        "{value:?} changed on the way"
    );
}
