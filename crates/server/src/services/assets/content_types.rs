//! Which ending a content type has and which content type an ending stands for. It must not know assets.

/// Content type, the endings it has (the first is the one given to new files), other names of the type.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

/// What has no known ending.
pub(crate) const UNKNOWN: &str = "application/octet-stream";

/// What a browser shows without running anything of it, besides pictures of pixels, sound and film.
const INERT: [&str; 9] = [
    "text/plain",
    "text/csv",
    "text/markdown",
    "application/json",
    "application/pdf",
    "application/zip",
    "application/octet-stream",
    "font/woff",
    "font/woff2",
];

const TABLE: &[Row] = &[
    (
        "image/jpeg",
        &["jpg", "jpeg"],
        &["image/jpg", "image/pjpeg"],
    ),
    ("image/png", &["png"], &["image/x-png"]),
    ("image/gif", &["gif"], &[]),
    ("image/svg+xml", &["svg"], &[]),
    ("image/webp", &["webp"], &[]),
    ("image/tiff", &["tiff", "tif"], &[]),
    ("image/bmp", &["bmp"], &["image/x-ms-bmp"]),
    ("image/x-icon", &["ico"], &["image/vnd.microsoft.icon"]),
    ("image/avif", &["avif"], &[]),
    ("image/heic", &["heic"], &[]),
    ("image/heif", &["heif"], &[]),
    ("image/apng", &["apng"], &[]),
    ("image/jxl", &["jxl"], &[]),
    ("image/x-exr", &["exr"], &["image/aces"]),
    ("image/vnd.radiance", &["hdr"], &[]),
    (
        "image/vnd.adobe.photoshop",
        &["psd"],
        &["image/x-photoshop"],
    ),
    ("image/x-tga", &["tga"], &[]),
    ("audio/mpeg", &["mp3"], &["audio/mp3", "audio/x-mp3"]),
    (
        "audio/wav",
        &["wav"],
        &["audio/x-wav", "audio/wave", "audio/vnd.wave"],
    ),
    ("audio/ogg", &["ogg", "oga"], &["application/ogg"]),
    ("audio/opus", &["opus"], &[]),
    ("audio/aac", &["aac"], &["audio/x-aac"]),
    ("audio/mp4", &["m4a"], &["audio/x-m4a", "audio/m4a"]),
    ("audio/flac", &["flac"], &["audio/x-flac"]),
    ("audio/aiff", &["aiff", "aif"], &["audio/x-aiff"]),
    ("audio/midi", &["mid", "midi"], &["audio/x-midi"]),
    ("audio/amr", &["amr"], &[]),
    ("audio/x-ms-wma", &["wma"], &[]),
    ("audio/x-caf", &["caf"], &[]),
    ("video/mp4", &["mp4", "m4v"], &["video/x-m4v"]),
    ("video/mpeg", &["mpeg", "mpg"], &[]),
    ("video/quicktime", &["mov"], &[]),
    ("video/x-msvideo", &["avi"], &["video/avi"]),
    ("video/webm", &["webm"], &["audio/webm"]),
    ("video/ogg", &["ogv"], &[]),
    ("video/x-matroska", &["mkv"], &[]),
    ("video/x-flv", &["flv"], &[]),
    ("video/x-ms-wmv", &["wmv"], &[]),
    ("video/3gpp", &["3gp"], &["audio/3gpp"]),
    ("video/3gpp2", &["3g2"], &["audio/3gpp2"]),
    ("video/mp2t", &["ts"], &[]),
    ("text/plain", &["txt", "log", "text"], &[]),
    ("text/csv", &["csv"], &["application/csv"]),
    ("text/tab-separated-values", &["tsv"], &[]),
    ("text/html", &["html", "htm"], &[]),
    ("text/css", &["css"], &[]),
    (
        "text/javascript",
        &["js", "mjs"],
        &["application/javascript", "application/x-javascript"],
    ),
    ("text/xml", &["xml"], &["application/xml"]),
    ("text/markdown", &["md", "markdown"], &["text/x-markdown"]),
    ("text/calendar", &["ics"], &[]),
    ("text/vcard", &["vcf"], &["text/x-vcard"]),
    ("text/vtt", &["vtt"], &[]),
    ("text/rtf", &["rtf"], &["application/rtf"]),
    ("text/x-python", &["py"], &["text/x-script.python"]),
    ("text/x-c", &["c"], &[]),
    ("text/x-c++", &["cpp"], &[]),
    ("text/x-java-source", &["java"], &["text/x-java"]),
    ("text/x-rust", &["rs"], &[]),
    ("text/x-go", &["go"], &[]),
    ("text/x-shellscript", &["sh"], &["application/x-sh"]),
    ("application/xhtml+xml", &["xhtml"], &[]),
    ("application/json", &["json"], &["text/json"]),
    ("application/ld+json", &["jsonld"], &[]),
    (
        "application/x-ndjson",
        &["ndjson", "jsonl"],
        &["application/jsonl", "application/jsonlines"],
    ),
    ("application/geo+json", &["geojson"], &[]),
    ("application/x-ipynb+json", &["ipynb"], &[]),
    (
        "application/yaml",
        &["yaml", "yml"],
        &["text/yaml", "application/x-yaml", "text/x-yaml"],
    ),
    ("application/toml", &["toml"], &[]),
    ("application/sql", &["sql"], &[]),
    ("application/pdf", &["pdf"], &[]),
    ("application/epub+zip", &["epub"], &[]),
    ("application/postscript", &["ps", "eps"], &[]),
    (
        "application/zip",
        &["zip"],
        &["application/x-zip-compressed"],
    ),
    ("application/gzip", &["gz"], &["application/x-gzip"]),
    ("application/x-tar", &["tar"], &[]),
    ("application/x-bzip2", &["bz2"], &[]),
    ("application/x-xz", &["xz"], &[]),
    ("application/zstd", &["zst"], &[]),
    ("application/x-7z-compressed", &["7z"], &[]),
    (
        "application/vnd.rar",
        &["rar"],
        &["application/x-rar-compressed"],
    ),
    ("application/msword", &["doc"], &[]),
    ("application/vnd.ms-excel", &["xls"], &[]),
    ("application/vnd.ms-powerpoint", &["ppt"], &[]),
    (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        &["docx"],
        &[],
    ),
    (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        &["xlsx"],
        &[],
    ),
    (
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        &["pptx"],
        &[],
    ),
    ("application/vnd.oasis.opendocument.text", &["odt"], &[]),
    (
        "application/vnd.oasis.opendocument.spreadsheet",
        &["ods"],
        &[],
    ),
    (
        "application/vnd.oasis.opendocument.presentation",
        &["odp"],
        &[],
    ),
    (
        "application/vnd.apache.parquet",
        &["parquet"],
        &["application/x-parquet"],
    ),
    ("application/vnd.apache.arrow.file", &["arrow"], &[]),
    (
        "application/vnd.sqlite3",
        &["sqlite"],
        &["application/x-sqlite3"],
    ),
    ("application/x-hdf5", &["h5"], &[]),
    ("application/x-npy", &["npy"], &[]),
    ("application/wasm", &["wasm"], &[]),
    ("application/x-subrip", &["srt"], &[]),
    ("model/gltf-binary", &["glb"], &[]),
    ("model/gltf+json", &["gltf"], &[]),
    ("model/obj", &["obj"], &[]),
    ("model/mtl", &["mtl"], &[]),
    (
        "model/stl",
        &["stl"],
        &["application/sla", "application/vnd.ms-pki.stl"],
    ),
    ("model/vnd.usdz+zip", &["usdz"], &[]),
    ("model/ply", &["ply"], &["application/x-ply"]),
    ("model/fbx", &["fbx"], &[]),
    ("model/3mf", &["3mf"], &[]),
    ("model/vnd.collada+xml", &["dae"], &[]),
    ("font/ttf", &["ttf"], &["application/x-font-ttf"]),
    ("font/otf", &["otf"], &["application/x-font-otf"]),
    ("font/woff", &["woff"], &["application/font-woff"]),
    ("font/woff2", &["woff2"], &[]),
];

