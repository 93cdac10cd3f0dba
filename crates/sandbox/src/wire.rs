//! What parent and child say to each other, and how it is framed: a big-endian length and MessagePack.
//!
//! It must not know processes or the interpreter. The parent speaks in turns: it sends one request and the child works
//! until it can get no further, sending any number of [`Reply::HostCall`] and [`Reply::Log`], then one reply that ends
//! the turn. Within a turn the parent may only send [`Request::Cancel`].

use std::io::{self, Read, Write};

use nodetool_protocol::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest frame either side sends or accepts.
pub(super) const MAX_FRAME: usize = 64 << 20;
/// How deeply a value may be nested.
pub(super) const MAX_DEPTH: usize = 100;
/// The longest script or expression.
pub(super) const MAX_CODE: usize = 1 << 20;
/// Host calls one script may have open at once.
pub(super) const MAX_OPEN_CALLS: usize = 256;
/// The host call behind `yield`; a script cannot name it.
pub(super) const YIELD: &str = "yield";

const ENVELOPE_DEPTH: usize = 16;

/// From the parent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// First of all: how much data the process may hold. Answered by [`Reply::Ready`].
    Setup { data: u64 },
    /// One expression over items. Scope 0 leaves nothing behind; another scope may be met again.
    Evaluate {
        scope: u64,
        expression: String,
        items: Vec<Value>,
        first: u64,
        limits: Limits,
    },
    /// A script is made ready under a number.
    Open {
        session: u64,
        code: String,
        packages: Vec<String>,
        limits: Limits,
    },
    /// One run of the body.
    Call {
        session: u64,
        inputs: Value,
        limits: Limits,
    },
    /// Answers to host calls; the body goes on.
    Answer {
        session: u64,
        answers: Vec<(u32, Result<Value, String>)>,
        limits: Limits,
    },
    /// The script is no longer needed. Not answered.
    Close { session: u64 },
    /// The turn under way shall end. Not answered by itself.
    Cancel,
}

/// What one turn may use up.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Limits {
    /// Milliseconds left; nothing for no limit.
    pub(super) millis: Option<u64>,
    /// Bytes of interpreter memory.
    pub(super) memory: u64,
    /// Bytes of one value that leaves.
    pub(super) output: u64,
}

/// From the child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    /// The process is confined and ready.
    Ready(Confinement),
    /// The script asks the host; the turn goes on.
    HostCall {
        id: u32,
        name: String,
        args: Vec<Value>,
    },
    /// The script wrote a line; the turn goes on.
    Log { level: String, text: String },
    /// Ends a turn: one result per item.
    Evaluated(Vec<Result<Value, String>>),
    /// Ends a turn: the script is ready.
    Opened,
    /// Ends a turn: the body waits for answers.
    Waiting,
    /// Ends a turn: the body is done.
    Finished(Value),
    /// Ends a turn: no result.
    Failed(Fault),
}

impl Reply {
    pub(super) fn ends_turn(&self) -> bool {
        match self {
            Reply::HostCall { .. } | Reply::Log { .. } => false,
            Reply::Ready(_)
            | Reply::Evaluated(_)
            | Reply::Opened
            | Reply::Waiting
            | Reply::Finished(_)
            | Reply::Failed(_) => true,
        }
    }
}

/// Why a turn has no result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Fault {
    Script(String),
    Timeout,
    Cancelled,
    Memory,
    Output,
    Stuck,
    /// The number is not that of an open script.
    Unknown,
}

/// Which protections of the system hold for a child; the interpreter itself has no way out in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Limits on memory, files, processes and processor time.
    pub limits: bool,
    /// New privileges cannot be gained.
    pub no_new_privileges: bool,
    /// System calls other than those for pipes, memory and clocks are refused.
    pub system_calls: bool,
}

