//! Changes how many samples a second of sound has. Pure.

use std::f64::consts::PI;

/// Zero crossings of the kernel to each side: more sound better and cost more.
const LOBES: f64 = 8.0;

/// The same sound with `to` samples a second instead of `from`; both are above 0.
///
/// A windowed sinc: what the new rate cannot hold is filtered out instead of folding back as a wrong tone.
pub(crate) fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    if from == to || samples.is_empty() {
        return samples.to_vec();
    }
    let kernel = Kernel::new(from, to);
    let length = (samples.len() as u64 * kernel.to).div_ceil(kernel.from);
    (0..length).map(|n| kernel.sample(samples, n)).collect()
}

/// The weights of the samples around each place a new sample can have between two old ones.
struct Kernel {
    /// The rates, without what they have in common: after `to` new samples the places repeat.
    from: u64,
    to: u64,
    /// Samples to each side.
    reach: usize,
    /// For each place, the weights of `2 * reach` samples; they add up to 1.
    weights: Vec<f32>,
}

impl Kernel {
    fn new(from: u32, to: u32) -> Self {
        let common = greatest_common_divisor(from, to);
        let (from, to) = (u64::from(from / common), u64::from(to / common));
        // Below 1 when the new rate is the lower one: the kernel gets that much wider.
        let cutoff = (to as f64 / from as f64).min(1.0);
        let reach = (LOBES / cutoff).ceil() as usize;
        let mut weights = Vec::with_capacity(to as usize * 2 * reach);
        for place in 0..to {
            let centre = place as f64 / to as f64 + reach as f64 - 1.0;
            let row = (0..2 * reach).map(|at| weight((at as f64 - centre) * cutoff));
            let row: Vec<f64> = row.collect();
            let sum: f64 = row.iter().sum();
            weights.extend(row.iter().map(|weight| (weight / sum) as f32));
        }
        Kernel {
            from,
            to,
            reach,
            weights,
        }
    }

    /// The new sample at a place.
    fn sample(&self, samples: &[f32], n: u64) -> f32 {
        let (base, place) = (
            (n * self.from / self.to) as usize,
            (n * self.from % self.to) as usize,
        );
        let width = 2 * self.reach;
        let weights = &self.weights[place * width..(place + 1) * width];
        // The first weight is for the sample that is `reach - 1` before the base.
        let missing = (self.reach - 1).saturating_sub(base).min(width);
        let first = (base + 1).saturating_sub(self.reach).min(samples.len());
        let (weights, samples) = (&weights[missing..], &samples[first..]);
        let used = weights.len().min(samples.len());
        let pairs = samples.iter().zip(weights);
        let sum: f32 = pairs.map(|(sample, weight)| sample * weight).sum();
        if used == width {
            return sum;
        }
        // At the ends there is less to make a sample from.
        let given: f32 = weights[..used].iter().sum();
        if given.abs() < 1e-3 { 0.0 } else { sum / given }
    }
}

/// A sinc within the middle of a wider one.
fn weight(x: f64) -> f64 {
    if x.abs() >= LOBES {
        return 0.0;
    }
    sinc(x) * sinc(x / LOBES)
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        return 1.0;
    }
    (PI * x).sin() / (PI * x)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn silence_stays_silent_and_a_level_stays_level() {
        assert_eq!(resample(&[], 44_100, 24_000), Vec::<f32>::new());
        for rate in [8_000, 44_100] {
            for sample in resample(&[0.25; 441], rate, 24_000) {
                assert!((sample - 0.25).abs() < 1e-5, "{sample}");
            }
        }
    }

    #[test]
    fn a_tone_too_high_for_the_new_rate_does_not_fold_back() {
        let tone: Vec<f32> = (0..4800)
            .map(|n| (2.0 * PI * 20_000.0 * f64::from(n) / 48_000.0).sin() as f32)
            .collect();
        let got = resample(&tone, 48_000, 24_000);
        let middle = &got[100..got.len() - 100];
        assert!(
            middle.iter().all(|sample| sample.abs() < 0.05),
            "{middle:?}"
        );
    }

    proptest! {
        #[test]
        fn any_rate_keeps_the_duration(
            rate in 4_000u32..48_000, samples in proptest::collection::vec(-1.0f32..1.0, 0..50),
        ) {
            let got = resample(&samples, rate, 24_000);
            let expected = (samples.len() as u64 * 24_000).div_ceil(u64::from(rate));
            prop_assert_eq!(got.len() as u64, expected);
            prop_assert!(got.iter().all(|sample| sample.is_finite()));
        }
    }
}
