//! What nodes have ffmpeg do. Its input is always a file of a format told by its first bytes, so that a playlist cannot
//! make it open anything else.

use bytes::Bytes;
use nodetool_sdk::programs::{ProgramRun, RunningProgram};
use nodetool_sdk::{NodeCx, NodeError, Value};

/// The program.
const PROGRAM: &str = "ffmpeg";
/// Most bytes of a video or sound.
const MAX_BYTES: usize = 512 << 20;

/// A file for ffmpeg.
pub(super) struct Source {
    name: &'static str,
    format: &'static str,
    data: Bytes,
}

impl Source {
    /// Reads the video or sound of a property; `name` is what its file is called.
    pub(super) async fn read(
        cx: &NodeCx,
        name: &'static str,
        reference: &Value,
    ) -> Result<Self, NodeError> {
        let text = |key: &str| {
            reference
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let data = match reference.get("data") {
            Some(Value::Bytes(data)) => data.clone(),
            None | Some(Value::Null) if text("asset_id").is_empty() && text("uri").is_empty() => {
                return Err(NodeError::bad(
                    name,
                    format!("is empty (expected a {name} file)"),
                ));
            }
            _ => {
                let read = cx.services().assets.read(reference).await;
                read.map_err(|e| match e {
                    NodeError::Stopped => e,
                    e => NodeError::bad(name, e.to_string()),
                })?
            }
        };
        let size = data.len();
        if size > MAX_BYTES {
            let message = format!("{size} bytes (expected at most {MAX_BYTES})");
            return Err(NodeError::bad(name, message));
        }
        let Some(format) = format(&data) else {
            let message =
                format!("{size} bytes of no known format (expected a common {name} file)");
            return Err(NodeError::bad(name, message));
        };
        Ok(Source { name, format, data })
    }

    /// The arguments that make it an input.
    fn args(&self) -> [String; 6] {
        let file = format!("file:{}", self.name);
        [
            "-protocol_whitelist",
            "file",
            "-f",
            self.format,
            "-i",
            &file,
        ]
        .map(str::to_owned)
    }
}

/// The name ffmpeg has for the format of a file, by its first bytes.
fn format(data: &[u8]) -> Option<&'static str> {
    let form = data.get(8..12).filter(|_| data.starts_with(b"RIFF"));
    match (form, data.get(4..8)) {
        (Some(b"AVI "), _) => return Some("avi"),
        (Some(b"WAVE"), _) => return Some("wav"),
        (_, Some(b"ftyp" | b"moov" | b"mdat" | b"wide")) => return Some("mov"),
        _ => {}
    }
    let known: [(&[u8], &str); 8] = [
        (b"\x1a\x45\xdf\xa3", "matroska"),
        (b"GIF8", "gif"),
        (b"OggS", "ogg"),
        (b"FLV", "flv"),
        (b"fLaC", "flac"),
        (b"ID3", "mp3"),
        (b"FORM", "aiff"),
        (b"\0\0\x01\xba", "mpeg"),
    ];
    let found = known.iter().find(|(start, _)| data.starts_with(start));
    found.map(|(_, format)| *format).or_else(|| match data {
        [0x47, ..] if data.get(188) == Some(&0x47) => Some("mpegts"),
        [0xff, b, ..] if b & 0xf6 == 0xf0 => Some("aac"),
        [0xff, b, ..] if b & 0xe0 == 0xe0 && b & 0x06 != 0 => Some("mp3"),
        _ => None,
    })
}

/// Starts ffmpeg over some files; `args` come behind the inputs, and results are left under their names.
pub(super) async fn start(
    cx: &NodeCx,
    sources: &[&Source],
    args: &[&str],
    results: &[&str],
) -> Result<Box<dyn RunningProgram>, NodeError> {
    let inputs = sources.iter().flat_map(|s| s.args()).collect();
    let files = sources.iter().map(|s| (s.name.to_owned(), s.data.clone()));
    launch(cx, inputs, files.collect(), args, results).await
}

/// The same with inputs of one's own.
pub(super) async fn launch(
    cx: &NodeCx,
    inputs: Vec<String>,
    files: Vec<(String, Bytes)>,
    args: &[&str],
    results: &[&str],
) -> Result<Box<dyn RunningProgram>, NodeError> {
    let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    let mut all = owned(&["-nostdin", "-hide_banner", "-loglevel", "error", "-y"]);
    all.extend(inputs);
    all.extend(owned(args));
    let run = ProgramRun {
        program: PROGRAM,
        args: all,
        files,
        results: owned(results),
    };
    cx.services().programs.start(run).await
}