/// The type without parameters, in small letters.
pub(crate) fn bare(content_type: &str) -> String {
    let bare = content_type.split(';').next().unwrap_or_default();
    bare.trim().to_ascii_lowercase()
}

/// The ending that files of a type get, without a dot; `bin` for unknown types.
pub(crate) fn extension_of(content_type: &str) -> &'static str {
    let wanted = bare(content_type);
    let wanted = wanted.as_str();
    let found = TABLE
        .iter()
        .find(|(name, _, others)| *name == wanted || others.contains(&wanted));
    found
        .and_then(|(_, endings, _)| endings.first().copied())
        .unwrap_or("bin")
}

/// The type that the ending of a file name stands for.
pub(crate) fn type_of_name(name: &str) -> &'static str {
    let Some((_, ending)) = name.rsplit_once('.') else {
        return UNKNOWN;
    };
    let ending = ending.to_ascii_lowercase();
    let found = TABLE
        .iter()
        .find(|(_, endings, _)| endings.contains(&ending.as_str()));
    found.map_or(UNKNOWN, |(name, _, _)| name)
}

/// Whether a browser would run what is in such a file.
pub(crate) fn is_active(content_type: &str) -> bool {
    let bare = bare(content_type);
    let inert = match bare.split_once('/') {
        Some(("image", kind)) => !kind.starts_with("svg") && !kind.ends_with("xml"),
        Some(("audio" | "video", kind)) => !kind.ends_with("xml"),
        _ => INERT.contains(&bare.as_str()),
    };
    // Of several types in one header, a browser takes the last.
    !inert || content_type.contains(',')
}

