//! Reads WAV files into the speech the server speaks of: 16 bit little-endian mono PCM at 24 kHz.
//!
//! It must not know where a file comes from. PCM of 8, 16, 24 and 32 bit and floats of 32 bit are read; anything else
//! is named in the refusal.

use super::resample::resample;

/// Samples of a second of speech.
pub(crate) const RATE: u32 = 24_000;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xfffe;

/// What a file says of its samples.
#[derive(Clone, Copy)]
struct Format {
    tag: u16,
    channels: usize,
    rate: u32,
    bits: u16,
}

/// The speech of a file, or why it cannot be read.
pub(crate) fn decode(file: &[u8]) -> Result<Vec<u8>, String> {
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err("it is no WAV file".into());
    }
    let mut format = None;
    let mut at = 12;
    while let Some(head) = file.get(at..at + 8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let body = at + 8;
        // Services that stream leave the length open, and a cut file has less than it says.
        let end = usize::try_from(length).map_or(file.len(), |length| body.saturating_add(length));
        let chunk = &file[body..end.min(file.len())];
        match &head[..4] {
            b"fmt " => format = Some(read_format(chunk)?),
            b"data" => {
                let format = format.ok_or("its samples come before their format")?;
                return samples(format, chunk);
            }
            _ => {}
        }
        // Chunks begin at even places.
        at = end.saturating_add(end % 2);
        if at >= file.len() {
            break;
        }
    }
    Err("it has no samples".into())
}

fn read_format(chunk: &[u8]) -> Result<Format, String> {
    let u16_at = |at: usize| Some(u16::from_le_bytes([*chunk.get(at)?, *chunk.get(at + 1)?]));
    let read = || {
        let tag = match u16_at(0)? {
            // The first two bytes of the long name of a format are its tag.
            EXTENSIBLE => u16_at(24)?,
            tag => tag,
        };
        let rate = u32::from(u16_at(4)?) | u32::from(u16_at(6)?) << 16;
        let (channels, bits) = (usize::from(u16_at(2)?), u16_at(14)?);
        Some(Format {
            tag,
            channels,
            rate,
            bits,
        })
    };
    let format = read().ok_or("its format is cut off")?;
    let known = matches!(
        (format.tag, format.bits),
        (PCM, 8 | 16 | 24 | 32) | (FLOAT, 32)
    );
    if !known {
        let (tag, bits) = (format.tag, format.bits);
        return Err(format!(
            "its samples are of format {tag} with {bits} bits, not PCM"
        ));
    }
    if !(1..=32).contains(&format.channels) || !(4_000..=192_000).contains(&format.rate) {
        let (channels, rate) = (format.channels, format.rate);
        return Err(format!("it has {channels} channels at {rate} Hz"));
    }
    Ok(format)
}

fn samples(format: Format, data: &[u8]) -> Result<Vec<u8>, String> {
    let width = usize::from(format.bits / 8);
    if format.tag == PCM && (format.bits, format.channels, format.rate) == (16, 1, RATE) {
        return Ok(data[..data.len() - data.len() % 2].to_vec());
    }
    let mono: Vec<f32> = data
        .chunks_exact(width * format.channels)
        .map(|frame| {
            let sum: f32 = frame.chunks_exact(width).map(|s| sample(format, s)).sum();
            sum / format.channels as f32
        })
        .collect();
    let speech = resample(&mono, format.rate, RATE);
    Ok(speech
        .iter()
        .flat_map(|sample| to_i16(*sample).to_le_bytes())
        .collect())
}

/// A sample as -1 to 1.
fn sample(format: Format, bytes: &[u8]) -> f32 {
    match (format.tag, bytes) {
        (FLOAT, [a, b, c, d]) => {
            let value = f32::from_le_bytes([*a, *b, *c, *d]);
            if value.is_finite() {
                value.clamp(-1.0, 1.0)
            } else {
                0.0
            }
        }
        (_, [a]) => (f32::from(*a) - 128.0) / 128.0,
        (_, [a, b]) => f32::from(i16::from_le_bytes([*a, *b])) / 32768.0,
        (_, [a, b, c]) => i32::from_le_bytes([0, *a, *b, *c]) as f32 / 2_147_483_648.0,
        (_, [a, b, c, d]) => i32::from_le_bytes([*a, *b, *c, *d]) as f32 / 2_147_483_648.0,
        _ => 0.0,
    }
}