/// A frame that cannot be sent or understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("the message has {0} bytes, allowed are {MAX_FRAME}")]
    TooLarge(usize),
    #[error("the message cannot be written: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    #[error("the message cannot be understood: {0}")]
    Decode(#[from] rmp_serde::decode::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A message as length and bytes.
pub(super) fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut frame = Capped {
        bytes: vec![0; 4],
        excess: 0,
    };
    let written = rmp_serde::encode::write(&mut frame, message);
    if frame.excess > 0 {
        return Err(FrameError::TooLarge(frame.excess));
    }
    written?;
    let mut bytes = frame.bytes;
    let length = u32::try_from(bytes.len() - 4).map_err(|_| FrameError::TooLarge(bytes.len()))?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

/// Collects a frame and stops at the cap, so that a large value is not copied only to be refused.
struct Capped {
    bytes: Vec<u8>,
    excess: usize,
}

impl Write for Capped {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let size = self.bytes.len() + part.len();
        if size > MAX_FRAME + 4 {
            self.excess = size;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(MAX_DEPTH + ENVELOPE_DEPTH);
    Ok(T::deserialize(&mut reader)?)
}

fn length(header: [u8; 4]) -> Result<usize, FrameError> {
    let length = u32::from_be_bytes(header) as usize;
    if length > MAX_FRAME {
        Err(FrameError::TooLarge(length))
    } else {
        Ok(length)
    }
}

/// The next message, blocking.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<T, FrameError> {
    let mut header = [0; 4];
    from.read_exact(&mut header)?;
    let mut bytes = vec![0; length(header)?];
    from.read_exact(&mut bytes)?;
    decode(&bytes)
}

/// The next message.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> Result<T, FrameError> {
    let mut header = [0; 4];
    from.read_exact(&mut header).await?;
    let length = length(header)?;
    // Grown while bytes arrive, so that a false length costs nothing.
    let mut bytes = Vec::with_capacity(length.min(64 << 10));
    let got = from.take(length as u64).read_to_end(&mut bytes).await?;
    if got < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    decode(&bytes)
}

/// The bytes a value takes, about; an error text when it is nested too deeply to be sent.
pub(super) fn weigh(value: &Value) -> Result<usize, String> {
    fn walk(value: &Value, depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        Some(match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 9,
            Value::Str(text) => text.len() + 5,
            Value::Bytes(bytes) => bytes.len() + 5,
            Value::List(items) => items.iter().try_fold(5, |sum: usize, item| {
                Some(sum.saturating_add(walk(item, depth)?))
            })?,
            Value::Map(map) => map.iter().try_fold(5, |sum: usize, (key, item)| {
                Some(
                    sum.saturating_add(key.len() + 5)
                        .saturating_add(walk(item, depth)?),
                )
            })?,
        })
    }
    walk(value, MAX_DEPTH).ok_or_else(|| {
        format!("The value is nested too deeply for a script; {MAX_DEPTH} levels are allowed.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Value {
        (1..levels).fold(Value::list([]), |inner, _| Value::list([inner]))
    }

    #[test]
    fn a_message_survives_the_wire() {
        let sent = Request::Answer {
            session: 7,
            answers: vec![
                (1, Ok(Value::Bytes(vec![0, 255].into()))),
                (2, Err("no".into())),
            ],
            limits: Limits {
                millis: None,
                memory: 1,
                output: 2,
            },
        };
        let frame = encode(&sent).unwrap();
        let Request::Answer {
            session,
            answers,
            limits,
        } = read(&mut frame.as_slice()).unwrap()
        else {
            panic!("another message")
        };
        assert_eq!((session, limits.millis, limits.output), (7, None, 2));
        assert_eq!(
            answers,
            [
                (1, Ok(Value::Bytes(vec![0, 255].into()))),
                (2, Err("no".into()))
            ]
        );
    }

    #[test]
    fn frames_above_the_cap_are_refused_on_both_sides() {
        let large = Reply::Finished(Value::Bytes(vec![0; MAX_FRAME].into()));
        assert!(matches!(encode(&large), Err(FrameError::TooLarge(_))));
        let header = (MAX_FRAME as u32 + 1).to_be_bytes();
        assert!(matches!(
            read::<Reply>(&mut header.as_slice()),
            Err(FrameError::TooLarge(_))
        ));
    }

    #[test]
    fn depth_is_bounded_before_sending_and_on_arrival() {
        assert!(weigh(&nested(MAX_DEPTH)).is_ok());
        assert!(weigh(&nested(MAX_DEPTH + 1)).is_err());
        let fits = encode(&Reply::Finished(nested(MAX_DEPTH))).unwrap();
        assert!(read::<Reply>(&mut fits.as_slice()).is_ok());
        let deep = encode(&Reply::Finished(nested(MAX_DEPTH + ENVELOPE_DEPTH + 1))).unwrap();
        assert!(matches!(
            read::<Reply>(&mut deep.as_slice()),
            Err(FrameError::Decode(_))
        ));
    }

    #[test]
    fn a_weight_is_never_below_the_encoded_size() {
        let value = Value::map([(
            "k",
            Value::list([Value::Int(i64::MIN), Value::str("text"), Value::Float(0.5)]),
        )]);
        let size = encode(&value).unwrap().len() - 4;
        assert!(weigh(&value).unwrap() >= size);
    }
}
