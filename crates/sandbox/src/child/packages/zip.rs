//! Archives in memory.
//! It must not know the interpreter. What an archive unpacks to is bounded, whatever the archive says of itself.

use std::io::{Cursor, Read, Write};

use bytes::Bytes;
use nodetool_protocol::{Map, Value};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

/// What all files of an archive may have together.
const MAX_BYTES: u64 = 48 << 20;
/// How many files an archive may have.
const MAX_FILES: usize = 10_000;

/// `zip({name: content})`: an archive of texts and bytes, always the same for the same content.
pub(super) fn zip(args: &[Value]) -> Result<Value, String> {
    let Some(files) = args.first().and_then(Value::as_map) else {
        return Err("the files must be an object of names and contents".into());
    };
    if files.len() > MAX_FILES {
        return Err(format!(
            "an archive can have {MAX_FILES} files, not {}",
            files.len()
        ));
    }
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let content = match content {
            Value::Str(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
            other => {
                return Err(format!(
                    "the content of {name:?} must be text or bytes, not {}",
                    other.kind()
                ));
            }
        };
        writer
            .start_file(name, options)
            .map_err(|error| format!("{name:?}: {error}"))?;
        writer
            .write_all(content)
            .map_err(|error| format!("{name:?}: {error}"))?;
    }
    let archive = writer.finish().map_err(|error| error.to_string())?;
    Ok(Value::Bytes(archive.into_inner().into()))
}

/// `unzip(bytes)`: the files by name. Folders are left out.
pub(super) fn unzip(args: &[Value]) -> Result<Value, String> {
    let Some(bytes) = args.first().and_then(Value::as_bytes) else {
        return Err("the archive must be bytes".into());
    };
    let mut archive =
        ZipArchive::new(Cursor::new(&bytes[..])).map_err(|error| error.to_string())?;
    if archive.len() > MAX_FILES {
        return Err(format!(
            "the archive has {} files; {MAX_FILES} are allowed",
            archive.len()
        ));
    }
    let mut files = Map::new();
    let mut room = MAX_BYTES;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|error| error.to_string())?;
        if file.is_dir() {
            continue;
        }
        let name = file.name().map_err(|error| error.to_string())?.into_owned();
        let mut content = Vec::new();
        file.by_ref()
            .take(room + 1)
            .read_to_end(&mut content)
            .map_err(|error| format!("{name:?}: {error}"))?;
        room = room
            .checked_sub(content.len() as u64)
            .ok_or_else(|| format!("the archive unpacks to more than {MAX_BYTES} bytes"))?;
        files.insert(name.into(), Value::Bytes(Bytes::from(content)));
    }
    Ok(files.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_unpacks() {
        let files = Value::map([
            ("a.txt", Value::from("text")),
            ("d/b.bin", Value::Bytes(vec![0, 255].into())),
        ]);
        let archive = zip(std::slice::from_ref(&files)).unwrap();
        assert_eq!(archive, zip(&[files]).unwrap());
        let expected = Value::map([
            ("a.txt", Value::Bytes("text".into())),
            ("d/b.bin", Value::Bytes(vec![0, 255].into())),
        ]);
        assert_eq!(unzip(&[archive]).unwrap(), expected);
    }

    #[test]
    fn an_archive_that_unpacks_to_too_much_is_refused() {
        let large = Value::Bytes(vec![0; 30 << 20].into());
        let archive = zip(&[Value::map([("a", large.clone()), ("b", large)])]).unwrap();
        assert!(archive.as_bytes().unwrap().len() < 100_000);
        assert!(unzip(&[archive]).unwrap_err().contains("more than"));
    }

    #[test]
    fn wrong_contents_are_named() {
        assert!(
            zip(&[Value::map([("n", Value::Int(1))])])
                .unwrap_err()
                .contains("\"n\"")
        );
        assert!(
            unzip(&["text".into()])
                .unwrap_err()
                .contains("must be bytes")
        );
        assert!(
            !unzip(&[Value::Bytes("no archive".into())])
                .unwrap_err()
                .is_empty()
        );
    }
}