/// What ffmpeg leaves in the one file it was to make.
pub(super) async fn result(mut running: Box<dyn RunningProgram>) -> Result<Bytes, NodeError> {
    let made = running.finish().await?.into_iter().next();
    made.filter(|file| !file.is_empty())
        .ok_or_else(|| NodeError::new("ffmpeg made an empty file"))
}

#[cfg(test)]
pub(super) mod testing {
    //! An ffmpeg that prints and leaves what it is told.

    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use nodetool_sdk::BoxFuture;
    use nodetool_sdk::programs::Programs;
    use nodetool_sdk::services::Services;
    use nodetool_sdk::testing::context_with;

    use super::*;

    /// Answers each run with the next of what it is given, as print and as file.
    #[derive(Default)]
    pub(in crate::video) struct Scripted {
        pub(in crate::video) prints: Mutex<VecDeque<Vec<Bytes>>>,
        pub(in crate::video) runs: Mutex<Vec<ProgramRun>>,
    }

    struct Printing(VecDeque<Bytes>);

    impl RunningProgram for Printing {
        fn read<'a>(&'a mut self) -> BoxFuture<'a, Result<Option<Bytes>, NodeError>> {
            let piece = self.0.pop_front();
            Box::pin(async move { Ok(piece) })
        }
        fn finish<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<Bytes>, NodeError>> {
            let rest = self.0.drain(..).collect();
            Box::pin(async move { Ok(rest) })
        }
    }

    impl Programs for Scripted {
        fn start<'a>(
            &'a self,
            run: ProgramRun,
        ) -> BoxFuture<'a, Result<Box<dyn RunningProgram>, NodeError>> {
            self.runs.lock().unwrap().push(run);
            let prints = self.prints.lock().unwrap().pop_front().unwrap_or_default();
            let running: Box<dyn RunningProgram> = Box::new(Printing(prints.into()));
            Box::pin(async move { Ok(running) })
        }
    }

    impl Scripted {
        pub(in crate::video) fn new(prints: impl IntoIterator<Item = Vec<Bytes>>) -> Arc<Self> {
            Arc::new(Scripted {
                prints: Mutex::new(prints.into_iter().collect()),
                ..Scripted::default()
            })
        }

        pub(in crate::video) fn context(self: &Arc<Self>) -> NodeCx {
            let services = Services {
                programs: self.clone(),
                ..Services::none()
            };
            context_with(services, None)
        }

        /// The arguments of one run as one text.
        pub(in crate::video) fn args(&self, run: usize) -> String {
            self.runs.lock().unwrap()[run].args.join(" ")
        }
    }

    /// A reference to something that begins like an MP4 file.
    pub(in crate::video) fn mp4(kind: &'static str) -> Value {
        let data = Bytes::from_static(b"\0\0\0\x18ftypisom....");
        Value::map([("type", kind.into()), ("data", data.into())])
    }
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::context;

    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes_and_playlists_are_none() {
        for (data, want) in [
            (&b"....ftypisom"[..], Some("mov")),
            (b"RIFF....AVI LIST", Some("avi")),
            (b"RIFF....WAVEfmt ", Some("wav")),
            (b"\x1a\x45\xdf\xa3....", Some("matroska")),
            (b"\xff\xfb\x90\x00", Some("mp3")),
            (b"#EXTM3U\nfile:///etc/passwd", None),
            (b"ffconcat version 1.0", None),
            (b"", None),
        ] {
            assert_eq!(format(data), want, "{data:?}");
        }
    }

    #[tokio::test]
    async fn without_programs_and_without_a_file_the_error_says_so() {
        let cx = context();
        let empty = Source::read(&cx, "video", &Value::Null)
            .await
            .err()
            .unwrap();
        assert!(empty.to_string().contains("`video`: is empty"), "{empty}");
        let source = Source::read(&cx, "video", &testing::mp4("video")).await;
        let started = start(&cx, &[&source.unwrap()], &[], &[]).await;
        let refused = started.err().unwrap().to_string();
        assert_eq!(refused, "Running programs is not available here");
    }
}
