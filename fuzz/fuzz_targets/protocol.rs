//! Frames between monitor and worker, both ways; what was read is written and read again to the same.
#![no_main]

use std::io::{self, Cursor};

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use streampulse::probe::protocol::{FromWorker, ToWorker, encode, read_frame, read_frame_async};

fn read<T: DeserializeOwned + Serialize>(bytes: &[u8], runtime: &tokio::runtime::Runtime) {
    let mut blocking = bytes;
    let mut waiting = Cursor::new(bytes);
    loop {
        let one: io::Result<Option<(T, Vec<u8>)>> = read_frame(&mut blocking);
        let other: io::Result<Option<(T, Vec<u8>)>> = runtime.block_on(read_frame_async(&mut waiting));
        match (one, other) {
            (Ok(Some((head, body))), Ok(Some((same_head, same_body)))) => {
                let text = serde_json::to_value(&head).expect("a head that was read");
                assert_eq!(text, serde_json::to_value(&same_head).expect("the same head"));
                assert_eq!(body, same_body);
                // A head near the limit may be longer when it is written in full.
                if let Ok(frame) = encode(&head, &body) {
                    let (again, body_again) =
                        read_frame::<T>(&mut frame.as_slice()).expect("own frame").expect("whole");
                    assert_eq!(text, serde_json::to_value(&again).expect("the same head"));
                    assert_eq!(body, body_again);
                }
            }
            (Ok(None), Ok(None)) => return,
            (Err(one), Err(other)) => {
                assert_eq!(one.kind(), other.kind());
                return;
            }
            _ => panic!("the two readers do not agree"),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("runtime");
    }
    let Some((which, bytes)) = data.split_first() else { return };
    RUNTIME.with(|runtime| match which % 3 {
        0 => read::<ToWorker>(bytes, runtime),
        1 => read::<FromWorker>(bytes, runtime),
        // The mutations then need not keep the lengths right.
        _ => {
            let frame = |head: &[u8]| {
                let mut frame = (head.len() as u32).to_be_bytes().to_vec();
                frame.extend([0; 4]);
                frame.extend_from_slice(head);
                frame
            };
            read::<ToWorker>(&frame(bytes), runtime);
            read::<FromWorker>(&frame(bytes), runtime);
        }
    });
});
