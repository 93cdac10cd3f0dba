//! Tables and pictures as the workflow tables sum them up: columns and rows, size and mean colour.

use nodetool_protocol::{Map, Value, decode_data_uri, encode_data_uri};

use super::compare::column_names;

/// How far a mean colour may be off: resampling and rounding differ between libraries.
const COLOUR_DISTANCE: f64 = 0.5;
/// What tables write where a parameter is a picture.
const PAINTED: &str =
    "320x240 RGB PNG, pixel (x,y) = (x*255 div 319, y*255 div 239, (x+y) mod 256)";

/// A value with every table and picture in it summed up.
pub(super) fn summary(value: &Value) -> Value {
    match value {
        Value::List(list) => Value::list(list.iter().map(summary)),
        Value::Map(map) => match value.type_tag() {
            Some("dataframe") => Value::map([
                ("type", "dataframe".into()),
                (
                    "columns",
                    column_names(value)
                        .into_iter()
                        .map(Value::from)
                        .collect::<Vec<_>>()
                        .into(),
                ),
                ("rows", map.get("data").cloned().unwrap_or_default()),
            ]),
            Some("image") => picture(map).unwrap_or_else(|| value.clone()),
            _ => map
                .iter()
                .map(|(k, v)| (k.clone(), summary(v)))
                .collect::<Map>()
                .into(),
        },
        other => other.clone(),
    }
}

/// An expectation whose mean colours may be a little off.
pub(super) fn with_distance(expected: &Value) -> Value {
    match expected {
        Value::List(list) => Value::list(list.iter().map(with_distance)),
        Value::Map(map) => {
            let near = |x: &Value| {
                Value::map([("$near", Value::list([x.clone(), COLOUR_DISTANCE.into()]))])
            };
            let field = |(k, v): (&std::sync::Arc<str>, &Value)| match v.as_list() {
                Some(means) if &**k == "mean_rgb" => {
                    (k.clone(), Value::list(means.iter().map(near)))
                }
                _ => (k.clone(), with_distance(v)),
            };
            map.iter().map(field).collect::<Map>().into()
        }
        other => other.clone(),
    }
}

/// A parameter as a run gets it: the picture that a description stands for, anything else as it is.
pub(super) fn parameter(value: &Value) -> Value {
    if value.as_str() != Some(PAINTED) {
        return value.clone();
    }
    let pixel = |x: u32, y: u32| [x * 255 / 319, y * 255 / 239, (x + y) % 256].map(|c| c as u8);
    let pixels = (0..240).flat_map(|y| (0..320).flat_map(move |x| pixel(x, y)));
    let png = encode(320, 240, &pixels.collect::<Vec<u8>>())
        .unwrap_or_else(|e| panic!("painting a PNG: {e}"));
    Value::map([
        ("type", "image".into()),
        ("uri", encode_data_uri("image/png", &png).into()),
    ])
}

/// A PNG in one colour.
pub(super) fn plain((width, height): (u32, u32), colour: [u8; 3]) -> Vec<u8> {
    let pixels = colour.repeat((width * height) as usize);
    encode(width, height, &pixels).unwrap_or_else(|e| panic!("painting a PNG: {e}"))
}

fn encode(width: u32, height: u32, rgb: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(rgb)?;
    writer.finish()?;
    Ok(bytes)
}

/// Size, mode and mean colour of a PNG; nothing when the reference holds none.
fn picture(image: &Map) -> Option<Value> {
    let inline = image.get("data").and_then(Value::as_bytes).cloned();
    let bytes = inline.or_else(|| match decode_data_uri(image.get("uri")?.as_str()?)? {
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    })?;
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().ok()?;
    let mut pixels = vec![0; reader.output_buffer_size()?];
    let info = reader.next_frame(&mut pixels).ok()?;
    let samples = info.color_type.samples();
    let grey = samples < 3;
    let mut sums = [0u64; 3];
    for pixel in pixels[..info.buffer_size()].chunks_exact(samples) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum += u64::from(pixel[if grey { 0 } else { i }]);
        }
    }
    let count = f64::from(info.width) * f64::from(info.height);
    let mean = |sum: u64| Value::Float((sum as f64 / count * 100.0).round() / 100.0);
    Some(Value::map([
        ("type", "image".into()),
        ("width", i64::from(info.width).into()),
        ("height", i64::from(info.height).into()),
        ("mode", if samples % 2 == 0 { "RGBA" } else { "RGB" }.into()),
        ("mean_rgb", Value::list(sums.map(mean))),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_summed_up_by_size_and_mean_colour() {
        let painted = parameter(&PAINTED.into());
        let want = Value::map([
            ("type", "image".into()),
            ("width", 320i64.into()),
            ("height", 240i64.into()),
            ("mode", "RGB".into()),
            (
                "mean_rgb",
                Value::list([127.0, 127.0, 128.44].map(Value::from)),
            ),
        ]);
        let fits = |want: &Value| {
            super::super::compare::Compare::default().fits(&with_distance(want), &summary(&painted))
        };
        assert_eq!(fits(&want), Ok(()));
        let mut other = want.as_map().cloned().unwrap();
        other.insert(
            "mean_rgb".into(),
            Value::list([120.0, 127.0, 128.44].map(Value::from)),
        );
        assert!(fits(&other.into()).is_err());
    }

    #[test]
    fn a_table_is_summed_up_by_column_names_and_cells() {
        let json = r#"[{"type":"dataframe","uri":"","columns":[{"name":"x","data_type":"int"}],"data":[[1]]}]"#;
        let table: Value = serde_json::from_str(json).unwrap();
        let want: Value =
            serde_json::from_str(r#"[{"type":"dataframe","columns":["x"],"rows":[[1]]}]"#).unwrap();
        assert_eq!(summary(&table), want);
    }
}