/// Whether a text can be a content type.
pub(crate) fn is_plausible(content_type: &str) -> bool {
    let token = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    let printable = content_type
        .bytes()
        .all(|b| (0x20..0x7f).contains(&b) && b != b',');
    let bare = content_type.split(';').next().unwrap_or_default().trim();
    let halves = bare.split_once('/');
    content_type.len() <= 128 && printable && halves.is_some_and(|(a, b)| token(a) && token(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_endings_belong_together() {
        for (content_type, ending) in [
            ("image/jpeg", "jpg"),
            ("Image/PNG; q=1", "png"),
            ("audio/mp3", "mp3"),
            ("audio/x-wav", "wav"),
            ("audio/webm", "webm"),
            ("application/javascript", "js"),
            ("model/gltf-binary", "glb"),
            ("x/y", "bin"),
        ] {
            assert_eq!(extension_of(content_type), ending, "{content_type}");
        }
        for (name, content_type) in [
            ("a.mp3", "audio/mpeg"),
            ("a.WAV", "audio/wav"),
            ("a.ogg", "audio/ogg"),
            ("a.webm", "video/webm"),
            ("a.xml", "text/xml"),
            ("a.yml", "application/yaml"),
            ("a.jpeg", "image/jpeg"),
            ("jpeg", UNKNOWN),
            ("a.nope", UNKNOWN),
        ] {
            assert_eq!(type_of_name(name), content_type, "{name}");
        }
    }

    #[test]
    fn no_ending_and_no_type_stands_in_two_rows() {
        let mut endings: Vec<&str> = TABLE.iter().flat_map(|row| row.1).copied().collect();
        let mut types: Vec<&str> = TABLE.iter().flat_map(|row| row.2).copied().collect();
        types.extend(TABLE.iter().map(|row| row.0));
        for list in [&mut endings, &mut types] {
            let count = list.len();
            list.sort_unstable();
            list.dedup();
            assert_eq!(list.len(), count);
        }
    }

    #[test]
    fn what_is_no_content_type_is_found_out() {
        for good in ["image/png", "text/plain; charset=utf-8", "image/svg+xml"] {
            assert!(is_plausible(good), "{good}");
        }
        for bad in ["", "png", "a/b/c", "a/\r\nx: y", "é/x", "/", "a/ b"] {
            assert!(!is_plausible(bad), "{bad}");
        }
        assert!(is_active("image/svg+xml") && is_active("TEXT/HTML; x=1"));
        assert!(!is_active("image/png") && !is_active("application/pdf"));
    }
}