fn to_i16(sample: f32) -> i16 {
    // The cast keeps to the ends of the range.
    (sample * 32768.0).round() as i16
}

#[cfg(test)]
pub(crate) fn encode(rate: u32, channels: u16, bits: u16, tag: u16, data: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0".to_vec();
    let block = channels * (bits / 8);
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate * u32::from(block)).to_le_bytes());
    file.extend(block.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(pcm: &[u8]) -> Vec<i16> {
        pcm.chunks_exact(2)
            .map(|s| i16::from_le_bytes([s[0], s[1]]))
            .collect()
    }

    fn bytes(samples: &[i16]) -> Vec<u8> {
        samples.iter().flat_map(|s| s.to_le_bytes()).collect()
    }

    #[test]
    fn speech_in_our_own_form_is_taken_as_it_is() {
        let pcm = bytes(&[0, 1, -1, 32767, -32768]);
        assert_eq!(decode(&encode(RATE, 1, 16, PCM, &pcm)).unwrap(), pcm);
    }

    #[test]
    fn every_width_says_the_same() {
        let float: Vec<u8> = [0.5f32, -0.5]
            .iter()
            .flat_map(|s| s.to_le_bytes())
            .collect();
        for (bits, tag, data) in [
            (8, PCM, vec![192, 64]),
            (16, PCM, bytes(&[16384, -16384])),
            (24, PCM, vec![0, 0, 0x40, 0, 0, 0xc0]),
            (32, PCM, vec![0, 0, 0, 0x40, 0, 0, 0, 0xc0]),
            (32, FLOAT, float),
        ] {
            let got = decode(&encode(RATE, 1, bits, tag, &data)).unwrap();
            assert_eq!(numbers(&got), [16384, -16384], "{bits} bits of {tag}");
        }
    }

    #[test]
    fn channels_become_one() {
        let data = bytes(&[1000, 3000, -200, 200]);
        assert_eq!(
            numbers(&decode(&encode(RATE, 2, 16, PCM, &data)).unwrap()),
            [2000, 0]
        );
    }

    #[test]
    fn other_rates_keep_their_duration_and_tone() {
        for rate in [16_000, 22_050, 44_100, 48_000] {
            let wave = |rate: u32, n: u32| {
                let turn = std::f64::consts::TAU * 440.0 * f64::from(n) / f64::from(rate);
                (turn.sin() * 10_000.0) as i16
            };
            let samples: Vec<i16> = (0..rate).map(|n| wave(rate, n)).collect();
            let got = numbers(&decode(&encode(rate, 1, 16, PCM, &bytes(&samples))).unwrap());
            assert_eq!(got.len(), RATE as usize, "{rate}");
            // The ends have nothing beside them to be made from.
            for n in 100..RATE - 100 {
                let (is, should) = (i32::from(got[n as usize]), i32::from(wave(RATE, n)));
                assert!(
                    (is - should).abs() < 200,
                    "{rate}: {is} for {should} at {n}"
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let said = |file: &[u8]| decode(file).unwrap_err();
        assert_eq!(said(b"ID3 and so on"), "it is no WAV file");
        assert!(said(&encode(RATE, 1, 16, 85, &[0; 4])).contains("format 85"));
        assert!(said(&encode(RATE, 0, 16, PCM, &[0; 4])).contains("0 channels"));
        assert_eq!(
            said(b"RIFF\0\0\0\0WAVEdata\x02\0\0\0ab"),
            "its samples come before their format"
        );
        assert_eq!(said(b"RIFF\0\0\0\0WAVE"), "it has no samples");
    }

    #[test]
    fn a_length_left_open_means_all_there_is() {
        let mut file = encode(RATE, 1, 16, PCM, &bytes(&[7, 8]));
        let at = file.len() - 8;
        file[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(numbers(&decode(&file).unwrap()), [7, 8]);
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(noise in proptest::collection::vec(any::<u8>(), 0..200), cut in 0usize..80) {
            let file = encode(44_100, 2, 24, PCM, &noise);
            let _ = decode(&file[..cut.min(file.len())]);
            let mut head = b"RIFF\0\0\0\0WAVE".to_vec();
            head.extend(&noise);
            let _ = decode(&head);
        }
    }
}
